"""The gold set and the snapshot on a real database: who joins when, and what changes the hash."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from core.texts import text_hash
from opinion.retraining import RetrainOptions, retrain
from opinion.snapshot import LearningOptions, Snapshot, keep_gold, replay_pool, take_snapshot
from opinion.triggers import Trigger, TriggerOptions, due
from storage import gold_set, human_labels, training_runs
from storage.engine import connect
from storage.human_labels import NewLabel
from tests.support.records import row
from tests.support.rows import store_rows

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPTIONS = LearningOptions(4, 0, "full", 64)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def label(connection: Connection, numbers: range, answer: str = "sports", key: str = "first") -> None:
    rows = [
        NewLabel(f"{key} {nth}".encode(), None, f"text {nth}", "zh", "s", "topic", answer, "li", NOW)
        for nth in numbers
    ]
    human_labels.add(connection, rows)


def look(connection: Connection) -> Snapshot:
    found = take_snapshot(connection, OPTIONS, held_out_share=0.2, now=NOW)
    assert isinstance(found, Snapshot), found
    return found


def begin(connection: Connection, snapshot: Snapshot) -> int:
    run = training_runs.start(
        connection, champion="a", last_label_id=snapshot.parts.last_label_id, snapshot_hash=snapshot.hash
    )
    keep_gold(connection, snapshot)
    return run


def test_gold_is_gold_through_failed_and_judged_runs(engine: Engine) -> None:
    """A failed run has parted its labels for good; later labels, relabelled gold texts and answers to a random
    sample change what judges, never what was trained on."""
    with engine.begin() as connection:
        label(connection, range(50))
        first = look(connection)
        assert look(connection).hash == first.hash
        assert (len(first.new_gold), first.new_labels) == (10, 50)
        training_runs.finish(connection, begin(connection, first), reasons=["killed"])
        again = look(connection)
        assert (again.hash, again.new_gold) == (first.hash, [])
        run = begin(connection, again)
        training_runs.finish(connection, run, reasons=["passed"], candidate="b")
        trained = {row.text for row in [*again.parts.train, *again.parts.dev]}
        gold = {row.text for row in again.parts.held_out}
        changed = int(next(iter(gold)).removeprefix("text "))
        label(connection, range(changed, changed + 1), "health", key="second thought")
        gold_set.add(connection, [text_hash("text 60")], "random")
        label(connection, range(50, 100))
        later = look(connection)
        now_gold = {row.text: row.topic for row in later.parts.held_out}
        assert not trained & now_gold.keys()
        assert gold < now_gold.keys()
        assert now_gold[f"text {changed}"] == "health"
        assert "text 60" in now_gold
        assert (len(now_gold), len(later.new_gold)) == (20, 9)
        assert later.hash != first.hash


def test_the_replay_pool_leaves_gold_out(engine: Engine) -> None:
    """A stored document of the gold set is not learned by its own champion's answer either."""
    store_rows(engine, [row(f"forum:{nth}", nth, text=f"text {nth}") for nth in range(30)])
    with engine.begin() as connection:
        gold_set.add(connection, [text_hash(f"text {nth}") for nth in range(5)], "random")
        pool = {one.text for one in replay_pool(connection, 1000)}
    assert pool == {f"text {nth}" for nth in range(5, 30)}


def test_what_begins_a_run(engine: Engine) -> None:
    """Enough labels; drift with few; nothing once a verdict has seen them, whatever drift says."""
    triggers = TriggerOptions(timedelta(days=1), 40, 20)
    drifted = replace(triggers, drift=lambda connection, now: "the words have changed")
    with engine.begin() as connection:
        assert due(connection, drifted, NOW) is None
        label(connection, range(10))
        assert due(connection, triggers, NOW) is None
        assert due(connection, drifted, NOW) == Trigger("drift", "the words have changed")
        label(connection, range(10, 50))
        assert due(connection, drifted, NOW) == Trigger("labels", "50 new labels, 40 are enough")
        training_runs.finish(connection, begin(connection, look(connection)), reasons=["passed"], candidate="b")
        assert due(connection, drifted, NOW) is None


def test_an_answer_that_says_nothing_new_begins_nothing(engine: Engine, tmp_path: Path) -> None:
    """Somebody repeats answers that the last run has learned: no run, and they do not count as new again."""
    options = RetrainOptions(tmp_path, "starter", 0.2, 4, 0, "cpu", 512, 64, 1)
    with engine.begin() as connection:
        label(connection, range(20))
        training_runs.finish(connection, begin(connection, look(connection)), reasons=["passed"], candidate="b")
        label(connection, range(10), key="again")
    result = retrain(engine, options, min_new_labels=10, now=NOW)
    assert (result.run, result.reasons[0].split(":")[0]) == (None, "nothing is new")
    with engine.connect() as connection:
        assert due(connection, TriggerOptions(timedelta(days=1), 1, 1), NOW) is None
