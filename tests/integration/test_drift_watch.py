"""Slow drifts over real counts, day by local day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, text

from alerts.detection.rules import DEFAULT_RULES
from alerts.telling import Receiver, tell
from alerts.watches.drift_watch import DriftWatch
from storage import incidents, model_switches
from storage.engine import connect
from storage.model_switches import OverlapRow, SwitchRow

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 1, 1, tzinfo=SHANGHAI)
DAYS = 60
RISE, FALL = 40, 47
WATCH = DriftWatch(DEFAULT_RULES, SHANGHAI)
SENT = text("SELECT channel FROM notification")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def load(engine: Engine, *, model_from: int = DAYS) -> None:
    """Two topics of 480 documents a day; cars go from 20 % to 28 % for a week. From some day on another model."""
    rows = []
    for day in range(DAYS):
        for hour in range(24):
            for topic in ("cars", "sports"):
                is_risen = topic == "cars" and RISE <= day < FALL
                rows.append(
                    {
                        "at": (START + timedelta(days=day, hours=hour)).astimezone(UTC),
                        "topic": topic,
                        "model": "new" if day >= model_from else "old",
                        "negative": (28 if is_risen else 20) * (2 if day >= model_from else 1) // 5,
                    }
                )
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO opinion_minute
                    (bucket_at, source, kind, lang, topic_label, model_version, total, negative)
                VALUES (:at, 'weibo', 'post', 'zh', :topic, :model, 20, :negative)
            """),
            rows,
        )


def run(engine: Engine, settled: datetime) -> int:
    with engine.begin() as connection:
        return len(WATCH.run(connection, settled))


def drifts(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = [row for row in incidents.newest(connection) if row.labels["alertname"] == "SlowDrift"]
    return sorted(
        (row.labels.get("topic"), row.rule, row.status, row.severity, row.detected_at, row.ends_at, row.last_fired_at,
         round(row.score, 3)) for row in rows
    )  # fmt: skip


def test_a_rise_opens_one_incident_that_ends_with_it(engine: Engine) -> None:
    """Found within the week at a local midnight, kept up day by day, over when the week is usual again."""
    load(engine)
    run(engine, START + timedelta(days=DAYS))
    found = drifts(engine)
    [(topic, rule, status, severity, detected_at, ends_at, _, _)] = [one for one in found if one[0]]
    assert (topic, rule, status, severity) == ("cars", "by-topic", "resolved", "info")
    assert START + timedelta(days=RISE) < detected_at <= START + timedelta(days=FALL)
    assert detected_at.astimezone(SHANGHAI).hour == 0
    assert ends_at is not None
    assert ends_at <= START + timedelta(days=FALL + 7)


def test_each_day_is_judged_once_and_missed_days_are_made_up_for(engine: Engine) -> None:
    """Asked every few hours, or once at the end: the same incidents."""
    load(engine)
    at = START + timedelta(days=30)
    while at <= START + timedelta(days=DAYS):
        run(engine, at)
        assert run(engine, at) == 0
        at += timedelta(hours=7)
    run(engine, START + timedelta(days=DAYS))
    step_by_step = drifts(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE detector_state, incident CASCADE")
    run(engine, START + timedelta(days=DAYS))
    assert drifts(engine) == step_by_step
    assert step_by_step


def test_another_model_is_no_drift(engine: Engine) -> None:
    """It calls twice as many negative, which is known, so nothing has drifted."""
    load(engine, model_from=50)
    with engine.begin() as connection:
        switch = SwitchRow("all", START + timedelta(days=50), "old", "new", 2.0, "overlap")
        model_switches.note_switches(connection, [switch])
    run(engine, START + timedelta(days=DAYS))
    assert all(one[4] < START + timedelta(days=50) for one in drifts(engine))


def test_people_are_not_told_of_it_by_itself(engine: Engine) -> None:
    """It waits for the digest; the alert topic gets it."""
    load(engine)
    hook, kafka = Receiver("webhook", "hook"), Receiver("kafka", "opinion.alert.v1")
    with engine.begin() as connection:
        changes = WATCH.run(connection, START + timedelta(days=FALL))
        tell(connection, changes, [hook, kafka], console_url="http://console", actor="test", now=datetime.now(UTC))
        assert changes
        assert set(connection.scalars(SENT)) == {"kafka"}


@pytest.mark.parametrize("is_measured", [True, False])
def test_a_week_that_another_model_judged_again_is_no_drift(engine: Engine, is_measured: bool) -> None:
    """A model that never took over, but finds twice as many negatives in what it judged again, is known by the texts
    that both judged; unmeasured, its week would look like a rise of everything."""
    load(engine)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE opinion_minute SET model_version = 'new', negative = negative * 2 WHERE bucket_at >= :at"),
            {"at": START + timedelta(days=DAYS - 7)},
        )
        if is_measured:
            model_switches.save_overlap(connection, "old", "new", [OverlapRow("", "", 1000, 200, 400)])
    run(engine, START + timedelta(days=DAYS))
    with engine.connect() as connection:
        found = {row.rule for row in incidents.newest(connection) if row.status == "firing"}
    assert found == (set() if is_measured else {"overall", "by-topic", "by-source"})
