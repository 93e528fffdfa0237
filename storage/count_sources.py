"""Where counts over a span come from: its whole days and hours from the roll-ups, else from the minutes.

What is asked by one of topic, source and watchlist, and by language, has roll-ups of its own, which are small.
All of them equal the minute counts at every moment (`storage.rollups`), so which one is read changes no figure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Subquery,
    Table,
    Text,
    column,
    func,
    literal,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from storage import rollups
from storage.tables import (
    opinion_day,
    opinion_hour,
    opinion_minute,
    reporting_zone,
    source_day,
    source_hour,
    topic_hour,
    watchlist_day,
    watchlist_hour,
    watchlist_minute,
    watchlist_total_hour,
)

Unit = Literal["minute", "hour", "day"]

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
ALMOST_AN_HOUR: Final = HOUR - timedelta(microseconds=1)
LEAST_HOURS: Final = 6  # of a shorter span the minutes are as quick
LEAST_DAYS: Final = 4  # of a shorter span the hours are; three hold at least one whole local day
TIMES: Final = ("bucket_at", "local_day")
COUNTS: Final = ("total", "negative", "neutral", "positive")


def minutes_of(dimensions: Sequence[str]) -> Table:
    """The minute counts that tell these columns apart."""
    return watchlist_minute if "watchlist" in dimensions else opinion_minute


def counted(
    spans: Sequence[tuple[datetime, datetime]],
    where: Mapping[str, str],
    by: Sequence[str] = (),
    *,
    unit: Unit = "day",
) -> Subquery:
    """Rows that add up to the counts of these spans: `bucket_at`, the columns of `by` and `COUNTS`.

    A row's `bucket_at` is the start of its day, hour or minute, in the span that it belongs to.

    Args:
        where: by column, the value that is counted.
        unit: the longest that will do; shorter than a day where the caller cuts the spans more finely.
    """
    parts = [part for span in spans for part in _parts(*span, where, by, unit)]
    return (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("counted")


def _parts(
    start: datetime, end: datetime, where: Mapping[str, str], by: Sequence[str], unit: Unit
) -> Iterator[Select[Any]]:
    dimensions = [*where, *by]
    minutes, hours = minutes_of(dimensions), _hours_of(dimensions)
    days = _DAYS.get(hours.name)
    first, last = _hour_after(start), _hour_before(end)
    if unit == "minute" or last - first < LEAST_HOURS * HOUR:
        yield _rows(minutes, start, end, where, by)
        return
    if start < first:
        yield _rows(minutes, start, first, where, by)
    if last < end:
        yield _rows(minutes, last, end, where, by)
    if unit == "hour" or days is None or last - first < LEAST_DAYS * DAY:
        yield _rows(_VIEWS[hours.name], first, last, where, by)
        return
    # Whole local days in the middle, which SQL knows. Where they begin between hours, minutes fill the gap.
    morning, night = _day_after(first), _day_before(last)
    yield _rows(days, morning, night, where, by)
    yield _rows(_VIEWS[hours.name], first, func.date_trunc("hour", morning, "UTC"), where, by)
    yield _rows(minutes, func.date_trunc("hour", morning, "UTC"), morning, where, by)
    yield _rows(minutes, night, func.date_trunc("hour", night + ALMOST_AN_HOUR, "UTC"), where, by)
    yield _rows(_VIEWS[hours.name], func.date_trunc("hour", night + ALMOST_AN_HOUR, "UTC"), last, where, by)


def _rows(source: FromClause, start: Any, end: Any, where: Mapping[str, str], by: Sequence[str]) -> Select[Any]:
    at = source.c.bucket_at
    shown = [source.c[name] for name in ("bucket_at", *by, *COUNTS)]
    return select(*shown).where(at >= start, at < end, *(source.c[name] == value for name, value in where.items()))


def _hours_of(dimensions: Sequence[str]) -> Table:
    """The smallest roll-up that tells these columns apart."""
    asked = set(dimensions)
    return next(one for one in _HOURS if asked <= set(_key(one)))


def _key(of: Table) -> list[str]:
    return [one.name for one in of.primary_key.columns if one.name not in TIMES]


def _view(of: Table) -> FromClause:
    columns: list[ColumnClause[Any]] = [column("bucket_at", TIMESTAMP(timezone=True))]
    columns += [column(name, Text()) for name in _key(of)]
    columns += [column(name, Integer()) for name in COUNTS]
    return table(rollups.view_of(of.name), *columns)


_HOURS: Final = (topic_hour, source_hour, watchlist_total_hour, opinion_hour, watchlist_hour)
_VIEWS: Final = {of.name: _view(of) for of in (*_HOURS, source_day, opinion_day, watchlist_day)}
_DAYS: Final = {
    source_hour.name: _VIEWS[source_day.name],
    opinion_hour.name: _VIEWS[opinion_day.name],
    watchlist_hour.name: _VIEWS[watchlist_day.name],
}
"""By roll-up per hour, the one per day; the others are small enough."""


def _day_after(at: datetime) -> ColumnElement[datetime]:
    return _day_before(at + DAY - timedelta(microseconds=1))


def _day_before(at: datetime) -> ColumnElement[datetime]:
    return select(func.date_trunc("day", literal(at), reporting_zone.c.zone)).scalar_subquery()


def _hour_before(at: datetime) -> datetime:
    return at - timedelta(seconds=at.timestamp() % HOUR.total_seconds())


def _hour_after(at: datetime) -> datetime:
    before = _hour_before(at)
    return before if before == at else before + HOUR
