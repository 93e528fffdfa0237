"""What a crash, a frozen scheduler or late data may do to detection: nothing that can be seen afterwards."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import Engine, func, select

from alerts.evaluate import RunCutOff, evaluate
from storage import bucket_counts
from storage.engine import connect
from storage.tables import detector_state, incident, incident_event, notification
from tests.integration.test_alerts_evaluate import NOW, OPTIONS, SURGE_AT, found, judge, load, story
from tests.support.minutes import Minute


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def history(engine: Engine) -> list[object]:
    """Everything that a run writes, down to the clock time of the writing."""
    with engine.connect() as connection:
        return [
            connection.execute(select(table)).all()
            for table in (detector_state, incident, incident_event, notification)
        ]


def test_a_scheduler_that_was_frozen_changes_nothing_with_what_it_saw_before(engine: Engine) -> None:
    """A watermark older than what was judged meanwhile takes no incident back to where it stood then."""
    minutes = story()
    during = SURGE_AT + timedelta(minutes=30)
    load(engine, [m for m in minutes if m.at < during])
    judge(engine)
    with engine.connect() as connection:
        seen_by_the_frozen = bucket_counts.newest_minutes(connection, not_after=NOW)
    load(engine, [m for m in minutes if during <= m.at < during + timedelta(minutes=40)])  # still judged again
    judge(engine)
    before = history(engine)
    with engine.begin() as connection:
        assert not evaluate(connection, seen_by_the_frozen, OPTIONS, now=NOW).transitions
    assert history(engine) == before


def test_a_run_that_is_told_to_stop_half_way_leaves_nothing_behind(engine: Engine) -> None:
    """Incidents of one surge are told together, though the run that found them first was stopped between clocks."""
    load(engine, story())
    asked = iter([False, False, True])
    with engine.begin() as connection:
        newest = bucket_counts.newest_minutes(connection, not_after=NOW)
    with pytest.raises(RunCutOff), engine.begin() as connection:
        evaluate(connection, newest, OPTIONS, now=NOW, should_stop=lambda: next(asked))
    with engine.connect() as connection:
        assert not connection.scalar(select(func.count()).select_from(detector_state))
        assert not connection.scalar(select(func.count()).select_from(incident))


@pytest.mark.parametrize("seed", [1, 9])
def test_late_data_in_any_schedule_end_in_the_same_incidents(engine: Engine, seed: int) -> None:
    """A third of the documents come up to 50 minutes late: judged as they come or at the end, all is the same."""
    random = Random(seed)
    documents = _single(story())
    lateness = [timedelta(minutes=random.random() * (50 if random.random() < 0.3 else 1.5)) for _ in documents]
    arrivals = [d for _, d in sorted(zip(lateness, documents, strict=True), key=lambda one: one[1].at + one[0])]
    load(engine, arrivals)
    judge(engine)
    expected = found(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE opinion_minute, detector_state, incident CASCADE")
    calm = next(i for i, d in enumerate(arrivals) if d.at >= SURGE_AT - timedelta(hours=1))
    load(engine, arrivals[:calm])
    judge(engine)
    while calm < len(arrivals):
        some = random.choice([1, 5, 20, 60])
        load(engine, arrivals[calm : calm + some])
        judge(engine)
        calm += some
    assert found(engine) == expected
    assert expected


def _single(minutes: Sequence[Minute]) -> list[Minute]:
    """One entry per document."""
    return [Minute(m.at, m.source, m.topic, int(nth < m.negative), 1) for m in minutes for nth in range(m.total)]
