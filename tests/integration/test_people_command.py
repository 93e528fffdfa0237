"""`opinion people`: whoever runs the console can always let somebody in."""

import json

import pytest
from typer.testing import CliRunner

from core.errors import GateRefusedError, NotFoundError, UsageError
from core.passwords import Passwords
from opinion.cli import app
from opinion.commands import people as commands
from opinion.first_admin import make_first_admin
from storage import audit_log, people
from storage.engine import connect
from tests.support.accounts import cheap

run = CliRunner()


def test_somebody_is_let_in_changed_and_kept_out(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are shown once and work; the last admin stays; each step is in the audit log."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setattr(commands, "Passwords", cheap)
    made = run.invoke(app, ["people", "add", "王芳 [red]x[/]", "--role", "admin"])
    assert "cannot be shown again" in made.stderr
    once = made.stdout.strip()
    listed = run.invoke(app, ["people", "list"], env={"COLUMNS": "200"})
    assert "王芳 [red]x[/]" in listed.stdout
    assert once not in listed.stdout
    other = json.loads(run.invoke(app, ["people", "add", "li", "--json"]).stdout)
    assert (other["role"], other["must_change"], len(other["password"])) == ("viewer", True, 23)
    again = json.loads(run.invoke(app, ["people", "password", "LI", "--json"]).stdout)["password"]
    assert again != other["password"]
    for command in (["role", "li", "analyst"], ["disable", "li"], ["enable", "li"]):
        assert run.invoke(app, ["people", *command]).exit_code == 0, command
    for command, error in (
        (["add", "li"], UsageError),
        (["add", " "], UsageError),
        (["add", "x", "--role", "king"], UsageError),
        (["role", "li", "king"], UsageError),
        (["password", "nobody"], NotFoundError),
        (["disable", "王芳 [red]x[/]"], GateRefusedError),
        (["role", "王芳 [red]x[/]", "viewer"], GateRefusedError),
    ):
        assert isinstance(run.invoke(app, ["people", *command]).exception, error), command
    engine = connect(database_url)
    with engine.connect() as connection:
        found, kept = people.to_check(connection, "li")
        assert found
        assert found.role == "analyst"
        assert cheap().check(again, kept) == (True, None)
        written = audit_log.page(connection)
    engine.dispose()
    assert [one.what for one in written] == [
        "person enabled",
        "person disabled",
        "role",
        "password reset",
        "person added",
        "person added",
    ]
    assert not any(secret in str(written) for secret in (once, again))


def test_the_first_start_lets_an_admin_in_once(database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The password is told to the terminal by the first start alone, and stands nowhere else."""
    engine = connect(database_url)
    assert make_first_admin(engine)
    told = capfd.readouterr()
    once = told.err.partition("one-time password")[2].split()[0]
    assert told.out == ""
    assert not make_first_admin(engine)
    assert capfd.readouterr().err == ""
    with engine.connect() as connection:
        found, kept = people.to_check(connection, "admin")
        assert found
        assert (found.role, found.must_change) == ("admin", True)
        assert str(kept).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert Passwords().check(once, kept)[0]
    engine.dispose()
