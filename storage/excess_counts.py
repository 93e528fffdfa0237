"""The counts that explain an excess: per bucket, and per source, topic or watchlist. Reads minute counts only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Interval, cast, func, literal, select

from core.windows import EPOCH
from storage.bucket_counts import GroupTotal
from storage.tables import opinion_minute, watchlist_minute

Grouping = Literal["source", "topic", "watchlist"]
SCOPE_LABELS = ("source", "topic", "lang", "kind", "watchlist")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents a series counts; None: any. With a watchlist, sentiment is that toward it."""

    source: str | None = None
    topic: str | None = None
    lang: str | None = None
    kind: str | None = None
    watchlist: str | None = None

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "Scope":
        return cls(**{name: labels[name] for name in SCOPE_LABELS if name in labels})


def per_bucket(
    connection: Connection, scope: Scope, bucket: timedelta, start: datetime, end: datetime
) -> dict[datetime, tuple[int, int]]:
    """Negatives and documents by bucket of [start, end); buckets without documents are left out."""
    table = _table(scope)
    at = func.date_bin(cast(literal(bucket), Interval), table.c.bucket_at, literal(EPOCH)).label("at")
    negative, total = func.sum(table.c.negative), func.sum(table.c.total)
    rows = connection.execute(
        select(at, negative, total).where(*_within(table, scope, start, end)).group_by(at).having(total > 0)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


def per_group(connection: Connection, by: Grouping, scope: Scope, start: datetime, end: datetime) -> list[GroupTotal]:
    """Negatives and documents by value in [start, end). By watchlist: of those that mention it, negative toward it;
    who mentions several counts for each."""
    table = watchlist_minute if by == "watchlist" else _table(scope)
    column = {"source": "source", "topic": "topic_label", "watchlist": "watchlist"}[by]
    negative, total = func.sum(table.c.negative), func.sum(table.c.total)
    rows = connection.execute(
        select(table.c[column], negative, total)
        .where(*_within(table, scope, start, end))
        .group_by(table.c[column])
        .having(total > 0)
        .order_by(table.c[column])
    )
    return [GroupTotal(name, int(n), int(t)) for name, n, t in rows]


def negatives(connection: Connection, scope: Scope, start: datetime, end: datetime) -> int:
    """All negatives in [start, end)."""
    table = _table(scope)
    found = connection.scalar(select(func.sum(table.c.negative)).where(*_within(table, scope, start, end)))
    return int(found or 0)


def negative_minutes(
    connection: Connection, scope: Scope, start: datetime, end: datetime
) -> list[tuple[datetime, int]]:
    """The minutes of [start, end) that hold negatives, in order, with how many."""
    table = _table(scope)
    negative = func.sum(table.c.negative)
    rows = connection.execute(
        select(table.c.bucket_at, negative)
        .where(*_within(table, scope, start, end))
        .group_by(table.c.bucket_at)
        .having(negative > 0)
        .order_by(table.c.bucket_at)
    )
    return [(row[0], int(row[1])) for row in rows]


def _table(scope: Scope) -> Any:
    return opinion_minute if scope.watchlist is None else watchlist_minute


def _within(table: Any, scope: Scope, start: datetime, end: datetime) -> list[ColumnElement[bool]]:
    """The conditions of a scope; a table without a column for one of them cannot be asked for it."""
    wanted = {
        "source": scope.source,
        "topic_label": scope.topic,
        "lang": scope.lang,
        "kind": scope.kind,
        "watchlist": scope.watchlist,
    }
    return [
        table.c.bucket_at >= start,
        table.c.bucket_at < end,
        *(table.c[name] == value for name, value in wanted.items() if value is not None),
    ]
