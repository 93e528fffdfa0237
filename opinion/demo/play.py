"""Plays the scenario through the real system: embedded servers, a worker, the scheduler, a webhook receiver."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import Connection, Engine, select

from core.addresses import is_loopback
from core.errors import DependencyNotReadyError, OpinionError
from core.settings import Settings
from opinion.demo.receiver import Receiver
from opinion.demo.scenario import SPAN, Record, documents, launch_begins_at
from opinion.stack import Stack, running_stack
from opinion.supervisor import TICK_SECONDS
from storage import queries, series
from storage.engine import connect
from storage.queries import Fates, IncidentFile
from storage.series import Buckets, Line, Span
from storage.tables import document, notification
from streams import topics

DEADLINE_SECONDS = 240.0  # some 30 on an idle machine
AFTERMATH_SECONDS = 8.0  # the scheduler trusts what it sees only seconds later; so long nothing may follow
COLUMN = timedelta(minutes=30)  # of the chart

OnStage = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What the demo has to tell.

    Attributes:
        incidents: everything known about each, the most important first.
        bodies: what the webhook received.
    """

    sent: int
    fates: Fates
    incidents: list[IncidentFile]
    bodies: list[dict[str, Any]]
    model_version: str
    buckets: Buckets
    line: Line
    launch_at: datetime
    seconds: float


def fresh_home(settings: Settings) -> Path:
    """An empty home for the demo's servers, below the real one.

    Raises:
        DependencyNotReadyError: another demo is using it.
    """
    home = settings.home.resolve() / "demo"
    if running_stack(home):
        raise DependencyNotReadyError(
            "another `opinion demo` is running", remedy="end it with Ctrl-C, then try again"
        )
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home


def environment(settings: Settings, home: Path, webhook: str) -> dict[str, str]:
    """Settings of the demo's own processes: servers of its own, nobody alerted but our receiver."""
    return {
        "OPINION_HOME": str(home),
        "OPINION_JARS": str((settings.jars or settings.home / "jars").resolve()),
        "OPINION_KAFKA_BOOTSTRAP": "",
        "OPINION_DATABASE_URL": "",
        "OPINION_KAFKA__PARTITIONS": "4",
        # Invented data, gone with the next demo: on this machine alone a login would only be in the way.
        "OPINION_WEB__ACCESS": "open" if is_loopback(settings.web.host) else settings.web.access,
        "OPINION_DETECT__EVERY": "PT1S",
        "OPINION_ALERTS__WEBHOOKS": json.dumps([webhook]),
        "OPINION_ALERTS__APPRISE": "[]",
        "OPINION_ALERTS__ALLOW_PRIVATE_ADDRESSES": "true",
    }


def play(
    settings: Settings, stack: Stack, receiver: Receiver, *, seed: int, started: float, on_stage: OnStage
) -> Outcome:
    """Replay the scenario on a started stack and wait until its alert has been delivered.

    Args:
        started: the monotonic clock when the demo began, servers included.

    Raises:
        OpinionError: the alert did not come in time; the message says how far things got.
    """
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    records = documents(seed, end)
    _send(stack.addresses.kafka_bootstrap, settings.kafka.topic_prefix + topics.RAW, records)
    engine = connect(stack.addresses.database_url)
    try:
        _wait(stack, engine, receiver, len(records), on_stage)
        with engine.connect() as connection:
            return _outcome(connection, settings, receiver, records, end, time.monotonic() - started)
    finally:
        engine.dispose()


def _send(bootstrap: str, topic: str, records: Sequence[Record]) -> None:
    """As fast as the broker takes them; a crawler would take a day."""
    try:
        producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=20)
        sent = [producer.send(topic, key=record.key, value=record.value) for record in records]
        producer.flush()
        for future in sent:
            future.get(timeout=30)
        producer.close()
    except KafkaError as error:
        raise DependencyNotReadyError(f"Kafka did not take the demo's records: {error}") from error


@dataclass(frozen=True)
class _Standing:
    """How far things have got."""

    settled: int
    incidents: int
    deliveries: int
    is_told: bool


def _wait(stack: Stack, engine: Engine, receiver: Receiver, sent: int, on_stage: OnStage) -> None:
    """Until every record has its fate and the alert of the scandal has reached every receiver."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    settled_at: float | None = None
    while time.monotonic() < deadline:
        stack.tick()
        time.sleep(TICK_SECONDS)
        standing = _look(engine, receiver)
        if standing.settled >= sent and settled_at is None:
            settled_at = time.monotonic()
        if settled_at and standing.is_told and time.monotonic() - settled_at > AFTERMATH_SECONDS:
            return
        on_stage(_stage(standing, sent))
    reasons = [f"{name}: {reason}" for name, reason in stack.not_ready().items()]
    counts = (
        f"{standing.settled} of {sent} records settled, {standing.incidents} incidents, "
        f"{standing.deliveries} deliveries"
    )
    raise OpinionError(
        "; ".join([f"the demo's alert did not arrive within {DEADLINE_SECONDS:.0f} s", counts, *reasons]),
        remedy=f"the logs are in {stack.logs}; on a busy machine, try again",
    )


def _look(engine: Engine, receiver: Receiver) -> _Standing:
    with engine.connect() as connection:
        firing, deliveries = queries.firing_count(connection), len(receiver.bodies)
        is_told = firing > 0 and deliveries > 0 and not _has_pending(connection)
        return _Standing(queries.fates(connection).records, firing, deliveries, is_told)


def _stage(standing: _Standing, sent: int) -> str:
    """One line for the person who waits."""
    if not standing.settled:
        return "loading the classifier"
    if standing.settled < sent:
        return f"{standing.settled} of {sent} records classified and stored"
    return "the alert is out; waiting for what else follows" if standing.is_told else "looking for a surge"


def _has_pending(connection: Connection) -> bool:
    pending = select(notification.c.delivery_id).where(notification.c.status == "pending").limit(1)
    return connection.scalar(pending) is not None


def _outcome(
    connection: Connection,
    settings: Settings,
    receiver: Receiver,
    records: Sequence[Record],
    end: datetime,
    seconds: float,
) -> Outcome:
    buckets = series.buckets_of(Span(end - SPAN, end), COLUMN, settings.zone)
    (line,) = series.lines(connection, buckets, settings.zone)
    files = [queries.incident_file(connection, incident.id) for incident in queries.incidents(connection)]
    rank = {"critical": 2, "warning": 1}
    known = sorted(
        (file for file in files if file),
        key=lambda file: (rank.get(file.incident.severity, 0), file.incident.score),
        reverse=True,
    )
    version = connection.scalar(select(document.c.model_version).order_by(document.c.stored_at.desc()).limit(1))
    return Outcome(
        sent=len(records),
        fates=queries.fates(connection),
        incidents=known,
        bodies=receiver.bodies,
        model_version=str(version),
        buckets=buckets,
        line=line,
        launch_at=launch_begins_at(end),
        seconds=seconds,
    )
