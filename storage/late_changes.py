"""What has happened to the documents of a span since a wall time: come late, revised, erased, expired."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from storage.excess_counts import Scope


@dataclass(frozen=True, slots=True)
class Changes:
    """Since then.

    Attributes:
        late: documents that were not there.
        revised: documents that had another version.
        negative, total: by how much that moved the counts.
    """

    late: int
    revised: int
    negative: int
    total: int


# By the document's own sentiment; toward a watchlist it may be another, and what a replaced version mentioned is in
# its JSON.
_CHANGES: Final = """
    WITH now AS (
        SELECT d.id, d.sentiment FROM document AS d {mention}
        WHERE d.published_at >= :start AND d.published_at < :end AND d.stored_at > :since {where}
    ), before AS (
        SELECT d.id, d.sentiment FROM document_revision AS d
        WHERE d.published_at >= :start AND d.published_at < :end AND d.stored_at <= :since
          AND d.replaced_at > :since {where} {mentioned}
    )
    SELECT (SELECT count(*) FROM now WHERE id NOT IN (SELECT id FROM before)) AS late,
           (SELECT count(*) FROM before) AS revised,
           (SELECT count(*) FILTER (WHERE sentiment = 'negative') FROM now)
             - (SELECT count(*) FILTER (WHERE sentiment = 'negative') FROM before) AS negative,
           (SELECT count(*) FROM now) - (SELECT count(*) FROM before) AS total
"""
_OF_WATCHLIST: Final = (
    "JOIN mention AS n ON n.published_at = d.published_at AND n.document_id = d.id AND n.watchlist = :watchlist"
)


def changes_since(
    connection: Connection, scope: Scope, start: datetime, end: datetime, *, since: datetime
) -> Changes:
    """What became of the documents published in [start, end) since the wall time `since`; reads their rows."""
    columns = {"source": scope.source, "topic_label": scope.topic, "lang": scope.lang, "kind": scope.kind}
    asked: dict[str, Any] = {name: value for name, value in columns.items() if value is not None}
    where = "".join(f" AND d.{name} = :{name}" for name in asked)
    mention = mentioned = ""
    if scope.watchlist is not None:
        asked["watchlist"] = scope.watchlist
        mention = _OF_WATCHLIST
        mentioned = "AND d.mentions @> jsonb_build_array(jsonb_build_object('watchlist', CAST(:watchlist AS text)))"
    query = _CHANGES.format(mention=mention, where=where, mentioned=mentioned)
    row = connection.execute(text(query), {"start": start, "end": end, "since": since, **asked}).one()
    return Changes(**row._mapping)


def erased_since(connection: Connection, since: datetime) -> int:
    """Documents that people had erased since then, of any time: whose they were is not kept."""
    query = text("SELECT count(*) FROM opt_out WHERE kind = 'document' AND added_at > :since")
    return int(connection.scalar(query, {"since": since}) or 0)


def expired_before(connection: Connection) -> datetime | None:
    """Documents published before this time are gone; the counts of them stay."""
    found: datetime | None = connection.scalar(text("SELECT documents_before FROM retention_state"))
    return found
