"""What can be exported: every view of schema `bi`, whole or narrowed, as one query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection, sql

from core.errors import NotFoundError, UsageError

TIMES: Final = ("published_at", "bucket_at", "starts_at", "first_at", "labelled_at", "at", "created_at")
"""Columns that a span of time goes by; a view's first of these."""
NARROWED_BY: Final = {
    "topic": "topic_label",
    "source": "source",
    "watchlist": "watchlist",
    "lang": "lang",
    "sentiment": "sentiment",
}
"""By option, the column that is compared."""

TEXT_TYPES: Final = frozenset({18, 19, 25, 1042, 1043})  # char, name, text, bpchar, varchar


@dataclass(frozen=True)
class Column:
    """A column of a view; `type` is PostgreSQL's number of its type."""

    name: str
    type: int


@dataclass(frozen=True)
class Narrowed:
    """What of a view is wanted; None and {}: everything.

    Attributes:
        start, end: of the view's time, from and up to, not including.
        equal: values by option, see `NARROWED_BY`.
    """

    start: datetime | None = None
    end: datetime | None = None
    equal: dict[str, str] | None = None


def views(connection: Connection[Any]) -> list[str]:
    """What can be exported, by name."""
    found = connection.execute(
        "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'bi' AND c.relkind IN ('v', 'm') ORDER BY 1"
    )
    return [name for (name,) in found]


def view_named(connection: Connection[Any], name: str) -> str:
    """The view that is meant: `documents` is `document`, `bi.mention` is `mention`.

    Raises:
        NotFoundError: none of that name; says which there are.
    """
    known = views(connection)
    plain = name.strip().lower().removeprefix("bi.").replace("-", "_")
    for candidate in (plain, plain.removesuffix("s"), plain.removesuffix("ies") + "y"):
        if candidate in known:
            return candidate
    raise NotFoundError(f"there is no view {name!r} to export", remedy=f"one of: {', '.join(known)}")


def columns_of(connection: Connection[Any], view: str) -> list[Column]:
    """The columns of a view, in their order."""
    empty = connection.execute(sql.SQL("SELECT * FROM bi.{} LIMIT 0").format(sql.Identifier(view)))
    return [Column(one.name, one.type_code) for one in empty.description or ()]


def rows_of(
    view: str, columns: Sequence[Column], narrowed: Narrowed, shown: Sequence[sql.Composable]
) -> sql.Composed:
    """The query; values stand in it as quoted literals, because COPY takes no parameters.

    Args:
        shown: an expression for each column, of the view as `v`.

    Raises:
        UsageError: the view has no column to narrow it by.
    """
    names = [one.name for one in columns]
    wanted: list[sql.Composable] = []
    time = next((one for one in TIMES if one in names), None)
    for option, operator, at in (("from", _FROM, narrowed.start), ("to", _TO, narrowed.end)):
        if at is None:
            continue
        if time is None:
            raise UsageError(f"--{option}: bi.{view} has no time", remedy=f"it has: {', '.join(names)}")
        wanted.append(operator.format(sql.Identifier(time), sql.Literal(at)))
    for option, value in (narrowed.equal or {}).items():
        column = NARROWED_BY[option]
        if column in names:
            wanted.append(sql.SQL("v.{} = {}").format(sql.Identifier(column), sql.Literal(value)))
        elif option == "watchlist" and {"id", "published_at"} <= set(names):
            wanted.append(_MENTIONS.format(sql.Literal(value)))
        else:
            raise UsageError(f"--{option}: bi.{view} has no column {column}", remedy=f"it has: {', '.join(names)}")
    condition = sql.SQL(" AND ").join(wanted) if wanted else sql.SQL("true")
    query = sql.SQL("SELECT {} FROM bi.{} AS v WHERE {}")
    return query.format(sql.SQL(", ").join(shown), sql.Identifier(view), condition)


_FROM: Final = sql.SQL("v.{} >= {}")
_TO: Final = sql.SQL("v.{} < {}")
_MENTIONS: Final = sql.SQL(
    "EXISTS (SELECT FROM bi.mention AS m WHERE m.published_at = v.published_at AND m.document_id = v.id "
    "AND m.watchlist = {})"
)
