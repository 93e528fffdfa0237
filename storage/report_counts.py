"""The counts that a report tells: of everything or of one watchlist, over whole local days. Reads minute counts only.

Of a watchlist, documents that mention it, and negative means toward it. Voices are documents without those that are
copies of an earlier one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, cast, func, literal, select

from storage.bucket_counts import COLUMNS, Dimension
from storage.series import Span
from storage.tables import model_promotion, opinion_minute, watchlist_minute

Unit = Literal["hour", "day"]
MOST_GROUPS: Final = 10


@dataclass(frozen=True, slots=True)
class Tally:
    """Documents of a span, and how many of them are copies."""

    total: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    copies: int = 0
    negative_copies: int = 0

    @property
    def voices(self) -> int:
        return self.total - self.copies

    @property
    def negative_voices(self) -> int:
        return self.negative - self.negative_copies

    @property
    def share(self) -> float | None:
        """Of negative voices; None where there is no voice."""
        return self.negative_voices / self.voices if self.voices else None


@dataclass(frozen=True, slots=True)
class Group:
    """One topic, source, language or watchlist, now and in the span before."""

    key: str
    now: Tally
    before: Tally


@dataclass(frozen=True, slots=True)
class Promotion:
    """A model that became the champion."""

    version: str
    promoted_at: datetime
    promoted_by: str
    reason: str


def tally(connection: Connection, span: Span, watchlist: str | None) -> Tally:
    """Everything there is in the span."""
    table = _table(watchlist)
    row = connection.execute(select(*_sums(table)).where(*_within(table, span, watchlist))).one()
    return Tally(*map(int, row))


def per_unit(
    connection: Connection, span: Span, watchlist: str | None, unit: Unit, zone: str
) -> dict[datetime, Tally]:
    """By the start of each local hour or day that holds documents."""
    table = _table(watchlist)
    at = func.date_trunc(unit, table.c.bucket_at, zone).label("at")
    query = select(at, *_sums(table)).where(*_within(table, span, watchlist)).group_by(at)
    return {start: Tally(*sums) for start, *sums in connection.execute(query)}


def groups(connection: Connection, by: Dimension, span: Span, before: Span, watchlist: str | None) -> list[Group]:
    """The groups with most documents now, the largest first.

    Args:
        before: the span they are held against, which ends where `span` begins.
    """
    table = watchlist_minute if by == "watchlist" else _table(watchlist)
    key, at = table.c[COLUMNS[by]], table.c.bucket_at
    now, then = _sums(table, at >= span.start), _sums(table, at < span.start)
    query = (
        select(key, *now, *then)
        .where(*_within(table, Span(before.start, span.end), None if by == "watchlist" else watchlist))
        .group_by(key)
        .having(now[0] > 0)
        .order_by(now[0].desc(), key)
        .limit(MOST_GROUPS)
    )
    size = len(now)
    return [Group(name, Tally(*sums[:size]), Tally(*sums[size:])) for name, *sums in connection.execute(query)]


def mentions_of_all(connection: Connection, span: Span) -> tuple[int, int]:
    """(documents, voices) summed over all watchlists: what a share of voice is a share of."""
    c = watchlist_minute.c
    total, copies = connection.execute(
        select(_whole(func.sum(c.total)), _whole(func.sum(c.copies))).where(
            c.bucket_at >= span.start, c.bucket_at < span.end
        )
    ).one()
    return total, total - copies


def promotions(connection: Connection, span: Span) -> list[Promotion]:
    """Models that took over in the span of the clock, the oldest first."""
    c = model_promotion.c
    query = (
        select(c.version, c.promoted_at, c.promoted_by, c.reason)
        .where(c.promoted_at >= span.start, c.promoted_at < span.end)
        .order_by(c.id)
    )
    return [Promotion(*row) for row in connection.execute(query)]


def _table(watchlist: str | None) -> Table:
    return opinion_minute if watchlist is None else watchlist_minute


def _within(table: Table, span: Span, watchlist: str | None) -> Sequence[ColumnElement[bool]]:
    at = table.c.bucket_at
    of: list[ColumnElement[bool]] = [at >= span.start, at < span.end]
    return of if watchlist is None else [*of, table.c.watchlist == literal(watchlist)]


def _sums(table: Table, where: ColumnElement[bool] | None = None) -> list[ColumnElement[int]]:
    """In the order of `Tally`."""
    sums = [func.sum(table.c[name]) for name in Tally.__dataclass_fields__]
    return [_whole(one if where is None else one.filter(where)) for one in sums]


def _whole(one: Any) -> ColumnElement[int]:
    return cast(func.coalesce(one, 0), BigInteger)
