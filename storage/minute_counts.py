"""The minute counts that the detector and every chart read: `opinion_minute`, always equal to the rows of `document`,
and `watchlist_minute`, always equal to the rows of `mention`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection, TextClause, text

from core.windows import MINUTE, floor_to
from storage import mentions

SENTIMENTS: Final = ("negative", "neutral", "positive")
COPIES: Final = ("negative_copies", "neutral_copies", "positive_copies")


class Counted(mentions.Mentioning, Protocol):
    """What of a document is counted."""

    @property
    def source(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def lang(self) -> str: ...
    @property
    def topic_label(self) -> str: ...
    @property
    def sentiment(self) -> str: ...


Version_co = TypeVar("Version_co", covariant=True)


class Standing(Protocol[Version_co]):
    """Whether a document was a copy before the transaction, and is one after it; see `storage.copies`."""

    @property
    def before(self) -> Version_co | None: ...
    @property
    def after(self) -> Version_co | None: ...
    @property
    def was_copy(self) -> bool: ...
    @property
    def is_copy(self) -> bool: ...


Key = tuple[Any, ...]


@dataclass(frozen=True)
class CountTable:
    """A table of counts.

    Attributes:
        key: the columns of its primary key, each with its SQL type.
        lines: the keys that a document counts under, each with the sentiment it counts as.
    """

    name: str
    key: dict[str, str]
    lines: Callable[[Counted], Iterator[tuple[Key, str]]]

    def upsert(self) -> TextClause:
        """Adds changes, given as one array a column, in their order."""
        types = self.key | dict.fromkeys((*SENTIMENTS, *COPIES), "int")
        counts = ("total", *SENTIMENTS, "copies", *COPIES)
        return text(f"""
            INSERT INTO {self.name} AS m ({", ".join((*self.key, *counts))})
            SELECT {", ".join(self.key)}, {" + ".join(SENTIMENTS)}, {", ".join(SENTIMENTS)},
                   {" + ".join(COPIES)}, {", ".join(COPIES)}
            FROM unnest({", ".join(f"CAST(:{name} AS {type_}[])" for name, type_ in types.items())})
                 WITH ORDINALITY AS c({", ".join(types)}, nth)
            ORDER BY nth
            ON CONFLICT ({", ".join(self.key)}) DO UPDATE SET
                {", ".join(f"{name} = m.{name} + excluded.{name}" for name in counts)}
        """)  # noqa: S608  # our own names


def _of_document(row: Counted) -> Iterator[tuple[Key, str]]:
    minute = floor_to(row.published_at, MINUTE)
    yield (minute, row.source, row.kind, row.lang, row.topic_label, row.model_version), row.sentiment


def _of_mentions(row: Counted) -> Iterator[tuple[Key, str]]:
    if row.mentions:
        minute = floor_to(row.published_at, MINUTE)
        for one in mentions.rows_of(row):
            key = (minute, one.watchlist, row.source, row.kind, row.lang, row.topic_label, one.model_version)
            yield key, one.sentiment


_DIMENSIONS = dict.fromkeys(("source", "kind", "lang", "topic_label", "model_version"), "text")
OF_DOCUMENTS: Final = CountTable("opinion_minute", {"bucket_at": "timestamptz", **_DIMENSIONS}, _of_document)
OF_MENTIONS: Final = CountTable(
    "watchlist_minute", {"bucket_at": "timestamptz", "watchlist": "text", **_DIMENSIONS}, _of_mentions
)
_UPSERTS: Final = {table.name: table.upsert() for table in (OF_DOCUMENTS, OF_MENTIONS)}


class CountChanges:
    """What a batch adds to and takes from the minute counts."""

    def __init__(self, tables: Sequence[CountTable] = (OF_DOCUMENTS, OF_MENTIONS)) -> None:
        self._changes: list[tuple[CountTable, defaultdict[Key, dict[str, int]]]] = [
            (table, defaultdict(lambda: dict.fromkeys((*SENTIMENTS, *COPIES), 0))) for table in tables
        ]

    def add(self, row: Counted) -> None:
        """Count a document that came, and its mentions."""
        self._move(row, 1)

    def remove(self, row: Counted) -> None:
        """Uncount a version that was replaced."""
        self._move(row, -1)

    def move_copies(self, standings: Iterable[Standing[Counted]]) -> None:
        """Count among the copies those that are copies now, and no longer those that were."""
        for standing in standings:
            if standing.was_copy and standing.before is not None:
                self._move(standing.before, -1, "_copies")
            if standing.is_copy and standing.after is not None:
                self._move(standing.after, 1, "_copies")

    def _move(self, row: Counted, times: int, suffix: str = "") -> None:
        for table, by_key in self._changes:
            for key, sentiment in table.lines(row):
                by_key[key][f"{sentiment}{suffix}"] += times

    def apply(self, connection: Connection) -> None:
        """Move the counts, in the caller's transaction; every writer takes the locks in this one order."""
        for table, by_key in self._changes:
            ordered = [(key, change) for key, change in sorted(by_key.items()) if any(change.values())]
            if not ordered:
                continue
            keys = zip(*(key for key, _ in ordered), strict=True)
            columns = dict(zip(table.key, map(list, keys), strict=True))
            counts = {name: [change[name] for _, change in ordered] for name in (*SENTIMENTS, *COPIES)}
            connection.execute(_UPSERTS[table.name], {**columns, **counts})
