"""Schema `bi` as a contract: what it holds, how its views join, and what may change.

Within a version of the contract views and columns are only added. Whatever would break a query that ran yesterday (a
view or column that goes, gets another name, another type or another place) comes in a schema `bi_v2` beside this one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

Contract = Mapping[str, Mapping[str, str]]
"""By view, its columns in order, with their types."""

NEXT: Final = "breaking changes only in bi_v2"


@dataclass(frozen=True, slots=True)
class Join:
    """`many` refers to `one` by these columns; in `one` they name a row at most once unless `is_unique` is False."""

    many: str
    one: str
    keys: tuple[tuple[str, str], ...]
    is_unique: bool = True

    @property
    def condition(self) -> str:
        """For `JOIN … ON`, with the views' names as prefixes."""
        return " AND ".join(f"{self.many}.{theirs} = {self.one}.{ours}" for theirs, ours in self.keys)


def _one(view: str, one: str, column: str, key: str | None = None) -> Join:
    return Join(view, one, ((column, key or column),))


def _document(view: str, published_at: str = "published_at", document_id: str = "document_id") -> Join:
    return Join(view, "document", ((published_at, "published_at"), (document_id, "id")))


_COUNTS: Final = ("sentiment_minute", "sentiment_hour", "sentiment_day")
_WATCHED: Final = ("watchlist_minute", "watchlist_hour", "watchlist_day")
_BY_SOURCE_AND_TOPIC: Final = ("document", "mention", "comment", *_COUNTS, *_WATCHED)
JOINS: Final = (
    _document("mention"),
    _document("comment", document_id="id"),
    _document("comment", "article_published_at", "article_id"),
    _document("copy"),
    _document("copy_cluster", "first_at", "copy_cluster"),
    _document("label"),
    _document("incident_document"),
    _document("incident_driver"),
    _one("mention", "watchlist", "watchlist"),
    *(_one(view, "watchlist", "watchlist") for view in _WATCHED),
    _one("incident", "watchlist", "watchlist"),
    *(_one(view, "source", "source") for view in (*_BY_SOURCE_AND_TOPIC, "label", "incident")),
    *(_one(view, "topic", "topic_label") for view in (*_BY_SOURCE_AND_TOPIC, "incident")),
    *(
        Join(view, "model", (("model_version", "version"),), is_unique=False)
        for view in ("document", "mention", *_COUNTS, *_WATCHED)
    ),
    *(_one(view, "incident", "incident_id") for view in ("incident_driver", "incident_document")),
    _one("feedback", "incident", "alert_id", "incident_id"),
    _one("alert", "incident", "id", "incident_id"),
)
"""Which views join how; the pictures and tables of docs/reference/sql.md, and a test that each key finds its row."""

STAR: Final = frozenset(
    {"mention", "document", "comment", "sentiment_day", "incident", "incident_driver", "incident_document", "label"}
    | {"source", "topic", "watchlist", "model"}
)
"""The views that are drawn; the others are these at another width, or tell more of them."""

_COLUMNS: Final = text("""
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE n.nspname = 'bi' AND c.relkind = 'v'
    ORDER BY c.relname, a.attnum
""")


def read(connection: Connection) -> Contract:
    """What the views of this database are."""
    found: dict[str, dict[str, str]] = {}
    for view, column, kind in connection.execute(_COLUMNS):
        found.setdefault(view, {})[column] = kind
    return found


def breaks(promised: Contract, now: Contract) -> list[str]:
    """What no longer holds of what was promised, a sentence each; additions break nothing."""
    return [f"{sentence}: {NEXT}" for sentence in _broken(promised, now)]


def additions(promised: Contract, now: Contract) -> list[str]:
    """What there is beyond what was promised, as `view` or `view.column`."""
    more = [view for view in now if view not in promised]
    return more + [
        f"{view}.{column}" for view in promised for column in now.get(view, {}) if column not in promised[view]
    ]


def _broken(promised: Contract, now: Contract) -> Iterator[str]:
    for view, columns in promised.items():
        if view not in now:
            yield f"bi.{view} is gone or has another name"
            continue
        for column, kind in columns.items():
            if column not in now[view]:
                yield f"bi.{view}.{column} is gone or has another name"
            elif now[view][column] != kind:
                yield f"bi.{view}.{column} was {kind} and is {now[view][column]}"
        kept = [column for column in now[view] if column in columns]
        if kept != [column for column in columns if column in now[view]]:
            yield f"the columns of bi.{view} stand in another order"
