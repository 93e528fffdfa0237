"""Bringing the mentions of stored documents up to date with a changed watchlist, while workers go on writing."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Text, cast, delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert

from core.windows import MINUTE, floor_to
from storage import stored_documents
from storage.minute_counts import OF_MENTIONS
from storage.stored_documents import Place, StoredDocument
from storage.tables import opinion_minute, watchlist_backfill


@dataclass(frozen=True)
class Change:
    """What the mentions of one version of a document have to be for some watchlists; others stay.

    Attributes:
        mentions: by watchlist a `core.records.Mention` as JSON, None where there is none any more.
    """

    document: StoredDocument
    mentions: Mapping[str, dict[str, Any] | None]


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


class OpenBackfill(NamedTuple):
    """A backfill that has begun and not ended: somebody is at it, or it was broken off."""

    watchlists: list[str]
    since: datetime | None
    started_at: datetime
    reached_at: datetime | None
    figures: dict[str, int]
    updated_at: datetime


def unfinished(connection: Connection) -> list[OpenBackfill]:
    """Those that have begun and not ended, the newest first."""
    columns = [watchlist_backfill.c[name] for name in OpenBackfill._fields]
    query = select(*columns).order_by(watchlist_backfill.c.started_at.desc())
    return [OpenBackfill(*row) for row in connection.execute(query)]


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
    current = stored_documents.lock(connection, wanted)
    stale = [row for row in current if row.revision != wanted[row.id].document.revision]
    done = [
        (row, row._replace(mentions=_merged(row.mentions, wanted[row.id].mentions)))
        for row in current
        if row.revision == wanted[row.id].document.revision
    ]
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
        stored_documents.move_counts(connection, done, (OF_MENTIONS,))
    return stale


_SET_MENTIONS: Final = text("""
    UPDATE document AS d SET mentions = CAST(k.mentions AS jsonb)
    FROM unnest(CAST(:times AS timestamptz[]), CAST(:ids AS text[]), CAST(:mentions AS text[]))
         AS k(published_at, id, mentions)
    WHERE d.published_at = k.published_at AND d.id = k.id
""")


def _merged(
    before: Sequence[dict[str, Any]] | None, changed: Mapping[str, dict[str, Any] | None]
) -> list[dict[str, Any]] | None:
    kept = {one["watchlist"]: one for one in before or ()}
    merged: dict[str, dict[str, Any] | None] = {**kept, **changed}
    return [one for _, one in sorted(merged.items()) if one is not None] or None


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
