"""Stored documents read in pages and written again in place, while workers go on writing.

What rewrites history, the backfill of a watchlist (`storage.watchlist_backfills`) or another model's verdicts
(`storage.reclassifications`), goes through here: one walk, one order of locks, one way to move the counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, select, text, tuple_

from core.errors import DependencyNotReadyError
from core.taxonomy import Sentiment
from storage import copies, mentions
from storage.minute_counts import OF_DOCUMENTS, OF_MENTIONS, CountChanges, CountTable
from storage.tables import document, document_key, mention

HISTORY_LOCK: Final = 0x6F70_7062  # "oppb"; one rewriter of history at a time


class StoredDocument(NamedTuple):
    """What of a stored document decides on its verdict and mentions, and how these are counted."""

    published_at: datetime
    id: str
    revision: int
    kind: str
    source: str
    lang: str
    title: str | None
    text: str
    quoted_text: str | None
    topic_label: str
    sentiment: Sentiment
    mentions: list[dict[str, Any]] | None
    model_version: str
    copy_text: int | None


_COLUMNS = [document.c[name] for name in StoredDocument._fields]


class Place(NamedTuple):
    """A document's place in the order of the walk."""

    published_at: datetime
    id: str


def page(
    connection: Connection,
    after: Place | None,
    since: datetime | None,
    limit: int,
    stored_since: datetime | None = None,
    *,
    until: datetime | None = None,
    sources: Sequence[str] = (),
    watchlists: Sequence[str] = (),
) -> list[StoredDocument]:
    """The next documents in the order of their times and ids.

    Args:
        since: published then or later; `until`: before.
        stored_since: only versions stored then or later; there is no index for it.
        sources: of one of these only; none: of any.
        watchlists: only documents that mention one of these; none: all.
    """
    query = select(*_COLUMNS).order_by(document.c.published_at, document.c.id).limit(limit)
    if since is not None:
        query = query.where(document.c.published_at >= since)
    if until is not None:
        query = query.where(document.c.published_at < until)
    if after is not None:
        query = query.where(
            document.c.published_at >= after.published_at,  # picks the partitions, which the pair does not
            tuple_(document.c.published_at, document.c.id) > tuple_(after.published_at, after.id),
        )
    if stored_since is not None:
        query = query.where(document.c.stored_at >= stored_since)
    if sources:
        query = query.where(document.c.source.in_(sources))
    if watchlists:
        m = mention.c
        of_document = (m.published_at == document.c.published_at) & (m.document_id == document.c.id)
        query = query.where(select(m.watchlist).where(of_document, m.watchlist.in_(watchlists)).exists())
    return [StoredDocument(*row) for row in connection.execute(query)]


def newest(connection: Connection, limit: int) -> list[StoredDocument]:
    """The newest documents, to try a definition on."""
    query = select(*_COLUMNS).order_by(document.c.published_at.desc(), document.c.id).limit(limit)
    return [StoredDocument(*row) for row in connection.execute(query)]


def lock(connection: Connection, ids: Iterable[str]) -> list[StoredDocument]:
    """These documents as they are once nobody else writes them; locks in the order `storage.documents` takes them."""
    key, wanted = document_key.c, sorted(ids)
    connection.execute(select(key.id).where(key.id.in_(wanted)).order_by(key.id).with_for_update()).all()
    rows = connection.execute(
        select(*_COLUMNS)
        .join(document_key, (document.c.published_at == key.published_at) & (document.c.id == key.id))
        .where(key.id.in_(wanted))
        .order_by(key.id)
    )
    return [StoredDocument(*row) for row in rows]


EVERY_COUNT: Final = (OF_DOCUMENTS, OF_MENTIONS)


def move_counts(
    connection: Connection,
    moved: Sequence[tuple[StoredDocument, StoredDocument]],
    tables: Sequence[CountTable] = EVERY_COUNT,
) -> None:
    """Bring mentions and counts in line with documents that were written anew; who is whose copy stays as it is.

    Args:
        moved: as each document was and as it is now, the keys of all of them locked.
        tables: the counts that can have changed.
    """
    after = [new for _, new in moved]
    counts = CountChanges(tables)
    for old, new in moved:
        counts.remove(old)
        counts.add(new)
    rows = [one for row in after for one in mentions.rows_of(row)]
    mentions.replace(connection, rows, [(row.published_at, row.id) for row in after])
    copied = copies.hold(connection, after)
    counts.move_copies(copies.Standing(old, new, True, True) for old, new in moved if new.id in copied)
    counts.apply(connection)


@contextmanager
def only_one(engine: Engine) -> Iterator[None]:
    """Raises:
    DependencyNotReadyError: another one is at work.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": HISTORY_LOCK}):
            raise DependencyNotReadyError(
                "another backfill or reclassification is at work", remedy="run it again when that one is done"
            )
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": HISTORY_LOCK})
