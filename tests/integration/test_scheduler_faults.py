"""Two real schedulers, one of them killed, stopped, frozen or cut off while it judges: as if nothing had been."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from kafka import KafkaConsumer
from sqlalchemy import Engine, select, text

from alerts.delivery.receivers import ReceiverOptions, receivers
from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import DEFAULT_RULES
from alerts.evaluate import EvaluateOptions
from core.windows import floor_to
from storage import detector_states
from storage.engine import connect
from storage.tables import detector_state, evidence, incident, incident_event, notification
from streams import topics
from tests.integration.test_alerts_evaluate import END, LATENESS, START, SURGE_AT, judge, story
from tests.support.inbox import Inbox, open_inbox
from tests.support.minutes import Minute, add
from tests.support.schedulers import SchedulerProcess
from tests.support.waiting import wait_for

SEED = 8
PATIENCE = 120  # on a machine where other tests run, too
DAY = timedelta(days=1)
ARRIVE_UNTIL = (*(SURGE_AT + timedelta(minutes=m) for m in (10, 25, 60)), END)
FAULTS = ("kill", "terminate", "freeze", "cut off")
WHEN_AND_WHICH = {"id", "incident_id", "number", "at", "created_at", "updated_at", "opened_at", "over_at"}
DELIVERY = {"status", "attempts", "next_attempt_at", "last_error", "delivered_at"}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as made:
        yield made


def pieces() -> list[list[Minute]]:
    """The story, of three days ago, in the pieces in which it arrives."""
    shift = floor_to(datetime.now(UTC), DAY) - 3 * DAY - START
    ends = [START, *ARRIVE_UNTIL]
    return [
        [Minute(m.at + shift, m.source, m.topic, m.negative, m.total) for m in story() if start <= m.at < end]
        for start, end in pairwise(ends)
    ]


def arrive(engine: Engine, piece: list[Minute]) -> None:
    with engine.begin() as connection:
        add(connection, piece)


def judged(engine: Engine) -> dict[str, datetime]:
    """How far each clock was judged."""
    with engine.connect() as connection:
        rows = connection.execute(select(detector_state.c.series, detector_state.c.cursor_at))
        return {row.series: row.cursor_at for row in rows if row.series.startswith("judged|")}


def is_judged(engine: Engine, goal: dict[str, datetime]) -> bool:
    return judged(engine) == goal


def written(engine: Engine) -> dict[str, list[Any]]:
    """All that detection has written, without ids and clock times; rows name their incident by its fingerprint."""
    with engine.connect() as connection:
        names = {row.id: f"{row.fingerprint} {row.detected_at}" for row in connection.execute(select(incident)).all()}
        found: dict[str, list[Any]] = {}
        for table in (incident, incident_event, evidence, notification, detector_state):
            in_order = connection.execute(select(table).order_by(*table.primary_key))
            rows = [_comparable(row._asdict(), names) for row in in_order if not is_of_another_job(row)]
            found[table.name] = rows if table is incident_event else sorted(rows, key=repr)
    found["incident_event"].sort(key=lambda row: str(row["of"]))  # of each incident, in the order of writing
    return found


def is_of_another_job(row: Any) -> bool:
    """Dead letters are judged by the time at which they were produced, which is now."""
    return getattr(row, "series", "").startswith("dead-letters|")


def _comparable(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    left_out = WHEN_AND_WHICH | (DELIVERY if "delivery_id" in row else set())
    kept = {name: _without_ids(value) for name, value in row.items() if name not in left_out}
    return kept | {"of": names.get(row.get("incident_id", row.get("id", 0)))}


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_ids(v) for k, v in value.items() if k not in ("incident_id", "generatorURL")}
    return [_without_ids(one) for one in value] if isinstance(value, list) else value


class Pair:
    """Two schedulers; one that has ended is started again, as a supervisor does."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._home, self._environment = home, environment
        self.both = [SchedulerProcess(home, environment) for _ in range(2)]

    def active(self) -> SchedulerProcess:
        return wait_for(lambda: [one for one in self.both if one.is_active()], PATIENCE, "one to be active")[0]

    def end(self, one: SchedulerProcess, number: signal.Signals) -> None:
        one.signal(number)
        one.process.wait(timeout=20)
        self.both[self.both.index(one)] = SchedulerProcess(self._home, self._environment)


@contextmanager
def pair(home: Path, environment: dict[str, str]) -> Iterator[Pair]:
    made = Pair(home, environment)
    try:
        yield made
    finally:
        for one in made.both:
            one.kill()


def wait_until_somebody_judges(engine: Engine) -> None:
    """Return in the middle of a judging transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key AND granted")
        deadline = time.monotonic() + PATIENCE
        while not connection.scalar(held, {"key": detector_states.DETECT_LOCK}):
            assert time.monotonic() < deadline, "nobody judges"


def strike(fault: str, schedulers: Pair, engine: Engine) -> Callable[[], None]:
    """Hit the active scheduler while it judges. Returns what undoes it later."""
    for one in schedulers.both:
        one.wait_until_ready()
    active = schedulers.active()
    wait_until_somebody_judges(engine)
    if fault == "kill":
        schedulers.end(active, signal.SIGKILL)
    elif fault == "terminate":
        schedulers.end(active, signal.SIGTERM)
    elif fault == "freeze":
        active.signal(signal.SIGSTOP)
        return lambda: active.signal(signal.SIGCONT)
    else:
        with engine.begin() as connection:
            connection.execute(text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name LIKE 'opinion-scheduler-%'"
            ))  # fmt: skip
    return lambda: None


def test_every_window_is_judged_exactly_once_whatever_happens_to_the_schedulers(
    engine: Engine,
    kafka_bootstrap: str,
    new_topic: Callable[..., str],
    topic_prefix: str,
    inbox: Inbox,
    tmp_path: Path,
) -> None:
    """Incidents, their history, learned state and outbox equal those of an undisturbed run; all is delivered."""
    new_topic(topics.RAW)
    alert_topic = new_topic(topics.ALERT)
    told = receivers(ReceiverOptions(kafka_bootstrap, alert_topic, [inbox.url]))
    options = EvaluateOptions(DEFAULT_RULES, ClockOptions(DetectorOptions(), LATENESS), told, "http://127.0.0.1:8080")
    progress = []
    for piece in pieces():
        arrive(engine, piece)
        judge(engine, options, now=datetime.now(UTC))
        progress.append(judged(engine))
    expected = written(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE opinion_minute, detector_state, incident CASCADE")
    environment = {
        "OPINION_DATABASE_URL": engine.url.render_as_string(hide_password=False).replace("+psycopg", ""),
        "OPINION_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OPINION_KAFKA__TOPIC_PREFIX": f"{topic_prefix}.",
        "OPINION_GROUP": topic_prefix,
        "OPINION_DETECT__EVERY": "PT0.5S",
        "OPINION_ALERTS__WEBHOOKS": f'["{inbox.url}"]',
        "OPINION_ALERTS__ALLOW_PRIVATE_ADDRESSES": "true",
    }
    random = Random(SEED)
    with pair(tmp_path, environment) as schedulers:
        for piece, fault, goal in zip(pieces(), random.sample(FAULTS, len(FAULTS)), progress, strict=True):
            arrive(engine, piece)
            undo = strike(fault, schedulers, engine)
            wait_for(partial(is_judged, engine, goal), PATIENCE, f"all to be judged after: {fault}")
            undo()
        wait_for(lambda: all_delivered(engine), PATIENCE, "the outbox to be empty")
        wait_for(lambda: sum(one.is_active() for one in schedulers.both) == 1, PATIENCE, "one scheduler to be active")
    assert written(engine) == expected
    ids = {row["delivery_id"]: row["channel"] for row in expected["notification"]}
    assert arrived(kafka_bootstrap, alert_topic) == {i for i, channel in ids.items() if channel == "kafka"}
    assert {head["x-opinion-delivery"] for head, _ in inbox.requests} == {
        i for i, channel in ids.items() if channel == "webhook"
    }


def all_delivered(engine: Engine) -> bool:
    with engine.connect() as connection:
        return set(connection.scalars(select(notification.c.status))) == {"delivered"}


def arrived(bootstrap: str, topic: str) -> set[str]:
    """The ids of all events on the topic."""
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=3000
    )
    try:
        return {dict(message.headers)["ce_id"].decode() for message in consumer}
    finally:
        consumer.close()
