"""Drift over stored documents: the check, what it keeps, what it asks for, and how people see it."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text, update
from typer.testing import CliRunner

from models.drift_trigger import TriggerOptions
from opinion.cli import app
from opinion.drift import check, labels_wanted, retrain_wanted
from opinion.drift_reading import DriftFailedError, DriftOptions
from opinion.drift_windows import choose
from opinion.promotions import first_champion
from storage import drift_checks, human_labels, topic_proposals, training_runs
from storage.documents import DocumentRow
from storage.drift_samples import sample, voices
from storage.engine import connect
from storage.human_labels import NewLabel
from storage.tables import human_label, model_promotion, training_run
from tests.support.checkpoints import tiny_checkpoint
from tests.support.records import row
from tests.support.rows import store_rows

DAY = timedelta(days=1)
TAKEOVER = datetime(2026, 3, 29, tzinfo=UTC)
NOW = TAKEOVER + 8 * DAY
OLD = "text number good bad nice tea coffee"
NEW = "银行 手机 汽车 奶茶 价格 服务 质量"
OPTIONS = TriggerOptions(min_labels=5, cool_down=3 * DAY)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("models") / "first")


@pytest.fixture
def options(tmp_path: Path, checkpoint: Path) -> DriftOptions:
    return DriftOptions(
        home=tmp_path,
        checkpoint=str(checkpoint),
        reference=28 * DAY,
        window=7 * DAY,
        documents=300,
        device="cpu",
        batch_tokens=0,
        max_length=64,
        threads=1,
    )


def documents(first: datetime, days: int, a_day: int, words: str, *, doubtful: bool = False) -> list[DocumentRow]:
    """So many a day, evenly over it, each of two words: too short to be copies of each other."""
    chosen = random.Random(f"{first} {words}")
    found = []
    for nth in range(days * a_day):
        at = first + nth * DAY / a_day
        key = f"forum:{at.isoformat()}"
        said = " ".join(chosen.sample(words.split(), 2))
        found.append(row(key, published_at=at, text=said, topic_uncertain=doubtful, model_version="first"))
    return found


def took_over(engine: Engine, options: DriftOptions, at: datetime = TAKEOVER) -> None:
    """The tiny checkpoint is champion since then."""
    with engine.begin() as connection:
        first_champion(connection, options.checkpoint)
        connection.execute(update(model_promotion).values(promoted_at=at))


def label(engine: Engine, texts: Sequence[str], at: datetime) -> None:
    with engine.begin() as connection:
        labels = [
            NewLabel(key.encode(), None, key, "en", "forum", "sentiment", "negative", "li", at) for key in texts
        ]
        human_labels.add(connection, labels)
        connection.execute(update(human_label).values(recorded_at=at))


def test_drift_is_found_kept_and_asks_for_labels_then_for_a_model(
    engine: Engine, options: DriftOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two checks agree on what came new; labels are asked for, then a run, and after one the loop rests."""
    store_rows(engine, documents(TAKEOVER - 28 * DAY, 28, 30, OLD))
    store_rows(engine, documents(TAKEOVER, 8, 40, NEW, doubtful=True))
    took_over(engine, options)
    result = check(engine, options, NOW)
    assert result.reason is None
    drifted = {one.measure for one in result.rows if one.is_drifted}
    assert {"text", "embedding"} <= drifted
    with engine.begin() as connection:
        assert drift_checks.newest(connection) == result.rows
        assert topic_proposals.newest(connection) == result.proposals
        assert labels_wanted(connection, NOW, OPTIONS) is None  # one check is chance
        drift_checks.add(connection, [one._replace(checked_at=NOW - DAY) for one in result.rows])
        wanted = labels_wanted(connection, NOW, OPTIONS)
        assert wanted is not None
        assert wanted.endswith("5 more labels of new texts are needed")
        assert retrain_wanted(connection, NOW, OPTIONS) is None
    label(engine, [f"new {nth}" for nth in range(5)], NOW)
    with engine.begin() as connection:
        reason = retrain_wanted(connection, NOW, OPTIONS)
        assert reason is not None
        assert reason.endswith("5 labels since")
        assert labels_wanted(connection, NOW, OPTIONS) is None
        run = training_runs.start(connection, champion="first", last_label_id=0)
        connection.execute(update(training_run).where(training_run.c.id == run).values(started_at=NOW - DAY))
        assert retrain_wanted(connection, NOW, OPTIONS) is None
        assert retrain_wanted(connection, NOW + 2 * DAY, OPTIONS) is not None
        connection.execute(text("SET LOCAL ROLE opinion_bi"))
        shown = connection.execute(
            text("SELECT effect > threshold FROM bi.model_drift WHERE measure = 'text' AND slice_kind = 'all'")
        )
        assert list(shown.scalars()) == [True, True]


def test_the_same_stream_does_not_drift(engine: Engine, options: DriftOptions) -> None:
    """More of what the champion took over with is no drift, and proposes nothing."""
    store_rows(engine, documents(TAKEOVER - 28 * DAY, 36, 30, OLD))
    took_over(engine, options)
    result = check(engine, options, NOW)
    assert {one.slice_kind for one in result.rows} == {"all"}
    assert [one.measure for one in result.rows if one.is_drifted] == []
    assert list((options.home / "drift").iterdir()) == []  # no texts are left behind


def test_too_little_is_said_to_be_too_little(engine: Engine, options: DriftOptions) -> None:
    """An empty pipeline, a young one and a young champion are told apart from one without drift."""
    assert check(engine, options, NOW).reason == "no documents are stored"
    store_rows(engine, documents(TAKEOVER - 2 * DAY, 2, 60, OLD))
    took_over(engine, options)
    reason = check(engine, options, NOW).reason or ""
    assert "documents are known from when first took over, 300 are needed" in reason
    store_rows(engine, documents(TAKEOVER - 20 * DAY, 10, 60, OLD))
    store_rows(engine, documents(TAKEOVER, 1, 20, OLD))
    assert "20 documents are newer" in (check(engine, options, NOW).reason or "")


def test_a_replay_of_the_past_has_a_reference_of_its_own(engine: Engine, options: DriftOptions) -> None:
    """Where all documents are older than the promotion, the first of them are what the newest are held against."""
    store_rows(engine, documents(TAKEOVER, 20, 40, OLD))
    took_over(engine, options, TAKEOVER + 400 * DAY)
    with engine.begin() as connection:
        windows = choose(connection, first_champion(connection, options.checkpoint), 10 * DAY, 7 * DAY)
    assert not isinstance(windows, str)
    assert windows.reference == (TAKEOVER, TAKEOVER + 10 * DAY)
    assert windows.current.end - windows.current.start == 7 * DAY
    assert windows.reference.end <= windows.current.start
    assert windows.older.start >= TAKEOVER
    assert windows.older.end == windows.newer.start


def test_a_sample_is_bounded_even_and_without_copies(engine: Engine) -> None:
    """So many documents of all days come, however many there are; of copies one."""
    store_rows(engine, documents(TAKEOVER, 10, 40, OLD))
    story = "A long story that one site tells and others tell again, word for word, over and over on this same day. "
    store_rows(
        engine, [row(f"copy:{nth}", 1000 + nth, published_at=TAKEOVER + DAY, text=story * 3) for nth in range(30)]
    )
    with engine.connect() as connection:
        end = TAKEOVER + 10 * DAY
        found = sample(connection, TAKEOVER, end, most=100)
        everything = sample(connection, TAKEOVER, end, most=10_000)
        counted = voices(connection, TAKEOVER, end)
    assert len(found) == 100
    by_day = [sum((one.published_at - TAKEOVER).days == day for one in found) for day in range(10)]
    assert all(8 <= count <= 12 for count in by_day)
    assert len(everything) == counted


def test_a_child_that_fails_is_told_with_its_log(engine: Engine, options: DriftOptions, tmp_path: Path) -> None:
    """A champion whose folder is gone ends the check with the cause, and leaves nothing behind."""
    store_rows(engine, documents(TAKEOVER - 28 * DAY, 36, 30, OLD))
    took_over(engine, options)
    with engine.begin() as connection:
        connection.execute(text("UPDATE model_version SET path = :path"), {"path": str(tmp_path / "gone")})
    with pytest.raises(DriftFailedError, match="ended with exit code 1") as failed:
        check(engine, options, NOW)
    assert "drift.log" in (failed.value.remedy or "")
    assert list((options.home / "drift").iterdir()) == []


def test_people_see_drift_and_new_topics(
    engine: Engine, database_url: str, tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both commands show what was stored, as a table and as JSON, and say so while there is nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_MODELS__CHECKPOINT", str(checkpoint))
    monkeypatch.setenv("COLUMNS", "160")
    assert "no check yet" in said("drift")
    assert "No new topics" in said("topics")
    assert json.loads(said("drift", "--json"))["figures"] == []
    stored = documents(TAKEOVER, 1, 3, "evil [red]text\x1b[31m")
    store_rows(engine, stored)
    figure: dict[str, Any] = dict(
        zip(drift_checks.DriftRow._fields, (NOW, "first", "all", "", "sentiment_accuracy", 0.08, 0.03), strict=False)
    )
    spans = {"reference_from": TAKEOVER - 28 * DAY, "reference_until": TAKEOVER, "reference_documents": 2000}
    spans |= {"current_from": TAKEOVER, "current_until": NOW, "current_documents": 1000}
    detail = {"method": "doc", "estimate": 0.71, "low": 0.68, "high": 0.74}
    made = drift_checks.DriftRow(**figure, is_drifted=True, **spans, detail=detail)
    with engine.begin() as connection:
        drift_checks.add(connection, [made, made._replace(slice_kind="lang", slice_value="[bold]zh", measure="text")])
        ids, times = [one.id for one in stored], [one.published_at for one in stored]
        proposal = topic_proposals.ProposalRow(NOW, "first", ["姜萍", "数学"], 80, 7, TAKEOVER, NOW, ids, times)
        topic_proposals.add(connection, [proposal], NOW)
    shown = said("drift")
    assert "71.0 % (68.0 to 74.0)" in shown
    assert "lang=[bold]zh" in shown
    assert "\x1b" not in said("topics")
    body = json.loads(said("topics", "--json"))["topics"]
    assert [(one["terms"], one["documents"], one["growth"], len(one["examples"])) for one in body] == [
        (["姜萍", "数学"], 80, 10.12, 3)
    ]
    assert json.loads(said("drift", "--json"))["figures"][0]["detail"] == detail


def said(*arguments: str) -> str:
    """What a successful command prints."""
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout
