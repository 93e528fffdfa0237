"""The scheduler's audit job, wired: a bounded piece of the proof at each run, its result in metrics and in SQL."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, get_args

from sqlalchemy import Engine

from core.clock import Clock
from core.logs import get_logger
from core.metrics import (
    AUDIT_AHEAD,
    AUDIT_DIFFERENCES,
    AUDIT_EXPIRED,
    AUDIT_HOLES,
    AUDIT_LAST_ROUND,
    AUDIT_LAST_SUCCESS,
    AUDIT_LEDGER_LINES,
    AUDIT_PARTITION_FAULTS,
    AUDIT_ROW_FAULTS,
    AUDIT_ROWS,
    AUDIT_SECONDS,
    AUDIT_UNSETTLED,
)
from core.settings import Settings
from storage.audit import LedgerReport, LogStanding, check_ledger, without_passed
from storage.audit_rounds import AuditState, load_state, run_piece, save_state
from storage.ledger_compaction import compact
from storage.row_audit import FaultKind, partition_faults, snapshot
from streams import topics
from streams.offsets import OffsetReader, Standing

log = get_logger(__name__)

LEDGER_TIMEOUT: Final = timedelta(minutes=2)
ROWS_TIMEOUT: Final = timedelta(seconds=30)  # a piece takes a second or so; longer than this is not bounded any more
LEDGER_SHARE: Final = 0.02  # of the time, at most, goes into reading the ledger: a long one is read less often
COMPACT_EVERY: Final = timedelta(minutes=10)
COMPACT_SECONDS: Final = 5.0  # a ledger that was never merged takes several runs

ShouldStop = Callable[[], bool]


def check_offsets(engine: Engine, reader: OffsetReader, topic: str) -> LedgerReport:
    """What broker and ledger say of each other, asked in the order that makes a difference a fault.

    Raises:
        kafka.errors.KafkaError: the broker does not answer.
    """
    before = _standings(reader.standings())
    with snapshot(engine, LEDGER_TIMEOUT) as connection:
        report = check_ledger(connection, topic, before)
    return without_passed(report, _standings(reader.standings())) if report.ahead else report


def _standings(found: Mapping[int, Standing]) -> dict[int, LogStanding]:
    return {partition: LogStanding(one.start, one.end, one.committed) for partition, one in found.items()}


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What the job may cost, and how long ledger lines stay as they were written."""

    rows: int
    keep_lines: timedelta


class AuditJob:
    """Checks the ledger, then a piece of the rows, then merges old ledger lines."""

    def __init__(self, engine: Engine, reader: OffsetReader, topic: str, options: AuditOptions, clock: Clock) -> None:
        self._engine = engine
        self._reader = reader
        self._topic = topic
        self._options = options
        self._clock = clock
        self._ledger_due = 0.0
        self._compact_due: datetime | None = None

    def __call__(self, should_stop: ShouldStop) -> None:
        """Raises KafkaError or SQLAlchemyError when a server is away or a statement takes too long: the metrics
        stay as they are, except that the time of the last success falls behind."""
        with AUDIT_SECONDS.time():
            self._check_ledger()
            state = self._check_rows(should_stop)
            self._compact(should_stop)
        if not should_stop():
            AUDIT_LAST_SUCCESS.set(self._clock.now().timestamp())
        AUDIT_LAST_ROUND.set(state.completed_at.timestamp() if state.completed_at else 0)

    def close(self) -> None:
        """Let go of the broker."""
        self._reader.close()

    def _check_ledger(self) -> None:
        started = time.monotonic()
        if started < self._ledger_due:
            return
        report = check_offsets(self._engine, self._reader, self._topic)
        self._ledger_due = started + (time.monotonic() - started) / LEDGER_SHARE
        AUDIT_LEDGER_LINES.set(report.lines)
        AUDIT_HOLES.set(len(report.holes))
        AUDIT_EXPIRED.set(sum(hole.records for hole in report.expired))
        AUDIT_UNSETTLED.set(sum(hole.records for hole in report.unsettled))
        AUDIT_AHEAD.set(sum(hole.records for hole in report.ahead))
        if not report.is_clean:
            log.error("audit_offsets", first_hole=str(report.first_hole), holes=len(report.holes))

    def _check_rows(self, should_stop: ShouldStop) -> AuditState:
        with self._engine.connect() as connection:
            state = load_state(connection, self._topic)
            found = partition_faults(connection)
        read = run_piece(self._engine, state, self._options.rows, ROWS_TIMEOUT, self._clock.now(), should_stop)
        with self._engine.begin() as connection:
            save_state(connection, self._topic, state, self._clock.now())
        kinds = Counter(fault.kind for fault in state.faults)
        for kind in get_args(FaultKind):
            AUDIT_ROW_FAULTS.labels(kind).set(kinds[kind])
        AUDIT_DIFFERENCES.set(len(state.differences))
        AUDIT_PARTITION_FAULTS.set(len(found))
        AUDIT_ROWS.inc(read)
        for fault in [*found, *state.differences[:1], *state.faults[:1]]:
            log.error("audit_rows", first=str(fault), differences=len(state.differences), faults=len(state.faults))
        return state

    def _compact(self, should_stop: ShouldStop) -> None:
        now = self._clock.now()
        if self._compact_due and now < self._compact_due:
            return
        deadline = time.monotonic() + COMPACT_SECONDS
        while time.monotonic() < deadline and not should_stop():
            with self._engine.begin() as connection:
                if not compact(connection, now - self._options.keep_lines):
                    self._compact_due = now + COMPACT_EVERY
                    return


def audit_job(settings: Settings, engine: Engine, kafka_bootstrap: str, clock: Clock) -> AuditJob:
    """The audit job of these settings."""
    topic = settings.kafka.topic_prefix + topics.RAW
    reader = OffsetReader(kafka_bootstrap, settings.group, topic)
    return AuditJob(engine, reader, topic, AuditOptions(settings.audit.rows, settings.audit.keep_lines), clock)
