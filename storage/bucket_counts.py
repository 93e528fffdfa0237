"""What the detector reads: minute counts summed into its buckets, and how far each source has come.

Reads the counts only, never `document`; every query is a range of an index of `opinion_minute` or, where a watchlist
is named, of `watchlist_minute`. Of documents that are copies of one another the earliest is a voice, the others are
counted as copies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Interval,
    Table,
    cast,
    func,
    literal,
    select,
    text,
)

from core.windows import EPOCH
from storage.tables import opinion_minute, watchlist_minute

Dimension = Literal["watchlist", "source", "topic", "lang", "kind"]
Counted = Literal["negative", "total"]
Where = Mapping[Dimension, str | Sequence[str]]
"""By dimension, the value or values that are counted."""

EVERYTHING: Where = {}

COLUMNS: dict[Dimension, str] = {
    "watchlist": "watchlist",
    "source": "source",
    "topic": "topic_label",
    "lang": "lang",
    "kind": "kind",
}


class _Voices:
    """How many of the documents are nobody's copy; of mentions of a watchlist, negative means toward it."""

    __slots__ = ()

    negative: int
    total: int
    negative_copies: int
    copies: int

    @property
    def independent_negative(self) -> int:
        return self.negative - self.negative_copies

    @property
    def independent(self) -> int:
        return self.total - self.copies

    def judged(self, counted: Counted) -> tuple[int, int]:
        """What the detector is given: independent voices that are negative, and all; where all documents are counted
        the share is one, so that the count alone decides."""
        return self.independent_negative if counted == "negative" else self.independent, self.independent


@dataclass(frozen=True, slots=True)
class BucketCount(_Voices):
    """One group in one bucket; `negative` and `total` count every copy."""

    bucket_at: datetime
    key: tuple[str, ...]
    negative: int
    total: int
    negative_copies: int
    copies: int


@dataclass(frozen=True, slots=True)
class KeyTotal(_Voices):
    """One group over a span; `negative` and `total` count every copy."""

    key: tuple[str, ...]
    negative: int
    total: int
    negative_copies: int
    copies: int

    @property
    def name(self) -> str:
        """Of a group by one dimension."""
        return self.key[0]


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
    where: Where = EVERYTHING,
) -> list[BucketCount]:
    """What there is per bucket and group in [start, end); groups without documents are left out.

    Args:
        source: of this source only; None: of any.
    """
    counted = _table(by, where)
    at = _bucket(bucket, counted).label("at")
    columns = [_column(counted, name) for name in by]
    query = (
        select(at, *columns, *_sums(counted))
        .where(*_within(counted, start, end, where))
        .group_by(at, *columns)
        .having(func.sum(counted.c.total) > 0)
        .order_by(at, *columns)
    )
    if source is not None:
        query = query.where(counted.c.source == source)
    return [
        BucketCount(at, tuple(values[: len(by)]), *values[len(by) :]) for at, *values in connection.execute(query)
    ]


def key_totals(
    connection: Connection,
    by: Sequence[Dimension],
    start: datetime,
    end: datetime,
    *,
    where: Where = EVERYTHING,
    limit: int | None = None,
) -> list[KeyTotal]:
    """What there is per group in [start, end), by key; with `limit` only the groups with the most documents."""
    counted = _table(by, where)
    columns = [_column(counted, name) for name in by]
    total = func.sum(counted.c.total)
    query = (
        select(*columns, *_sums(counted))
        .where(*_within(counted, start, end, where))
        .group_by(*columns)
        .having(total > 0)
        .order_by(total.desc(), *columns)
        .limit(limit)
    )
    found = [KeyTotal(tuple(row[: len(by)]), *row[len(by) :]) for row in connection.execute(query)]
    return sorted(found, key=lambda one: one.key)


def group_totals(
    connection: Connection, by: Dimension, start: datetime, end: datetime, *, where: Where = EVERYTHING
) -> list[KeyTotal]:
    """What there is per value of one dimension in [start, end), by its name."""
    return key_totals(connection, (by,), start, end, where=where)


def voices_where(start: datetime, end: datetime, where: Where) -> tuple[Table, list[ColumnElement[bool]]]:
    """The minute counts of [start, end) that these values name, and what picks them out."""
    counted = _table((), where)
    return counted, _within(counted, start, end, where)


def _table(by: Sequence[Dimension], where: Where) -> Table:
    return watchlist_minute if "watchlist" in by or "watchlist" in where else opinion_minute


def _column(counted: Table, name: Dimension) -> Column[Any]:
    return counted.c[COLUMNS[name]]


def _within(counted: Table, start: datetime, end: datetime, where: Where) -> list[ColumnElement[bool]]:
    at = counted.c.bucket_at
    values = {name: [given] if isinstance(given, str) else given for name, given in where.items()}
    return [at >= start, at < end, *(_column(counted, name).in_(given) for name, given in values.items())]


def _sums(counted: Table) -> list[ColumnElement[int]]:
    """In the order of `Voices`."""
    c = counted.c
    return [cast(func.sum(one), BigInteger) for one in (c.negative, c.total, c.negative_copies, c.copies)]


def _bucket(bucket: timedelta, counted: Table = opinion_minute) -> ColumnElement[datetime]:
    return func.date_bin(cast(literal(bucket), Interval), counted.c.bucket_at, literal(EPOCH))
