"""How much was said, and how much of it was negative, over event time. Reads the minute counts, never `document`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nlargest
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Column, ColumnElement, Connection, Interval, Table, and_, cast, func, literal, select, tuple_

from storage.tables import opinion_minute, watchlist_minute

Group = Literal["topic", "source", "language", "watchlist"]

COLUMNS: dict[Group, Column[Any]] = {
    "topic": opinion_minute.c.topic_label,
    "source": opinion_minute.c.source,
    "language": opinion_minute.c.lang,
}
"""Of the dimensions that every document has; a watchlist is mentioned by some."""

STEPS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=7),
    timedelta(days=30),
)
MOST_POINTS = 300  # about as many as a chart has room for
FEWEST_POINTS = 24  # fewer would hide a surge, even when buckets hold little
DOCUMENTS_A_POINT = 20  # below this a share is mostly chance


@dataclass(frozen=True, slots=True)
class Span:
    """Event time from `start` up to, not including, `end`."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Filters:
    """What to count; None leaves a dimension open. With a watchlist: its mentions, by the sentiment toward it."""

    topic: str | None = None
    source: str | None = None
    language: str | None = None
    watchlist: str | None = None

    def given(self) -> list[tuple[Group, str]]:
        """The dimensions of documents that are not open; the watchlist is none of them."""
        return [(group, value) for group in COLUMNS if (value := getattr(self, group)) is not None]


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents by sentiment."""

    total: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0

    @property
    def negative_share(self) -> float | None:
        """None where there is nothing to share."""
        return self.negative / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """One topic, source, language or watchlist in a span, and in the span of equal length before it."""

    key: str
    counts: Counts
    before: Counts


@dataclass(frozen=True, slots=True)
class Line:
    """Counts bucket by bucket; `key` is None for everything together."""

    key: str | None
    total: list[int]
    negative: list[int]
    neutral: list[int]
    positive: list[int]


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where the buckets of a chart begin; all are `step` long."""

    step: timedelta
    starts: list[datetime]

    @property
    def span(self) -> Span:
        return Span(self.starts[0], self.starts[-1] + self.step)


def choose_step(length: timedelta, documents: int) -> timedelta:
    """The finest step that gives at most `MOST_POINTS`, coarsened while buckets hold too few documents on average."""
    fitting = [step for step in STEPS if length / step <= MOST_POINTS] or [STEPS[-1]]
    step = fitting[0]
    for coarser in fitting[1:]:
        if documents * (step / length) >= DOCUMENTS_A_POINT or length / coarser < FEWEST_POINTS:
            break
        step = coarser
    return step


def buckets_of(span: Span, step: timedelta, zone: ZoneInfo) -> Buckets:
    """The buckets that cover a span.

    They are counted from a local midnight, a Monday, so that a day begins at midnight; in a zone with summer
    time, one hour beside it for half of the year.
    """
    origin = _origin(zone)
    first = origin + (span.start - origin) // step * step
    count = max(1, -((first - span.end) // step))
    return Buckets(step, [first + step * nth for nth in range(count)])


def total(connection: Connection, span: Span, filters: Filters = EVERYTHING) -> Counts:
    """Documents published in the span."""
    counted = _table(filters)
    row = connection.execute(select(*_sums(counted)).where(_within(counted, span, filters))).one()
    return Counts(*map(int, row))


def lines(
    connection: Connection,
    buckets: Buckets,
    zone: ZoneInfo,
    *,
    filters: Filters = EVERYTHING,
    by: Group | None = None,
    keys: Sequence[str] = (),
) -> list[Line]:
    """Counts per bucket: one line for everything, or, with `by`, one for each of `keys`, in their order."""
    counted = _table(filters, by)
    start = func.date_bin(cast(literal(buckets.step), Interval), counted.c.bucket_at, literal(_origin(zone))).label(
        "start"
    )
    key: ColumnElement[Any] = _column(counted, by) if by else literal(None)
    wanted = _within(counted, buckets.span, filters)
    if by:
        wanted = and_(wanted, key.in_(keys))
    position = {at: nth for nth, at in enumerate(buckets.starts)}
    made = {name: Line(name, *([0] * len(position) for _ in range(4))) for name in (keys if by else [None])}
    grouped = (start, key) if by else (start,)
    for at, name, *counts in connection.execute(select(start, key, *_sums(counted)).where(wanted).group_by(*grouped)):
        line = made[name]
        nth = position[at]
        line.total[nth], line.negative[nth], line.neutral[nth], line.positive[nth] = counts
    return list(made.values())


def breakdown(
    connection: Connection, span: Span, by: Group, filters: Filters = EVERYTHING, *, limit: int = 20
) -> list[GroupCounts]:
    """The largest groups of a span, largest first."""
    before = Span(span.start - span.length, span.start)
    counted = _table(filters, by)
    key = _column(counted, by)
    is_now = counted.c.bucket_at >= span.start
    now, then = _sums(counted, is_now), _sums(counted, ~is_now)
    rows = connection.execute(
        select(key, *now, *then)
        .where(_within(counted, Span(before.start, span.end), filters))
        .group_by(key)
        .having(now[0] > 0)
        .order_by(now[0].desc(), key)
        .limit(limit)
    )
    return [GroupCounts(key, Counts(*counts[:4]), Counts(*counts[4:])) for key, *counts in rows]


def choices(connection: Connection, span: Span, *, limit: int = 200) -> dict[Group, list[str]]:
    """The values that each filter can take in the span: the `limit` largest, by name. One scan for all of them."""
    columns = list(COLUMNS.values())
    sets = func.grouping_sets(*(tuple_(column) for column in columns))
    documents = func.sum(opinion_minute.c.total)
    found: dict[Group, list[tuple[int, str]]] = {group: [] for group in COLUMNS}
    wanted = (
        select(documents, *columns)
        .where(_within(opinion_minute, span, EVERYTHING))
        .group_by(sets)
        .having(documents > 0)
    )
    for count, *values in connection.execute(wanted):
        group, value = next((g, v) for g, v in zip(COLUMNS, values, strict=True) if v is not None)
        found[group].append((count, value))
    return {group: sorted(value for _, value in nlargest(limit, pairs)) for group, pairs in found.items()}


def _origin(zone: ZoneInfo) -> datetime:
    return datetime(2001, 1, 1, tzinfo=zone)


def _table(filters: Filters, by: Group | None = None) -> Table:
    return watchlist_minute if by == "watchlist" or filters.watchlist is not None else opinion_minute


def _column(counted: Table, group: Group) -> Column[Any]:
    return counted.c["watchlist" if group == "watchlist" else COLUMNS[group].name]


def _within(counted: Table, span: Span, filters: Filters) -> ColumnElement[bool]:
    at = counted.c.bucket_at
    wanted = [_column(counted, group) == value for group, value in filters.given()]
    if filters.watchlist is not None:
        wanted.append(_column(counted, "watchlist") == filters.watchlist)
    return and_(at >= span.start, at < span.end, *wanted)


def _sums(counted: Table, where: ColumnElement[bool] | None = None) -> list[ColumnElement[int]]:
    """total, negative, neutral, positive, in the order of `Counts`."""
    counts = counted.c
    sums = [func.sum(column) for column in (counts.total, counts.negative, counts.neutral, counts.positive)]
    return [func.coalesce(one if where is None else one.filter(where), 0) for one in sums]
