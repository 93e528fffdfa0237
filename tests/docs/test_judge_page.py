"""Every example of docs/how-to/judge-a-candidate.md works as the page says."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from core.settings import GateSettings, load_settings
from models.gate_options import GateOptions
from models.gate_record import write_record
from opinion.cli import app
from opinion.learning import retrain_options
from storage import model_versions, training_runs
from storage.engine import connect
from tests.support.verdicts import DESTROYED, judged_candidate

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "judge-a-candidate.md").read_text(encoding="utf-8")


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """One run with a candidate that was refused, and one that brought none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    record, examples = judged_candidate(DESTROYED)
    folder = tmp_path / record.candidate
    folder.mkdir()
    write_record(folder, record, examples)
    engine = connect(database_url)
    with engine.begin() as connection:
        model_versions.register(connection, record.champion, "starter", origin="starter")
        model_versions.register(connection, record.candidate, str(folder), origin="retrain")
        model_versions.promote(connection, record.champion, reason="first", by="test")
        for candidate in (record.candidate, None):
            run = training_runs.start(connection, champion=record.champion, last_label_id=1)
            training_runs.finish(connection, run, reasons=record.verdict.reasons, candidate=candidate)
    yield engine
    engine.dispose()


def run(command: list[str]) -> Result:
    return CliRunner().invoke(app, command)


def exit_code(result: Result) -> object:
    return getattr(result.exception, "exit_code", result.exit_code)


def test_the_commands_work_in_their_order(engine: Engine) -> None:
    """Each ends well; pages are written in the language that was asked for, and a script gets the reasons."""
    commands = [shlex.split(line) for line in re.findall(r"^ {4}(opinion .*)$", PAGE, re.MULTILINE)]
    assert [command[2] for command in commands] == ["list", "report", "report", "report"]
    for command in commands:
        result = run(command[1:])
        assert result.exit_code == 0, (command, result.output)
    assert "Refused: 20260501-0011aabb" in Path("report-20260501-0011aabb.html").read_text(encoding="utf-8")
    assert "不予采用：" in Path("verdict.html").read_text(encoding="utf-8")
    body = json.loads(result.stdout.splitlines()[-1])
    assert (body["is_accepted"], body["champion"]) == (False, "starter-2e29f5ef")
    assert body["reasons"][0].startswith("refused: ")


def test_what_has_no_report_says_so(engine: Engine) -> None:
    """No candidate, no such run or version, never judged, nowhere to write: exit code 4 and the cause."""
    for which, cause in (
        ("2", "brought no candidate"),
        ("77", "no retrain run 77"),
        ("nonsense", "no model version nonsense"),
        ("starter-2e29f5ef", "was never judged"),
    ):
        result = run(["models", "report", which])
        assert exit_code(result) == 4
        assert cause in str(result.exception)
    assert exit_code(run(["models", "report", "1", "--out", "no/such/folder.html"])) == 4


def test_the_settings_reach_the_gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The exports of the page, and every field of the settings has its twin with the same default."""
    monkeypatch.chdir(tmp_path)
    for name, value in re.findall(r'^export (\w+)="?([^"\n]*)"?$', PAGE, re.MULTILINE):
        monkeypatch.setenv(name, value)
    gate = retrain_options(load_settings()).gate
    assert (gate.policy, gate.margin) == ("not worse", 0.02)
    assert GateOptions(**GateSettings().model_dump()) == GateOptions()
