"""Every example of docs/how-to/give-people-access.md works as the page says."""

import re
import shlex
from pathlib import Path

import httpx
import pytest
import yaml
from sqlalchemy import text
from typer.testing import CliRunner

from core.roles import ROLES
from core.settings import load_settings
from opinion import first_admin
from opinion.cli import app
from opinion.commands import people
from opinion.console_access import access, allowed_hosts
from storage.api_tokens import SCOPES
from storage.engine import connect
from tests.support.accounts import cheap
from tests.support.consoles import serving
from web.access import Access
from web.app import create_app

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "give-people-access.md").read_text(encoding="utf-8")
run = CliRunner()


def test_the_commands_work_in_their_order(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """People come and go, tokens open what their scope says, and all of it is in the audit log."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    for module in (people, first_admin):
        monkeypatch.setattr(module, "Passwords", cheap)
    engine = connect(database_url)
    first_admin.make_first_admin(engine)
    tokens = {}
    for line in re.findall(r"^ {4}opinion (.*)$", PAGE, re.MULTILINE):
        result = run.invoke(app, shlex.split(line))
        assert result.exit_code == 0, f"{line}: {result.output}"
        if line.startswith("tokens create"):
            tokens[line.split()[-1]] = result.stdout.strip()
    assert set(tokens) == set(SCOPES)
    [path] = re.findall(r"http://127.0.0.1:8080(\S+) --header", PAGE)
    with serving(create_app(engine, access=Access(passwords=cheap()))) as url:
        for scope, status in (("read", 200), ("write", 200), ("documents:write", 403)):
            headers = {"authorization": f"Bearer {tokens[scope]}"}
            assert httpx.get(url + path, headers=headers).status_code == status
    [statement] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with engine.connect() as connection:
        noted = [row.what for row in connection.execute(text(statement))]
    engine.dispose()
    assert noted[:5] == ["token made"] * 3 + ["person enabled", "person disabled"]
    named = re.findall(r"^\| (\S+) \|", PAGE, re.MULTILINE)
    assert [one for one in named if one in ROLES] == list(ROLES)


def test_the_settings_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files load, and together they make a console of that name with that provider."""
    web: dict[str, object] = {}
    for body in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        web |= yaml.safe_load(body)["web"]
    path = tmp_path / "opinion.yaml"
    path.write_text(yaml.safe_dump({"web": web}), encoding="utf-8")
    monkeypatch.setenv("OPINION_CONFIG", str(path))
    settings = load_settings()
    assert "opinion.example.org" in allowed_hosts(settings, settings.web.host)
    made = access(settings)
    assert made is not None
    assert made.sign_on is not None
    assert made.sign_on.options.roles == {"news-desk": "analyst", "platform": "admin"}
