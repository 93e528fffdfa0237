"""What the detector reads: minute counts summed into its buckets, and how far each source has come.

Reads the counts only, never `document`; every query is a range of an index of `opinion_minute`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, Connection, Interval, cast, func, literal, select, text

from core.windows import EPOCH
from storage.tables import opinion_minute

Dimension = Literal["source", "topic", "lang", "kind"]

COLUMNS: dict[Dimension, Column[Any]] = {
    "source": opinion_minute.c.source,
    "topic": opinion_minute.c.topic_label,
    "lang": opinion_minute.c.lang,
    "kind": opinion_minute.c.kind,
}


@dataclass(frozen=True, slots=True)
class BucketCount:
    """One group in one bucket."""

    bucket_at: datetime
    key: tuple[str, ...]
    negative: int
    total: int
    negative_copies: int
    copies: int


@dataclass(frozen=True, slots=True)
class GroupTotal:
    """One value of a dimension over a span."""

    name: str
    negative: int
    total: int


# A loose index scan: one look-up per source, however many minutes there are.
_NEWEST = text("""
    WITH RECURSIVE known(source) AS (
        (SELECT source FROM opinion_minute ORDER BY source LIMIT 1)
        UNION ALL
        SELECT (SELECT m.source FROM opinion_minute AS m WHERE m.source > known.source ORDER BY m.source LIMIT 1)
        FROM known WHERE known.source IS NOT NULL
    )
    SELECT known.source, newest.bucket_at
    FROM known CROSS JOIN LATERAL (
        SELECT m.bucket_at FROM opinion_minute AS m
        WHERE m.source = known.source AND m.bucket_at <= :not_after AND m.total > 0
        ORDER BY m.bucket_at DESC LIMIT 1
    ) AS newest
""")


def newest_minutes(connection: Connection, *, not_after: datetime) -> dict[str, datetime]:
    """By source: the newest minute of `published_at` that holds a document and does not lie after `not_after`."""
    return {row.source: row.bucket_at for row in connection.execute(_NEWEST, {"not_after": not_after})}


def active_buckets(
    connection: Connection,
    *,
    source: str | None,
    bucket: timedelta,
    after: datetime | None,
    before: datetime,
    limit: int,
) -> list[datetime]:
    """Starts of the buckets that hold documents, the oldest `limit` of them.

    Args:
        source: of this source only; None: of any.
        after: only buckets that start here or later; None: from the beginning.
        before: only minutes before this time.
    """
    start = _bucket(bucket).label("start")
    query = select(start).where(opinion_minute.c.total > 0, opinion_minute.c.bucket_at < before)
    if after is not None:
        query = query.where(opinion_minute.c.bucket_at >= after)
    if source is not None:
        query = query.where(opinion_minute.c.source == source)
    return list(connection.scalars(query.group_by(start).order_by(start).limit(limit)))


def counts(
    connection: Connection,
    *,
    by: Sequence[Dimension],
    source: str | None,
    bucket: timedelta,
    start: datetime,
    end: datetime,
) -> list[BucketCount]:
    """Documents and negatives per bucket and group in [start, end); groups without documents are left out."""
    at = _bucket(bucket).label("at")
    columns = [COLUMNS[name] for name in by]
    negative, total = func.sum(opinion_minute.c.negative), func.sum(opinion_minute.c.total)
    of_copies = func.sum(opinion_minute.c.negative_copies), func.sum(opinion_minute.c.copies)
    query = (
        select(at, *columns, negative, total, *of_copies)
        .where(opinion_minute.c.bucket_at >= start, opinion_minute.c.bucket_at < end)
        .group_by(at, *columns)
        .having(total > 0)
        .order_by(at, *columns)
    )
    if source is not None:
        query = query.where(opinion_minute.c.source == source)
    return [
        BucketCount(bucket_at, tuple(key), int(negatives), int(documents), int(bad), int(copies))
        for bucket_at, *key, negatives, documents, bad, copies in connection.execute(query)
    ]


def group_totals(
    connection: Connection,
    by: Dimension,
    start: datetime,
    end: datetime,
    *,
    where: dict[Dimension, str],
) -> list[GroupTotal]:
    """Documents and negatives per value of a dimension in [start, end), within the filters."""
    negative, total = func.sum(opinion_minute.c.negative), func.sum(opinion_minute.c.total)
    query = (
        select(COLUMNS[by], negative, total)
        .where(
            opinion_minute.c.bucket_at >= start,
            opinion_minute.c.bucket_at < end,
            *(COLUMNS[name] == value for name, value in where.items()),
        )
        .group_by(COLUMNS[by])
        .having(total > 0)
        .order_by(COLUMNS[by])
    )
    return [GroupTotal(name, int(n), int(t)) for name, n, t in connection.execute(query)]


def _bucket(bucket: timedelta) -> ColumnElement[datetime]:
    return func.date_bin(cast(literal(bucket), Interval), opinion_minute.c.bucket_at, literal(EPOCH))
