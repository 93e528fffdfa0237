"""`opinion models overlap`: two models on the same stored documents."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import NotFoundError
from opinion.cli import app
from opinion.model_overlap import OverlapJob, measure, overlap_rows
from storage import model_switches
from storage.engine import connect
from storage.judged_texts import JudgedText
from tests.support.checkpoints import tiny_checkpoint
from tests.support.records import row as document_row
from tests.support.rows import store_rows

AT = datetime(2026, 3, 10, tzinfo=UTC)


def store(database_url: str, count: int) -> None:
    """Documents that `old` judged, every second one negative."""
    engine = connect(database_url)
    store_rows(
        engine,
        [
            document_row(
                f"weibo:{nth}",
                nth,
                text=f"第 {nth} 条，刹车失灵",
                source="weibo",
                published_at=AT + timedelta(minutes=nth),
                topic_label="automobile",
                sentiment="negative" if nth % 2 else "neutral",
                model_version="old",
            )
            for nth in range(count)
        ],
    )
    engine.dispose()


def test_what_both_said_is_kept_by_label(database_url: str) -> None:
    """In all and by topic, source and language; again replaces it."""
    store(database_url, 40)
    engine = connect(database_url)

    def judge(texts: Sequence[str]) -> list[str]:
        return ["negative"] * len(texts)

    for _ in range(2):
        measured = measure(engine, "new", judge)
    assert (measured.old, measured.all.documents) == ("old", 40)
    with engine.connect() as connection:
        found = model_switches.overlaps(connection)
    assert found["old", "new"]["", ""] == (20, 40)
    assert found["old", "new"]["topic", "automobile"] == (20, 40)
    engine.dispose()


def test_without_another_model_there_is_nothing_to_compare(database_url: str) -> None:
    """The first model has no predecessor, and the command says so."""
    engine = connect(database_url)
    with pytest.raises(NotFoundError, match="judged by another model"):
        measure(engine, "new", lambda texts: [])
    engine.dispose()


def test_the_command_judges_with_a_checkpoint(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From outside: one JSON object with the ratio."""
    store(database_url, 12)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_HOME", str(tmp_path / "var"))
    folder = tiny_checkpoint(tmp_path / "next", seed=3)
    done = CliRunner().invoke(app, ["models", "overlap", str(folder), "--json"])
    assert done.exit_code == 0, done.stderr
    body = json.loads(done.stdout.splitlines()[-1])
    assert (body["old"], body["documents"], body["negative_old"]) == ("old", 12, 6)
    assert body["ratio"] == body["negative_new"] / 6


def test_the_job_has_nothing_to_do_before_a_promotion(database_url: str, tmp_path: Path) -> None:
    """Without a champion, or with too few documents by the model before it, no process is started."""
    engine = connect(database_url)
    OverlapJob(engine, tmp_path)(lambda: False)
    assert not (tmp_path / "logs").exists()
    engine.dispose()


def test_rare_values_of_a_label_are_left_out() -> None:
    """Thousands of sources make no thousands of rows."""
    sample = [JudgedText("x", "negative", "t", f"source-{n}", "zh") for n in range(100)]
    rows = overlap_rows(sample, ["neutral"] * 100)
    assert rows[0].documents == 100
    assert sum(row.label == "source" for row in rows) == 30
