"""Filling the queue of `storage.label_queue`, and keeping what nobody should be asked any more out of it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, func, select, text

from storage.advisory_locks import hold
from storage.human_labels import READ_TEXT
from storage.label_queue import DOCUMENT, Reason
from storage.tables import label_queue

FILL_LOCK: Final = 0x6F70_6C71  # "oplq"; one fill at a time
LEAST_SHARE: Final = 0.001
_columns = label_queue.c


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A document to be asked about.

    Attributes:
        score, detail: how much it was wanted among those of its reason, and what that is based on.
        model_version: whose scores it was chosen by.
        cluster: of its copies, if it has any.
        wanted: how many people are to answer.
    """

    document_id: str
    published_at: datetime
    reason: Reason
    score: float
    detail: Mapping[str, Any]
    model_version: str
    cluster: int | None = None
    wanted: int = 1


class Listed(NamedTuple):
    """A waiting row, for people who look at the queue; the text is as it was crawled."""

    document_id: str
    published_at: datetime
    reason: Reason
    score: float
    detail: dict[str, Any]
    queued_at: datetime
    taken_by: str | None
    taken_until: datetime | None
    answered_by: list[str]
    wanted: int
    text: str


def only_fill(engine: Engine) -> AbstractContextManager[bool]:
    """The right to fill, as long as the context lasts; it gives False when somebody else has it."""
    return hold(engine, FILL_LOCK)


def waiting(connection: Connection) -> dict[Reason, int]:
    """Documents that nobody has answered yet, by reason."""
    rows = connection.execute(
        select(_columns.reason, func.count())
        .where(_columns.done_at.is_(None), _columns.answered_by == [])
        .group_by(_columns.reason)
    )
    return {row[0]: row[1] for row in rows}


def drop_stale(connection: Connection, *, before: datetime, now: datetime, judge: str | None) -> dict[str, int]:
    """Take out what is not worth an answer any more, unless somebody has it in hand. Returns how many, by cause.

    Dropped are documents that were queued before `before`, are gone, were labelled otherwise, were uncertain to
    another model than the one that judges now, or are of an incident that is over. What some have answered and others
    should is settled with the answers there are once it is that old.
    """
    rows = connection.execute(_DROP, {"before": before, "now": now, "judge": judge})
    found = {row.cause: row.documents for row in rows}
    connection.execute(_SETTLE, {"before": before, "now": now})
    return found


_DROP = text("""
    WITH stale AS (
        SELECT q.document_id, CASE
            WHEN NOT EXISTS (
                SELECT FROM document AS d WHERE d.published_at = q.published_at AND d.id = q.document_id
            ) THEN 'gone'
            WHEN EXISTS (SELECT FROM human_label AS h WHERE h.document_id = q.document_id) THEN 'labelled'
            WHEN q.queued_at < :before THEN 'old'
            WHEN q.reason = 'uncertain' AND q.model_version <> CAST(:judge AS text) THEN 'other model'
            WHEN q.reason = 'alert' AND NOT EXISTS (
                SELECT FROM incident AS i WHERE i.id = (q.detail->>'incident')::bigint AND i.status = 'firing'
            ) THEN 'incident over'
        END AS cause
        FROM label_queue AS q
        WHERE q.done_at IS NULL AND q.answered_by = '{}' AND (q.taken_until IS NULL OR q.taken_until <= :now)
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM label_queue AS q USING stale AS s
        WHERE q.document_id = s.document_id AND s.cause IS NOT NULL RETURNING s.cause
    )
    SELECT cause, count(*)::int AS documents FROM gone GROUP BY cause
""")
_SETTLE = text("""
    UPDATE label_queue SET done_at = :now
    WHERE done_at IS NULL AND answered_by <> '{}' AND queued_at < :before
      AND (taken_until IS NULL OR taken_until <= :now)
""")


def add(connection: Connection, entries: Sequence[NewEntry], shares: Mapping[Reason, float]) -> int:
    """Queue documents, the best of each reason first. Returns how many came in.

    Places go by strides (Waldspurger & Weihl 1995, "Stride Scheduling"): every reason advances by one over its
    share, from where the queue stands, so that any stretch of it holds the shares, whenever what was added.

    A document that waits for another reason and is now drawn by chance is from now on one of chance: else chance
    would miss just what the others like to ask about.
    """
    head = connection.scalar(select(func.min(_columns.place)).where(_columns.done_at.is_(None))) or 0.0
    last = connection.execute(
        select(_columns.reason, func.max(_columns.place)).where(_columns.done_at.is_(None)).group_by(_columns.reason)
    )
    places: dict[str, float] = {row[0]: row[1] for row in last}
    rows = []
    for entry in entries:
        places[entry.reason] = max(places.get(entry.reason, head), head) + 1 / max(shares[entry.reason], LEAST_SHARE)
        rows.append((entry, places[entry.reason]))
    added = 0
    for entry, place in rows:
        added += connection.execute(
            _ADD,
            {
                "id": entry.document_id,
                "published_at": entry.published_at,
                "reason": entry.reason,
                "score": entry.score,
                "place": place,
                "detail": msgspec.json.encode(entry.detail).decode(),
                "model_version": entry.model_version,
                "cluster": entry.cluster,
                "wanted": entry.wanted,
            },
        ).rowcount
    return added


_ADD = text("""
    INSERT INTO label_queue AS q
        (document_id, published_at, reason, score, place, detail, model_version, cluster, wanted)
    VALUES (:id, :published_at, :reason, :score, :place, CAST(:detail AS jsonb), :model_version, :cluster, :wanted)
    ON CONFLICT (document_id) DO UPDATE SET reason = excluded.reason, score = excluded.score, detail = excluded.detail
    WHERE excluded.reason = 'random' AND q.reason <> 'random' AND q.done_at IS NULL AND q.answered_by = '{}'
""")


def listed(connection: Connection, limit: int) -> list[Listed]:
    """The waiting documents in the order in which they will be handed out."""
    query = text(f"""
        SELECT q.document_id, q.published_at, q.reason, q.score, q.detail, q.queued_at, q.taken_by, q.taken_until,
               q.answered_by, q.wanted, {READ_TEXT} AS text
        FROM label_queue AS q {DOCUMENT} WHERE q.done_at IS NULL ORDER BY q.place, q.document_id LIMIT :limit
    """)  # noqa: S608  # constants
    return [Listed(*row) for row in connection.execute(query, {"limit": limit})]
