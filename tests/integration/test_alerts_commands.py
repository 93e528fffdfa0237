"""`opinion alerts` on a real database, `detect` and `replay` on files."""

import csv
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from opinion.cli import app
from storage.engine import connect
from tests.support.rows import add_incident

run = CliRunner()


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    return database_url


def test_incidents_are_listed_and_acknowledged(database: str) -> None:
    """`list --json` shows what is firing; `ack` puts a name to it, and the first name stays."""
    engine = connect(database)
    with engine.begin() as connection:
        number = add_incident(connection)
    engine.dispose()
    listed = json.loads(run.invoke(app, ["alerts", "list", "--json"]).stdout)
    assert [one["id"] for one in listed["incidents"]] == [number]
    assert run.invoke(app, ["alerts", "ack", str(number), "--by", "王芳"]).exit_code == 0
    again = json.loads(run.invoke(app, ["alerts", "ack", str(number), "--by", "李雷", "--json"]).stdout)
    assert again["acknowledged_by"] == "王芳"
    assert "finance" in run.invoke(app, ["alerts", "list"], env={"COLUMNS": "200"}).stdout


def test_an_unknown_incident_is_not_found(database: str) -> None:
    """Exit code 4 with the next step; the error is ours to print."""
    result = run.invoke(app, ["alerts", "ack", "99"])
    assert getattr(result.exception, "exit_code", None) == 4


def test_a_silence_is_kept_with_its_matchers(database: str) -> None:
    """`silence` writes what the detect job reads."""
    done = run.invoke(app, ["alerts", "silence", "--match", "topic=sports", "--for", "2h", "--comment", "final"])
    assert done.exit_code == 0
    engine = connect(database)
    with engine.connect() as connection:
        [row] = connection.execute(text("SELECT matchers, ends_at - starts_at AS length, comment FROM silence")).all()
    engine.dispose()
    assert (row.matchers, row.length, row.comment) == ({"topic": "sports"}, timedelta(hours=2), "final")


@pytest.mark.parametrize("wrong", [["--match", "topic", "--for", "2h"], ["--match", "a=b", "--for", "soon"]])
def test_a_wrong_silence_says_how_to_write_it(wrong: list[str]) -> None:
    """Exit code 2, before any server is asked."""
    assert getattr(run.invoke(app, ["alerts", "silence", *wrong]).exception, "exit_code", None) == 2


def test_detect_keeps_rows_and_timestamps(tmp_path: Path) -> None:
    """Every row comes back with its own text, in order, with a score from 0 to 1."""
    random, at = Random(1), datetime(2026, 3, 1)  # noqa: DTZ001  # files have times without a zone
    rows = [
        [(at + nth * timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S"), str(random.randint(20, 40))]
        for nth in range(900)
    ]
    rows[700][1] = "900"
    rows[10][1], rows[20][0], rows[30][0] = "", "not a time", rows[29][0]
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([["timestamp", "value"], *rows])
    assert run.invoke(app, ["detect", "--series", str(source), "--out", str(out)]).exit_code == 0
    with out.open(newline="") as file:
        header, *scored = csv.reader(file)
    assert header == ["timestamp", "value", "anomaly_score"]
    assert [row[:2] for row in scored] == rows
    alarms = [nth for nth, row in enumerate(scored) if float(row[2]) >= 0.5]
    assert alarms[0] == 700
    assert alarms[-1] < 750


def documents(start: datetime, *, dates_only: bool) -> list[dict[str, object]]:
    """40 steps of usual talk (hours, or days), then one step of anger about one company."""
    random = Random(5)
    step = timedelta(days=1) if dates_only else timedelta(hours=1)
    found: list[dict[str, object]] = []
    for nth in range(41):
        for _ in range(60 if nth == 40 else 20):
            at = start + nth * step + (timedelta(0) if dates_only else random.random() * step)
            is_bad = random.random() < (0.9 if nth == 40 else 0.2)
            found.append(
                {
                    "text": "x",
                    "created_at": at.date().isoformat() if dates_only else at.isoformat(),
                    "sentiment": "negative" if is_bad else "positive",
                    "company": "A" if nth == 40 else random.choice("AB"),
                }
            )
    found.append({"text": "x", "created_at": "tomorrow", "sentiment": "negative"})
    found.append({"text": "x", "created_at": start.date().isoformat(), "sentiment": None})
    return sorted(found, key=lambda d: str(d["created_at"]))


@pytest.mark.parametrize("dates_only", [False, True])
def test_replay_finds_the_surge_of_a_file(tmp_path: Path, dates_only: bool) -> None:
    """With the file's own labels, by company, in buckets that fit its times; odd rows are left out."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    path = tmp_path / "docs.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(d) + "\n" for d in documents(start, dates_only=dates_only))
    result = run.invoke(app, ["replay", str(path), "--use-labels", "--group-by", "company", "--json"])
    assert result.exit_code == 0
    body = json.loads(result.stdout)
    assert body["left_out"] == 2
    assert body["bucket_seconds"] == (86400 if dates_only else 300)
    [incident] = body["incidents"]
    assert incident["labels"]["company"] == "A"
    surge_at = start + 40 * (timedelta(days=1) if dates_only else timedelta(hours=1))
    detected = datetime.fromisoformat(incident["detected_at"])
    assert timedelta(0) <= detected - surge_at <= (timedelta(days=1) if dates_only else timedelta(minutes=45))
    assert incident["observed"] > 3 * incident["expected"]
