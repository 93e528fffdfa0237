"""`opinion tokens`: what a person sees of tokens, and what they never see again."""

import json

import pytest
from typer.testing import CliRunner

from core.errors import NotFoundError
from opinion.cli import app
from storage import api_tokens
from storage.engine import connect


def test_a_token_is_made_shown_once_and_taken_back(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`create` prints it, `list` never does, the database holds no part of it, and `revoke` ends it."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    runner = CliRunner()
    made = runner.invoke(app, ["tokens", "create", "爬虫 [red]1[/]"])
    token = made.stdout.strip()
    secret = token.split("_", 2)[2]
    listed = runner.invoke(app, ["tokens", "list"], env={"COLUMNS": "200"}).stdout
    assert "爬虫 [red]1[/]" in listed
    assert secret not in listed
    [known] = json.loads(runner.invoke(app, ["tokens", "list", "--json"]).stdout)["tokens"]
    assert (known["scopes"], known["revoked_at"]) == (["documents:write"], None)
    engine = connect(database_url)
    with engine.begin() as connection:
        stored = connection.exec_driver_sql("SELECT api_token::text FROM api_token").scalar_one()
        assert secret not in stored
        assert api_tokens.check(connection, token) is not None
    assert json.loads(runner.invoke(app, ["tokens", "revoke", str(known["id"]), "--json"]).stdout)["revoked_at"]
    with engine.begin() as connection:
        assert api_tokens.check(connection, token) is None
    engine.dispose()
    missing = runner.invoke(app, ["tokens", "revoke", "99"])
    assert isinstance(missing.exception, NotFoundError)
