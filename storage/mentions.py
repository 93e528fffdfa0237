"""Which watchlists a document mentions and how it speaks of each: rows of `mention`, in the caller's transaction."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import Connection, select, text

from core.records import Mention
from core.taxonomy import Sentiment
from storage.copying import copy_rows
from storage.tables import mention


class MentionRow(NamedTuple):
    """The columns of `mention`, in their order."""

    published_at: datetime
    document_id: str
    watchlist: str
    mentions: int
    sentiment: Sentiment
    score_negative: float
    score_neutral: float
    score_positive: float
    sentiment_uncertain: bool
    model_version: str


_COLUMNS = [column.name for column in mention.columns]
if tuple(_COLUMNS) != MentionRow._fields:
    raise TypeError("MentionRow and storage.tables.mention have different columns")

_KEY = ("published_at", "document_id", "watchlist")
_FORGET = text("""
    DELETE FROM mention AS m
    USING unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[])) AS k(published_at, id)
    WHERE m.published_at = k.published_at AND m.document_id = k.id
      AND NOT EXISTS (SELECT FROM incoming_mention AS i
                      WHERE i.published_at = m.published_at AND i.document_id = m.document_id
                        AND i.watchlist = m.watchlist)
""")
_UPSERT = text(
    f"INSERT INTO mention ({', '.join(_COLUMNS)}) "  # noqa: S608  # our own column names
    f"SELECT {', '.join(_COLUMNS)} FROM incoming_mention ORDER BY document_id, watchlist "
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEY)
)


class Mentioning(Protocol):
    """What of a document says whom it mentions: `mentions` is a list of `core.records.Mention` as JSON."""

    @property
    def published_at(self) -> datetime: ...
    @property
    def id(self) -> str: ...
    @property
    def mentions(self) -> list[dict[str, Any]] | None: ...
    @property
    def model_version(self) -> str: ...


def rows_of(document: Mentioning) -> Iterator[MentionRow]:
    """The rows of one version of a document."""
    for one in msgspec.convert(document.mentions or (), tuple[Mention, ...]):
        yield MentionRow(
            published_at=document.published_at,
            document_id=document.id,
            watchlist=one.watchlist,
            mentions=one.mentions,
            sentiment=one.sentiment,
            score_negative=one.sentiment_scores["negative"],
            score_neutral=one.sentiment_scores["neutral"],
            score_positive=one.sentiment_scores["positive"],
            sentiment_uncertain=one.sentiment_uncertain,
            model_version=one.model_version or document.model_version,
        )


def replace(connection: Connection, rows: Sequence[MentionRow], revised: Sequence[tuple[datetime, str]]) -> None:
    """Make `rows` the mentions of their documents.

    Whoever calls this holds the locks of the documents' keys (`storage.documents`), so that nobody else touches
    their mentions.

    Args:
        revised: `(published_at, id)` of those documents that may have mentions already; what `rows` does not
            repeat of these is deleted.
    """
    if not rows and not revised:
        return
    connection.execute(text("CREATE TEMP TABLE IF NOT EXISTS incoming_mention (LIKE mention) ON COMMIT DELETE ROWS"))
    if rows:
        copy_rows(connection, "incoming_mention", mention, rows)
    if revised:
        times, ids = zip(*revised, strict=True)
        connection.execute(_FORGET, {"times": list(times), "ids": list(ids)})
    if rows:
        connection.execute(_UPSERT)


def watchlists_of(connection: Connection, published_at: datetime, document_id: str) -> list[str]:
    """The names of the watchlists that a document mentions."""
    row = mention.c
    query = select(row.watchlist).where(row.published_at == published_at, row.document_id == document_id)
    return list(connection.scalars(query.order_by(row.watchlist)))
