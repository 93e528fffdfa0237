"""Checks on a live system: no offset skipped, counts equal to rows, every document whole.

The parts are `storage.offset_ledger.coverage` (offsets) and `storage.row_audit` (rows, a slice at a time); here they
become one report.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from storage.offset_ledger import Coverage, Hole, coverage, next_offsets
from storage.rollups import RolledUpDifference
from storage.row_audit import (
    EARLIEST,
    LATEST,
    CountDifference,
    KeysReport,
    RowFault,
    Slice,
    SliceReport,
    check_keys,
    check_slice,
    next_slice,
    partition_faults,
    snapshot,
)

EVERY_KEY = 2**62


@dataclass(frozen=True)
class LogStanding:
    """One partition as the broker tells it: where its log starts and ends, what the group has committed."""

    start: int
    end: int
    committed: int | None


@dataclass(frozen=True)
class LedgerReport:
    """What the ledger and the broker say of each other.

    Attributes:
        lines: how many the ledger has.
        holes: offsets that nobody settled though later ones were; the ledger's beginning counts, where the broker
            still has the records before it.
        unsettled: offsets that the group has committed and nobody settled.
        expired: offsets that left the log before anybody read them.
        ahead: offsets that the ledger has settled and the log does not have yet: the topic was made anew, or the
            broker has lost its newest records.
        unread: by partition, records that wait though neither the ledger nor the group knows the partition; no
            fault, for somebody may be about to begin.
    """

    lines: int = 0
    holes: list[Hole] = field(default_factory=list)
    unsettled: list[Hole] = field(default_factory=list)
    expired: list[Hole] = field(default_factory=list)
    ahead: list[Hole] = field(default_factory=list)
    unread: dict[int, int] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not (self.holes or self.unsettled or self.expired or self.ahead)

    @property
    def first_hole(self) -> Hole | None:
        """The first offsets that were skipped, for whatever reason."""
        return min([*self.holes, *self.unsettled, *self.expired], key=_place, default=None)


def _place(hole: Hole) -> tuple[str, int, int]:
    return hole.topic, hole.partition, hole.first_offset


@dataclass(frozen=True)
class AuditReport:
    """What an audit found; clean when nothing was.

    Attributes:
        documents: how many were checked.
        row_faults: documents, keys and histories that do not belong together.
        partition_faults: sentences about the partitions of `document`.
        roll_ups: hours and days whose counts are not the sum of their minutes.
        The others: see `LedgerReport`.
    """

    documents: int
    ledger_lines: int
    first_hole: Hole | None
    holes: list[Hole]
    unsettled: list[Hole]
    expired: list[Hole]
    ahead: list[Hole]
    unread: dict[int, int]
    differences: list[CountDifference]
    row_faults: list[RowFault]
    partition_faults: list[str]
    roll_ups: list[RolledUpDifference] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        faults = (self.holes, self.unsettled, self.expired, self.ahead)
        return not any((*faults, self.differences, self.row_faults, self.partition_faults, self.roll_ups))


def check_ledger(connection: Connection, topic: str, standings: Mapping[int, LogStanding]) -> LedgerReport:
    """Hold the ledger against itself and against the broker; reads every line once.

    Args:
        standings: by partition, asked from the broker before this snapshot began: the ledger is written before an
            offset is committed, so it can only be ahead. Hence `ahead` is a fault only if the broker, asked once
            more, still says so (`without_passed`).
    """
    covered = coverage(connection)
    known = {one.partition: one for one in covered if one.topic == topic}
    report = LedgerReport(lines=sum(one.lines for one in covered), holes=[h for one in covered for h in one.holes])
    for partition, log in sorted(standings.items()):
        _compare(report, topic, partition, log, known.get(partition))
    report.holes.sort(key=_place)
    return report


def _compare(report: LedgerReport, topic: str, partition: int, log: LogStanding, found: Coverage | None) -> None:
    """Note what one partition's log says that the ledger does not."""
    settled = found.last_offset + 1 if found else 0
    if found and log.start < found.first_offset:
        report.holes.append(Hole(topic, partition, log.start, found.first_offset - 1))
    if log.committed is not None and log.committed > settled:
        report.unsettled.append(Hole(topic, partition, settled, log.committed - 1))
    reached = max(settled, log.committed or 0)
    if (found or log.committed is not None) and log.start > reached:
        report.expired.append(Hole(topic, partition, reached, log.start - 1))
    if settled > log.end:
        report.ahead.append(Hole(topic, partition, log.end, settled - 1))
    if found is None and log.committed is None and log.end > log.start:
        report.unread[partition] = log.end - log.start


def without_passed(report: LedgerReport, standings: Mapping[int, LogStanding]) -> LedgerReport:
    """The report, `ahead` only where the log, asked after the ledger was read, has not come so far either."""
    ends = {partition: log.end for partition, log in standings.items()}
    ahead = [hole for hole in report.ahead if ends.get(hole.partition, hole.last_offset + 1) <= hole.last_offset]
    return replace(report, ahead=ahead)


def slices(engine: Engine, rows: int, timeout: timedelta, before: datetime = LATEST) -> Iterator[SliceReport]:
    """Check event time backwards, the newest first, in slices of about `rows` rows, each a snapshot of its own."""
    while before > EARLIEST:
        with snapshot(engine, timeout) as connection:
            report = check_slice(connection, next_slice(connection, before, rows))
        yield report
        before = report.span.begin


def key_pages(engine: Engine, rows: int, timeout: timedelta, after: str = "") -> Iterator[KeysReport]:
    """Check keys in the order of their ids, `rows` at a time, each page a snapshot of its own."""
    reached: str | None = after
    while reached is not None:
        with snapshot(engine, timeout) as connection:
            report = check_keys(connection, reached, rows)
        yield report
        reached = report.reached


def audit(connection: Connection, topic: str, committed: Mapping[int, int]) -> AuditReport:
    """Audit everything that is stored, in one snapshot: reads every row, so its cost is not bounded.

    Args:
        connection: outside a transaction.
        topic: the raw topic.
        committed: by partition, the offset the consumer group has committed, read before calling.
    """
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    settled = next_offsets(connection, topic)
    unsettled = [
        Hole(topic, partition, reached, offset - 1)
        for partition, offset in sorted(committed.items())
        if offset > (reached := settled[partition][0] if partition in settled else 0)
    ]
    ledger = replace(check_ledger(connection, topic, {}), unsettled=unsettled)
    rows = check_slice(connection, Slice(EARLIEST, LATEST))
    keys = check_keys(connection, "", EVERY_KEY)
    return report_of(ledger, [rows], keys.faults, partition_faults(connection))


def report_of(
    ledger: LedgerReport, rows: Sequence[SliceReport], lost_keys: Sequence[RowFault], partitions: Sequence[str]
) -> AuditReport:
    """One report out of its parts."""
    return AuditReport(
        documents=sum(report.rows for report in rows),
        ledger_lines=ledger.lines,
        first_hole=ledger.first_hole,
        holes=ledger.holes,
        unsettled=ledger.unsettled,
        expired=ledger.expired,
        ahead=ledger.ahead,
        unread=ledger.unread,
        differences=sorted((d for report in rows for d in report.differences), key=lambda d: d.bucket_at),
        row_faults=[*(fault for report in rows for fault in report.faults), *lost_keys],
        partition_faults=list(partitions),
    )
