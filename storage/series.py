"""How much was said, and how much of it was negative, over event time. Reads the counts, never `document`.

Where a watchlist is named, or the groups are watchlists, what is counted is documents that mention one, by the
sentiment toward it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Interval, Subquery, Table, cast, func, literal, select

from storage.count_sources import COUNTS, HOUR, counted, minutes_of

Group = Literal["topic", "source", "language", "watchlist"]

COLUMNS: dict[Group, str] = {
    "topic": "topic_label",
    "source": "source",
    "language": "lang",
    "watchlist": "watchlist",
}
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
    """What to count; None leaves a dimension open."""

    topic: str | None = None
    source: str | None = None
    language: str | None = None
    watchlist: str | None = None

    def given(self) -> list[tuple[Group, str]]:
        """The dimensions that are not open."""
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
    """One topic, source or language in a span, and in the span of equal length before it."""

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


def counted_in(filters: Filters) -> Table:
    """The minute counts that know all that the filters ask for."""
    return minutes_of(list(_where(filters)))


def total(connection: Connection, span: Span, filters: Filters = EVERYTHING) -> Counts:
    """Documents published in the span."""
    source = counted([(span.start, span.end)], _where(filters))
    row = connection.execute(select(*_sums(source))).one()
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
    span = buckets.span
    is_hourly = not buckets.step % HOUR and not span.start.timestamp() % HOUR.total_seconds()
    grouped_by = [COLUMNS[by]] if by else []
    source = counted([(span.start, span.end)], _where(filters), grouped_by, unit="hour" if is_hourly else "minute")
    start = func.date_bin(cast(literal(buckets.step), Interval), source.c.bucket_at, literal(_origin(zone))).label(
        "start"
    )
    key: ColumnElement[Any] = source.c[COLUMNS[by]] if by else literal(None)
    wanted = select(start, key, *_sums(source)).group_by(*((start, key) if by else (start,)))
    if by:
        wanted = wanted.where(key.in_(keys))
    position = {at: nth for nth, at in enumerate(buckets.starts)}
    made = {name: Line(name, *([0] * len(position) for _ in range(4))) for name in (keys if by else [None])}
    for at, name, *counts in connection.execute(wanted):
        line = made[name]
        nth = position[at]
        line.total[nth], line.negative[nth], line.neutral[nth], line.positive[nth] = counts
    return list(made.values())


def breakdown(
    connection: Connection, span: Span, by: Group, filters: Filters = EVERYTHING, *, limit: int = 20
) -> list[GroupCounts]:
    """The largest groups of a span, largest first."""
    spans = [(span.start - span.length, span.start), (span.start, span.end)]
    source = counted(spans, _where(filters), [COLUMNS[by]])
    key = source.c[COLUMNS[by]]
    is_now = source.c.bucket_at >= span.start
    now, then = _sums(source, is_now), _sums(source, ~is_now)
    rows = connection.execute(
        select(key, *now, *then).group_by(key).having(now[0] > 0).order_by(now[0].desc(), key).limit(limit)
    )
    return [GroupCounts(key, Counts(*counts[:4]), Counts(*counts[4:])) for key, *counts in rows]


def choices(connection: Connection, span: Span, *, limit: int = 200) -> dict[Group, list[str]]:
    """The values that each filter can take in the span: the `limit` largest, by name."""
    return {group: sorted(_largest(connection, span, group, limit)) for group in COLUMNS}


def _largest(connection: Connection, span: Span, group: Group, limit: int) -> list[str]:
    source = counted([(span.start, span.end)], {}, [COLUMNS[group]])
    key, documents = source.c[COLUMNS[group]], func.sum(source.c.total)
    query = select(key).group_by(key).having(documents > 0).order_by(documents.desc(), key).limit(limit)
    return list(connection.scalars(query))


def _origin(zone: ZoneInfo) -> datetime:
    return datetime(2001, 1, 1, tzinfo=zone)


def _where(filters: Filters) -> dict[str, str]:
    return {COLUMNS[group]: value for group, value in filters.given()}


def _sums(counts: Subquery, where: ColumnElement[bool] | None = None) -> list[ColumnElement[int]]:
    """total, negative, neutral, positive, in the order of `Counts`."""
    sums = [func.sum(counts.c[name]) for name in COUNTS]
    return [func.coalesce(one if where is None else one.filter(where), 0) for one in sums]
