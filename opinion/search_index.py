"""The scheduler's search job: indexes the documents that have settled, month by month, beside the running system."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from core.clock import Clock
from core.logs import get_logger
from core.metrics import SEARCH_BUILD_SECONDS, SEARCH_INDEXES, SEARCH_LAST_BUILD, SEARCH_WAITING
from core.settings import Settings
from core.windows import MINUTE, floor_to
from storage import search_slices
from storage.search_slices import Month, Slice
from storage.series import Span

log = get_logger(__name__)

BUILDER_LOCK: Final = 0x6F70_7365  # "opse"; one builder at a time, also when two schedulers think they are active
CLOSED_AFTER: Final = timedelta(hours=1)  # the end of its month: a closed month is indexed to its last document
STILL_GROWING: Final = 0.01  # a closed month that grew by more since the last look is being imported
SHARE: Final = 64  # building reads the whole month, so a new slice is at least so small a part of it
MEMORY: Final = "256MB"

ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to build next in a month, if anything, and how many of its documents no index has."""

    span: Span | None
    documents: int
    waiting: int


class SearchIndexJob:
    """Looks at every month, drops what is obsolete, and builds until nothing is left to build."""

    def __init__(self, engine: Engine, *, size: int, settle: timedelta, clock: Clock) -> None:
        """Args:
        size: so many documents make a new slice of an open month.
        settle: a minute of an open month is indexed so long after its end.
        """
        self._engine = engine
        self._size = size
        self._settle = settle
        self._clock = clock
        self._waited: dict[str, int] = {}

    def __call__(self, should_stop: ShouldStop) -> None:
        """Raises SQLAlchemyError when the database is away; what was half built is dropped by the next run."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": BUILDER_LOCK}):
                return
            try:
                connection.execute(text(f"SET maintenance_work_mem = '{MEMORY}'"))
                self._run(connection, should_stop)
            finally:
                _release(connection)

    def _run(self, connection: Connection, should_stop: ShouldStop) -> None:
        waited: dict[str, int] = {}
        while not should_stop():
            slices = search_slices.read_slices(connection)
            for one in search_slices.obsolete(slices):
                search_slices.drop(connection, one.name)
                log.info("search_index_dropped", index=one.name, was_valid=one.is_valid)
            slices = [one for one in slices if one not in search_slices.obsolete(slices)]
            SEARCH_INDEXES.set(len(slices))
            months = search_slices.read_months(connection)
            plans = {month: self._plan(connection, month, slices) for month in months}
            SEARCH_WAITING.set(sum(plan.waiting for plan in plans.values()))
            for month, plan in plans.items():
                waited.setdefault(month.partition, plan.waiting)
            wanted = next(((month, plan) for month, plan in reversed(plans.items()) if plan.span), None)
            if wanted is None:
                break
            self._build(connection, *wanted)
        self._waited |= waited

    def _plan(self, connection: Connection, month: Month, slices: list[Slice]) -> _Plan:
        own = sorted((one for one in slices if one.partition == month.partition), key=lambda one: one.span.start)
        frontier = own[-1].span.end if own else month.span.start
        now = self._clock.now()
        is_closed = month.span.end + CLOSED_AFTER <= now
        end = month.span.end if is_closed else min(floor_to(now - self._settle, MINUTE), month.span.end)
        waiting = search_slices.waiting_documents(connection, Span(frontier, end)) if frontier < end else []
        documents = sum(count for _, count in waiting)
        size = max(self._size, sum(one.documents for one in own) // SHARE)
        if documents and self._is_due(month, documents, size, is_closed=is_closed):
            span, inside = search_slices.next_stretch(waiting, frontier, end)
            return _Plan(span, inside, documents)
        is_complete = is_closed and not documents
        merged = search_slices.next_merge(own, size, is_complete=is_complete)
        inside = sum(one.documents for one in own if merged and merged.start <= one.span.start < merged.end)
        return _Plan(merged, inside, documents)

    def _is_due(self, month: Month, documents: int, size: int, *, is_closed: bool) -> bool:
        if not is_closed:
            return documents >= size
        before = self._waited.get(month.partition)
        return before is not None and documents <= before * (1 + STILL_GROWING)

    def _build(self, connection: Connection, month: Month, plan: _Plan) -> None:
        assert plan.span is not None  # noqa: S101  # the caller has just looked
        started = time.monotonic()
        name = search_slices.build(connection, month.partition, plan.span, plan.documents)
        seconds = time.monotonic() - started
        SEARCH_BUILD_SECONDS.observe(seconds)
        SEARCH_LAST_BUILD.set(self._clock.now().timestamp())
        log.info("search_index_built", index=name, documents=plan.documents, seconds=round(seconds, 2))


def _release(connection: Connection) -> None:
    """Give the session back as it was, or end it when it cannot be asked any more."""
    try:
        connection.execute(text("RESET maintenance_work_mem"))
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": BUILDER_LOCK})
    except SQLAlchemyError:
        connection.invalidate()


def search_index_job(settings: Settings, engine: Engine, clock: Clock) -> SearchIndexJob:
    """The search job of these settings."""
    return SearchIndexJob(engine, size=settings.search.slice_documents, settle=settings.search.settle, clock=clock)
