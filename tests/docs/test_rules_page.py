"""Every example of docs/how-to/write-rules.md works as the page says."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from alerts.rulebook.entries import RuleEntry, read_rules
from alerts.rulebook.merging import rulebook
from core.settings import load_settings
from opinion.cli import app
from storage.engine import connect
from tests.support.consoles import serving
from tests.support.rows import add_incident
from web.app import create_app

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "write-rules.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The indented lines, as a shell would split them."""
    return [shlex.split(line) for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's file, in the current folder."""
    (tmp_path / "rules.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The database that the commands are told of, with incident 1."""
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    with engine.begin() as connection:
        assert add_incident(connection) == 1
    yield engine
    engine.dispose()


def test_the_table_names_every_field() -> None:
    """No more and no fewer than a rule can have."""
    rows = re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE)
    assert {field for row in rows for field in re.findall(r"`(\w+)`", row)} == set(RuleEntry.model_fields)


def test_the_file_is_read_and_named_as_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rules of the page, through the setting that the page names."""
    [setting] = re.findall(r"^ {4}OPINION_(\w+)=(\S+) opinion up$", PAGE, re.MULTILINE)
    monkeypatch.setenv(f"OPINION_{setting[0]}", setting[1])
    path = load_settings().detect.rules_file
    assert path is not None
    names = [rule.name for rule in read_rules(path)]
    assert names == ["acme-by-source", "finance-news", "acme-attention", "by-topic"]


def test_the_commands_run_in_their_order(folder: Path, engine: Engine) -> None:
    """Each succeeds, and leaves what the page says."""
    for command in commands():
        result = CliRunner().invoke(app, command[1:])
        assert result.exit_code == 0, (command, result.output, result.exception)
        if command[-1] == "--json":
            [trial] = json.loads(result.stdout)["rules"]
            assert trial["threshold"] >= 3.0
    with engine.connect() as connection:
        book = rulebook(connection)
        assert not book.rules["by-source"].is_enabled
        assert "bolt" not in book.rules
        verdicts = connection.execute(text("SELECT verdict, given_by FROM bi.feedback ORDER BY given_at")).all()
    assert [verdict for verdict, _ in verdicts] == ["noise", "late"]
    assert len(read_rules(folder / "all-rules.yaml")) == 7


def test_http_does_the_same(folder: Path, engine: Engine) -> None:
    """Each request of the page succeeds as it is written."""
    lines = blocks("sh")[0].strip().splitlines()
    with serving(create_app(engine)) as url:
        for line in lines:
            command = [word.replace("$CONSOLE", url) for word in shlex.split(line)]
            done = subprocess.run([*command, "--fail-with-body"], capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
