"""The audit of the rows in small pieces: where it has come, what it has found, and the next piece.

History is walked backwards by event time and keys are walked by id, in rounds without an end; the newest rows and
whatever was found wrong are looked at in every piece. The state is a row in SQL, so that any scheduler goes on where
the last one was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from core.windows import MINUTE, floor_to
from storage.audit import key_pages, slices
from storage.row_audit import (
    EARLIEST,
    LATEST,
    CountDifference,
    RowFault,
    Slice,
    SliceReport,
    check_slice,
    snapshot,
    still_lost,
)
from storage.tables import audit_state

MOST_FINDINGS = 500  # kept of each kind; more would say nothing new
MOST_RECHECKED = 20  # minutes with findings that one piece looks at again


@dataclass
class AuditState:
    """How far the walks of this round have come, and what is known to be wrong.

    Attributes:
        reached: the rows from here on are done; None before a round's first slice, `EARLIEST` after its last.
        reached_key: the keys up to this id are done; None after the last.
        rows: documents checked in this round.
        completed_at: when the last round ended; every row that was stored before it began had been checked by then.
        completed_rows: documents checked in the last round.
    """

    reached: datetime | None = None
    reached_key: str | None = ""
    rows: int = 0
    completed_at: datetime | None = None
    completed_rows: int = 0
    differences: list[CountDifference] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


def load_state(connection: Connection, topic: str) -> AuditState:
    """Where the scheduled audit is; the start of a first round if it has never run."""
    found = connection.scalar(select(audit_state.c.state).where(audit_state.c.topic == topic))
    return msgspec.convert(found, AuditState) if found else AuditState()


def save_state(connection: Connection, topic: str, state: AuditState, now: datetime) -> None:
    """Keep it for the next piece, whoever runs that."""
    values = {"topic": topic, "state": msgspec.to_builtins(state), "updated_at": now}
    statement = insert(audit_state).values(values)
    newer = {"state": statement.excluded.state, "updated_at": statement.excluded.updated_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["topic"], set_=newer))


def run_piece(
    engine: Engine, state: AuditState, rows: int, timeout: timedelta, now: datetime, should_stop: Callable[[], bool]
) -> int:
    """Check the next piece and move `state`, which the caller saves.

    First the minutes and keys that were found wrong, so that a repair is seen at once; then the newest rows; then
    the next stretch of history and of keys.

    Args:
        rows: about how many documents and keys to read; a minute is never cut.
        timeout: for one statement.

    Returns:
        How many documents and keys were read.

    Raises:
        sqlalchemy.exc.OperationalError: a statement took longer than `timeout`, or the database is away.
    """
    quarter = max(1, rows // 4)
    stretch = max(1, (rows - quarter) // 2)
    read = _recheck(engine, state, quarter, timeout)
    if not should_stop():
        newest = next(slices(engine, quarter, timeout))
        _take(state, newest)
        read += newest.rows
    if state.reached != EARLIEST and not should_stop():
        report = next(slices(engine, stretch, timeout, state.reached or LATEST))
        _take(state, report)
        state.reached = report.span.begin
        state.rows += report.rows
        read += report.rows
    if state.reached_key is not None and not should_stop():
        page = next(key_pages(engine, stretch, timeout, state.reached_key))
        _take_faults(state, page.faults)
        state.reached_key = page.reached
        read += page.rows
    if state.reached == EARLIEST and state.reached_key is None:
        state.completed_at, state.completed_rows = now, state.rows
        state.reached, state.reached_key, state.rows = None, "", 0
    return read


def _recheck(engine: Engine, state: AuditState, rows: int, timeout: timedelta) -> int:
    """Look again at what was wrong; forget what is right by now."""
    read = 0
    for span in suspects(state):
        if read >= rows:
            break
        with snapshot(engine, timeout) as connection:
            report = check_slice(connection, span)
        _take(state, report)
        read += report.rows
    lost = [fault.id for fault in state.faults if fault.kind == LOST]
    if lost:
        with snapshot(engine, timeout) as connection:
            still = still_lost(connection, lost)
        state.faults = [fault for fault in state.faults if fault.kind != LOST] + still
    return read + len(lost)


def suspects(state: AuditState) -> list[Slice]:
    """The first minutes in which something was found wrong."""
    minutes = {floor_to(difference.bucket_at, MINUTE) for difference in state.differences}
    minutes |= {floor_to(fault.published_at, MINUTE) for fault in state.faults if fault.kind != LOST}
    return [Slice(minute, minute + MINUTE) for minute in sorted(minutes)[:MOST_RECHECKED]]


LOST = "key_without_document"  # found by the walk over keys; the others by the walk over event time


def _take(state: AuditState, report: SliceReport) -> None:
    """Put what a slice showed in the place of what was known of that span."""
    span = report.span
    elsewhere = [d for d in state.differences if not span.begin <= d.bucket_at < span.end]
    state.differences = [*elsewhere, *report.differences][:MOST_FINDINGS]
    state.faults = [f for f in state.faults if f.kind == LOST or not span.begin <= f.published_at < span.end]
    _take_faults(state, report.faults)


def _take_faults(state: AuditState, faults: Sequence[RowFault]) -> None:
    known = {(fault.kind, fault.id, fault.published_at): fault for fault in [*state.faults, *faults]}
    state.faults = list(known.values())[:MOST_FINDINGS]
