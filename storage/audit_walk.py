"""Every row once, the newest first, until the time is up: the audit that a person asks for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest

from psycopg.errors import QueryCanceled
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from storage.audit import key_pages, slices
from storage.row_audit import LATEST, KeysReport, RowFault, Slice, SliceReport, check_slice, snapshot

SLICE_ROWS = 50_000  # a second or so: so often the clock is looked at and the snapshot renewed


@dataclass
class Walk:
    """What was checked, and what was found.

    Attributes:
        reached: rows published from here on were checked; `row_audit.EARLIEST` when all were.
        keys: how many keys were checked.
        is_complete: every row and key was checked.
    """

    slices: list[SliceReport] = field(default_factory=list)
    lost_keys: list[RowFault] = field(default_factory=list)
    keys: int = 0
    reached: datetime = LATEST
    is_complete: bool = False

    @property
    def documents(self) -> int:
        return sum(report.rows for report in self.slices)

    @property
    def oldest(self) -> datetime | None:
        return min((report.oldest for report in self.slices if report.oldest), default=None)

    @property
    def newest(self) -> datetime | None:
        return max((report.newest for report in self.slices if report.newest), default=None)


def walk_rows(
    engine: Engine, suspects: Sequence[Slice], seconds: float | None, on_progress: Callable[[int], None]
) -> Walk:
    """Check suspects, then rows and keys in turns, each step in a snapshot of its own.

    Args:
        suspects: spans that were found wrong before; looked at first, whatever the time allows.
        seconds: stop after so long; a step that runs longer is cut off. None: go on to the end.
        on_progress: told how many more rows and keys are done.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    timeout = timedelta(seconds=seconds) if seconds else timedelta(0)  # zero is no limit
    walk = Walk()
    known = []
    try:
        for span in suspects:
            with snapshot(engine, timeout) as connection:
                known.append(check_slice(connection, span))
        steps = zip_longest(slices(engine, SLICE_ROWS, timeout), key_pages(engine, SLICE_ROWS, timeout))
        while deadline is None or time.monotonic() < deadline:
            found = next(steps, None)
            if found is None:
                walk.is_complete = True
                break
            on_progress(_take(walk, *found))
    except OperationalError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
    walk.slices += [report for report in known if report.span.begin < walk.reached]
    return walk


def _take(walk: Walk, rows: SliceReport | None, keys: KeysReport | None) -> int:
    read = 0
    if rows is not None:
        walk.slices.append(rows)
        walk.reached = rows.span.begin
        read += rows.rows
    if keys is not None:
        walk.lost_keys += keys.faults
        walk.keys += keys.rows
        read += keys.rows
    return read
