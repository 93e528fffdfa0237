"""Every example of docs/how-to/shadow-and-promote.md works as the page says."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from core.settings import Settings, ShadowSettings
from opinion.cli import app
from storage import model_versions, shadow_runs
from storage.engine import connect
from tests.support.checkpoints import tiny_checkpoint
from tests.support.shadows import CANDIDATE, START, documents, entered, is_bad, visited, with_champion

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "shadow-and-promote.md").read_text(encoding="utf-8")
NOW = START + timedelta(hours=3)
MANUAL = Settings(shadow=ShadowSettings(promote="manual", slower=1000))


def command(words: str) -> list[str]:
    """The page's line that ends with these words or begins so, as a shell would split it."""
    lines = re.findall(r"^ {4}opinion (.*)$", PAGE, re.MULTILINE)
    [line] = [one for one in lines if one.endswith(words)] or [one for one in lines if one.startswith(words)]
    return shlex.split(line)


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A candidate that waits for a person: time was up before it had read anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    engine = connect(database_url)
    with_champion(engine, documents(300))
    with engine.begin() as connection:
        folder = tiny_checkpoint(tmp_path / CANDIDATE)
        model_versions.register(connection, CANDIDATE, str(folder), origin="retrain")
    run = entered(engine, MANUAL, NOW)
    visited(engine, run, MANUAL, NOW + timedelta(hours=25), is_bad)
    yield engine
    engine.dispose()


def called(arguments: list[str]) -> Result:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    return result


def test_a_shadow_is_shown_in_every_form(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list, one candidate, its picture, JSON and SQL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    engine = connect(database_url)
    assert "Nothing was ever in shadow" in called(["models", "shadow"]).stdout
    with_champion(engine, documents(300))
    run = entered(engine, MANUAL, NOW)
    visited(engine, run, MANUAL, NOW, lambda read: is_bad(read) or read.startswith("calm1"))
    assert CANDIDATE in called(["models", "shadow"]).stdout
    shown = called(command(f"models shadow {CANDIDATE}")).stdout
    assert "sentiment: agree on 7" in shown
    assert "Telling documents" in shown
    assert "calm1" in shown
    called(command("--chart curves.svg"))
    assert (tmp_path / "curves.svg").read_text(encoding="utf-8").startswith("<?xml")
    body = json.loads(called(command("--json")).stdout)
    assert body["state"] == "scoring"
    assert body["figures"]["negative_new"] > body["figures"]["negative_old"]
    assert body["disagreements"][0]["kind"] == "became negative"
    [query] = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with engine.connect() as connection:
        assert connection.execute(text(query)).one().candidate == CANDIDATE
    listed = json.loads(called(["models", "shadow", "--json"]).stdout)
    assert [one["candidate"] for one in listed["runs"]] == [CANDIDATE]
    engine.dispose()


def test_a_person_promotes(engine: Engine) -> None:
    """As the page has it; the shadow is over then, and there is nothing left to reject."""
    assert in_shadow(engine).state == "waiting"
    called(command("models promote"))
    with engine.connect() as connection:
        present = model_versions.champion(connection)
    assert present is not None
    assert (present.version, present.reason) == (CANDIDATE, "the new negatives are right")
    assert "promoted" in called(["models", "shadow"]).stdout
    assert in_shadow(engine).state == "promoted"
    assert exit_code(command("models reject")) == 4


def test_a_person_rejects(engine: Engine) -> None:
    """As the page has it; what is unknown is told with the next command."""
    called(command("models reject"))
    ended = in_shadow(engine)
    assert (ended.state, ended.reasons[-1]) == ("rejected", "calls every complaint about delivery neutral")
    assert exit_code(["models", "shadow", "nonsense"]) == 4
    assert exit_code(["models", "shadow", "--chart", "x.svg"]) == 2


def test_a_model_from_elsewhere_goes_the_same_way(engine: Engine, tmp_path: Path) -> None:
    """A folder is registered and takes the place of what was in shadow; the champion cannot be its own candidate."""
    tiny_checkpoint(tmp_path / "my-model")
    assert "my-model beside champion-1: scoring" in called(command("--start")).stdout
    assert in_shadow(engine).reasons[-1] == "the newer candidate my-model took its place"
    assert exit_code(["models", "shadow", "champion-1", "--start"]) == 2
    assert exit_code(["models", "shadow", "no-model", "--start"]) == 4
    assert exit_code(["models", "shadow", "--start"]) == 2


def in_shadow(engine: Engine) -> shadow_runs.ShadowRun:
    with engine.connect() as connection:
        found = shadow_runs.of_version(connection, CANDIDATE)
    assert found is not None
    return found


def exit_code(arguments: list[str]) -> object:
    return getattr(CliRunner().invoke(app, arguments).exception, "exit_code", None)


def test_the_defaults_are_as_told() -> None:
    """Every default that the page names."""
    defaults = ShadowSettings()
    told = dict(re.findall(r"`OPINION_SHADOW__(\w+)` \| ([\d.]+) \|", PAGE))
    told |= {
        name: value.replace(",", "") for name, value in re.findall(r"`OPINION_SHADOW__(\w+)` \(([\d,]+)\)", PAGE)
    }
    assert len(told) >= 9
    for name, value in told.items():
        assert float(getattr(defaults, name.lower())) == float(value), name
