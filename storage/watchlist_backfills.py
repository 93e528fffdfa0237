"""Bringing the mentions of stored documents up to date with a changed watchlist, while workers go on writing."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, Text, cast, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert

from core.errors import DependencyNotReadyError
from core.taxonomy import Sentiment
from core.windows import MINUTE, floor_to
from storage import copies, mentions
from storage.minute_counts import OF_MENTIONS, CountChanges
from storage.tables import document, document_key, opinion_minute, watchlist_backfill

BACKFILL_LOCK: Final = 0x6F70_7062  # "oppb"


class StoredDocument(NamedTuple):
    """What of a stored document decides on its mentions, and how they are counted."""

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


@dataclass(frozen=True)
class Change:
    """What the mentions of one version of a document have to be for some watchlists; others stay.

    Attributes:
        mentions: by watchlist a `core.records.Mention` as JSON, None where there is none any more.
    """

    document: StoredDocument
    mentions: Mapping[str, dict[str, Any] | None]


class Place(NamedTuple):
    """A document's place in the order of the walk."""

    published_at: datetime
    id: str


@dataclass
class BackfillState:
    """How far a backfill has come.

    Attributes:
        started_at: by the database's clock.
        reached: the last document that is done; None before the first.
        figures: what was done so far.
    """

    started_at: datetime
    reached: Place | None
    figures: dict[str, int]


def page(
    connection: Connection,
    after: Place | None,
    since: datetime | None,
    limit: int,
    stored_since: datetime | None = None,
) -> list[StoredDocument]:
    """The next documents in the order of their times and ids.

    Args:
        since: published then or later.
        stored_since: only versions stored then or later; there is no index for it.
    """
    query = select(*_COLUMNS).order_by(document.c.published_at, document.c.id).limit(limit)
    if since is not None:
        query = query.where(document.c.published_at >= since)
    if after is not None:
        query = query.where(
            document.c.published_at >= after.published_at,  # picks the partitions, which the pair does not
            tuple_(document.c.published_at, document.c.id) > tuple_(after.published_at, after.id),
        )
    if stored_since is not None:
        query = query.where(document.c.stored_at >= stored_since)
    return [StoredDocument(*row) for row in connection.execute(query)]


def newest(connection: Connection, limit: int) -> list[StoredDocument]:
    """The newest documents, to try a definition on."""
    query = select(*_COLUMNS).order_by(document.c.published_at.desc(), document.c.id).limit(limit)
    return [StoredDocument(*row) for row in connection.execute(query)]


def estimate(connection: Connection, since: datetime | None) -> int:
    """How many documents there are, by the minute counts; for progress bars."""
    query = select(func.coalesce(func.sum(opinion_minute.c.total), 0))
    if since is not None:
        query = query.where(opinion_minute.c.bucket_at >= floor_to(since, MINUTE))
    return int(connection.scalar(query) or 0)


def apply(connection: Connection, changes: Sequence[Change]) -> list[StoredDocument]:
    """Make the changes: in `document`, `mention` and `watchlist_minute`, in the caller's transaction.

    Returns:
        Documents that were revised since they were read, as they are now: nothing was done to them.
    """
    wanted = {change.document.id: change for change in changes}
    current = _lock(connection, wanted)
    stale = [row for row in current if row.revision != wanted[row.id].document.revision]
    counts = CountChanges((OF_MENTIONS,))
    done = []
    for row in current:
        change = wanted[row.id]
        if row.revision == change.document.revision:
            new = row._replace(mentions=_merged(row.mentions, change.mentions))
            counts.remove(row)
            counts.add(new)
            done.append((row, new))
    if done:
        after = [new for _, new in done]
        connection.execute(
            _SET_MENTIONS,
            {
                "times": [row.published_at for row in after],
                "ids": [row.id for row in after],
                "mentions": [json.dumps(row.mentions) if row.mentions else None for row in after],
            },
        )
        rows = [one for row in after for one in mentions.rows_of(row)]
        mentions.replace(connection, rows, [(row.published_at, row.id) for row in after])
        copied = copies.hold(connection, after)
        counts.move_copies(copies.Standing(row, new, True, True) for row, new in done if new.id in copied)
        counts.apply(connection)
    return stale


_SET_MENTIONS: Final = text("""
    UPDATE document AS d SET mentions = CAST(k.mentions AS jsonb)
    FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[]), CAST(:mentions AS text[]))
         AS k(published_at, id, mentions)
    WHERE d.published_at = k.published_at AND d.id = k.id
""")


def _lock(connection: Connection, ids: Mapping[str, Any]) -> list[StoredDocument]:
    """These documents as they are once nobody else writes them; locks in the order `storage.documents` takes them."""
    key = document_key.c
    connection.execute(select(key.id).where(key.id.in_(ids)).order_by(key.id).with_for_update()).all()
    rows = connection.execute(
        select(*_COLUMNS)
        .join(document_key, (document.c.published_at == key.published_at) & (document.c.id == key.id))
        .where(key.id.in_(ids))
        .order_by(key.id)
    )
    return [StoredDocument(*row) for row in rows]


def _merged(
    before: Sequence[dict[str, Any]] | None, changed: Mapping[str, dict[str, Any] | None]
) -> list[dict[str, Any]] | None:
    kept = {one["watchlist"]: one for one in before or ()}
    merged: dict[str, dict[str, Any] | None] = {**kept, **changed}
    return [one for _, one in sorted(merged.items()) if one is not None] or None


@contextmanager
def only_one(engine: Engine) -> Iterator[None]:
    """Raises:
    DependencyNotReadyError: another backfill is at work.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": BACKFILL_LOCK}):
            raise DependencyNotReadyError("another backfill is at work", remedy="run it again when that one is done")
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": BACKFILL_LOCK})


def key_of(revisions: Mapping[str, int], since: datetime | None) -> bytes:
    """What makes a backfill the same as one that was broken off: definitions and span."""
    said = [sorted(revisions.items()), since.isoformat() if since else None]
    return hashlib.sha256(json.dumps(said).encode()).digest()


def begin(connection: Connection, key: bytes, names: Sequence[str], since: datetime | None) -> BackfillState:
    """Where the backfill of this key was broken off, else a new one; others of these watchlists are forgotten."""
    table = watchlist_backfill.c
    connection.execute(
        delete(watchlist_backfill).where(table.key != key, table.watchlists.overlap(cast(list(names), ARRAY(Text))))
    )
    new = {"key": key, "watchlists": list(names), "since": since, "started_at": func.clock_timestamp()}
    connection.execute(insert(watchlist_backfill).values(new).on_conflict_do_nothing())
    row = connection.execute(select(watchlist_backfill).where(table.key == key)).one()
    reached = Place(row.reached_at, row.reached_id) if row.reached_at is not None else None
    return BackfillState(row.started_at, reached, dict(row.figures))


def save(connection: Connection, key: bytes, state: BackfillState) -> None:
    """Keep it for whoever goes on."""
    reached = state.reached or Place(None, None)  # type: ignore[arg-type]
    new = {
        "reached_at": reached.published_at,
        "reached_id": reached.id,
        "figures": state.figures,
        "updated_at": func.clock_timestamp(),
    }
    connection.execute(watchlist_backfill.update().where(watchlist_backfill.c.key == key).values(new))


def finish(connection: Connection, key: bytes) -> None:
    """There is nothing to go on with."""
    connection.execute(delete(watchlist_backfill).where(watchlist_backfill.c.key == key))
