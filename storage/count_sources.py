"""Where counts over a span come from: its whole hours from the roll-ups, the minutes before and after them.

What is asked by topic and language alone, or by source and language alone, has roll-ups of its own, which are small.
All of them equal the minute counts at every moment (`storage.rollups`), so which one is read changes no figure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnClause,
    FromClause,
    Integer,
    Select,
    Subquery,
    Table,
    Text,
    column,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from storage import rollups
from storage.tables import opinion_hour, opinion_minute, source_hour, topic_hour, watchlist_hour, watchlist_minute

HOUR: Final = timedelta(hours=1)
LEAST_HOURS: Final = 6  # of a shorter span the minutes are as quick
COUNTS: Final = ("total", "negative", "neutral", "positive")


def minutes_of(dimensions: Sequence[str]) -> Table:
    """The minute counts that tell these columns apart."""
    return watchlist_minute if "watchlist" in dimensions else opinion_minute


def counted(
    spans: Sequence[tuple[datetime, datetime]],
    where: Mapping[str, str],
    by: Sequence[str] = (),
    *,
    is_hourly: bool = True,
) -> Subquery:
    """Rows that add up to the counts of these spans: `bucket_at`, the columns of `by` and `COUNTS`.

    A row's `bucket_at` is the start of its hour or minute, in the span that it belongs to.

    Args:
        where: by column, the value that is counted.
        is_hourly: whole hours will do; False where the caller cuts the spans more finely.
    """
    dimensions = [*where, *by]
    parts = [
        part for span in spans for part in _parts(*span, where, by, _hours_of(dimensions) if is_hourly else None)
    ]
    return (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("counted")


def _parts(
    start: datetime, end: datetime, where: Mapping[str, str], by: Sequence[str], hours: FromClause | None
) -> Iterator[Select[Any]]:
    minutes = minutes_of([*where, *by])
    first, last = _hour_after(start), _hour_before(end)
    if hours is None or last - first < LEAST_HOURS * HOUR:
        yield _rows(minutes, start, end, where, by)
        return
    yield _rows(hours, first, last, where, by)
    if start < first:
        yield _rows(minutes, start, first, where, by)
    if last < end:
        yield _rows(minutes, last, end, where, by)


def _rows(
    source: FromClause, start: datetime, end: datetime, where: Mapping[str, str], by: Sequence[str]
) -> Select[Any]:
    at = source.c.bucket_at
    shown = [source.c[name] for name in ("bucket_at", *by, *COUNTS)]
    return select(*shown).where(at >= start, at < end, *(source.c[name] == value for name, value in where.items()))


def _hours_of(dimensions: Sequence[str]) -> FromClause:
    asked = set(dimensions)
    if "watchlist" in asked:
        return _VIEWS[watchlist_hour.name]
    for small in (topic_hour, source_hour):
        if asked <= {one.name for one in small.columns}:
            return _VIEWS[small.name]
    return _VIEWS[opinion_hour.name]


def _view(of: Table) -> FromClause:
    columns: list[ColumnClause[Any]] = [column("bucket_at", TIMESTAMP(timezone=True))]
    columns += [column(one.name, Text()) for one in of.primary_key.columns if one.name != "bucket_at"]
    columns += [column(name, Integer()) for name in COUNTS]
    return table(rollups.view_of(of.name), *columns)


_VIEWS: Final = {of.name: _view(of) for of in (opinion_hour, topic_hour, source_hour, watchlist_hour)}


def _hour_before(at: datetime) -> datetime:
    return at - timedelta(seconds=at.timestamp() % HOUR.total_seconds())


def _hour_after(at: datetime) -> datetime:
    before = _hour_before(at)
    return before if before == at else before + HOUR
