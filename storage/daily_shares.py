"""Negatives and documents a local day, in the eyes of one model: what a slow drift is judged by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy import Connection, Date, DateTime, cast, func, literal_column, select

from storage.bucket_counts import COLUMNS, Dimension
from storage.tables import opinion_minute, watchlist_minute


@dataclass
class DailyShares:
    """One group's days; those without documents are left out."""

    days: dict[date, tuple[float, int]] = field(default_factory=dict)


def daily_shares(
    connection: Connection,
    by: Sequence[Dimension],
    start: datetime,
    end: datetime,
    *,
    zone: str,
    factors: Mapping[str, float],
    where: Mapping[Dimension, Sequence[str]] = MappingProxyType({}),
) -> dict[tuple[str, ...], DailyShares]:
    """By group: (negatives, documents) of each day of the zone in [start, end).

    Args:
        by: dimensions; with the watchlist, documents that mention it and are negative toward it.
        factors: by model, negatives for one of the reference (`storage.model_switches.factors`); others count as they
            are.
        where: by dimension, the values that are counted.
    """
    table = watchlist_minute if "watchlist" in (*by, *where) else opinion_minute
    m = table.c
    local = func.timezone(zone, m.bucket_at, type_=DateTime())
    day = cast(local, Date).label("day")
    columns = [m[COLUMNS[name]] for name in by]
    query = (
        select(day, *columns, m.model_version, func.sum(m.negative), func.sum(m.total))
        .where(m.bucket_at >= start, m.bucket_at < end, m.total > 0)
        .where(*(m[COLUMNS[name]].in_(values) for name, values in where.items()))
        .group_by(literal_column("1"), *columns, m.model_version)
    )
    found: defaultdict[tuple[str, ...], DailyShares] = defaultdict(DailyShares)
    for at, *key, version, negative, total in connection.execute(query):
        days = found[tuple(key)].days
        x, n = days.get(at, (0.0, 0))
        days[at] = (x + min(negative / factors.get(version, 1.0), total), n + int(total))
    return dict(found)


def first_minute(connection: Connection) -> datetime | None:
    """The oldest minute that is counted."""
    found: datetime | None = connection.scalar(select(func.min(opinion_minute.c.bucket_at)))
    return found
