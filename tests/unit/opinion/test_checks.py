"""What `opinion doctor` says of the machine and of servers that are away."""

import json
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import CheckpointError, GateRefusedError
from core.settings import Settings
from opinion import checks
from opinion.checks import Check, Finding
from opinion.cli import app
from opinion.commands import doctor

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "status"), [(0.5e9, "fail"), (3e9, "warn"), (50e9, "ok")])
def test_little_room_is_told_before_it_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, status: str
) -> None:
    """A full disk fails, a small one warns; a home that does not exist yet is judged by where it will be."""
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _path: Usage(100e9, 0, free))
    assert checks.disk(tmp_path / "not" / "yet").status == status


def test_a_configured_broker_that_is_away_fails_with_the_remedy() -> None:
    """The setting to correct is named."""
    finding = checks.kafka_answers("127.0.0.1:1")
    assert finding.status == "fail"
    assert finding.remedy
    assert "OPINION_KAFKA_BOOTSTRAP" in finding.remedy


def test_a_configured_database_that_is_away_fails_without_its_password() -> None:
    """The reason is told, the password is not."""
    finding = checks.postgres_answers("postgresql://opinion:hunter2@127.0.0.1:1/opinion")
    assert finding.status == "fail"
    assert "hunter2" not in finding.detail


def test_servers_that_start_on_demand_are_well() -> None:
    """A fresh machine has nothing running, and that is no fault."""
    assert checks.kafka_answers(None).status == "ok"
    assert checks.postgres_answers(None).status == "ok"


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One broken part does not hide the others: its error becomes its finding, remedy included."""

    def broken(_settings: Settings, _database: str | None) -> Finding:
        raise CheckpointError("no weights", remedy="fetch them")

    for name in ("python", "memory", "java"):
        monkeypatch.setattr(checks, name, lambda: Finding("ok", ""))
    for name in ("gpu", "jars"):
        monkeypatch.setattr(checks, name, lambda _settings: Finding("ok", ""))
    monkeypatch.setattr(checks, "model", broken)
    found = {check.name: check.finding for check in checks.run_checks(Settings(home=tmp_path))}
    assert found["model"] == Finding("fail", "no weights", "fetch them")
    assert found["postgresql programs"].status == "ok"


def test_the_command_says_no_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--json` prints one object, and a failed check ends the command as a gate does (exit code 5)."""

    def one_fails(_settings: Settings) -> Iterator[Check]:
        yield Check("disk", Finding("ok", "plenty"))
        yield Check("kafka", Finding("fail", "away", "start it"))

    monkeypatch.setattr(doctor, "run_checks", one_fails)
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert isinstance(result.exception, GateRefusedError)
    assert result.exception.exit_code == 5
    body = json.loads(result.stdout)
    assert body["is_well"] is False
    assert body["checks"]["kafka"] == {"status": "fail", "detail": "away", "remedy": "start it"}
