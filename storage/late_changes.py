"""What has happened to the documents of a span since a wall time: come late, revised, erased, expired."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from storage.excess_counts import Scope
from storage.scope_sql import IS_COPY, STANDING, scope_sql


@dataclass(frozen=True, slots=True)
class Changes:
    """Since then.

    Attributes:
        late: documents that were not there.
        revised: documents that had another version.
        negative, total: by how much that moved what the detector is given, with who is whose copy as it is now.
    """

    late: int
    revised: int
    negative: int
    total: int


# By the document's own sentiment; toward a watchlist it may be another, and what a replaced version mentioned is in
# its JSON.
_CHANGES: Final = """
    WITH now AS (
        SELECT d.id, {is_counted} AS is_counted, {is_copy} AS is_copy FROM document AS d {standing}
        WHERE d.published_at >= :start AND d.published_at < :end AND d.stored_at > :since AND {is_of} {mentioned}
    ), before AS (
        SELECT d.id, {is_counted} AS is_counted, {is_copy} AS is_copy FROM document_revision AS d {standing}
        WHERE d.published_at >= :start AND d.published_at < :end AND d.stored_at <= :since
          AND d.replaced_at > :since AND {is_of} {mentioned}
    )
    SELECT (SELECT count(*) FROM now WHERE id NOT IN (SELECT id FROM before)) AS late,
           (SELECT count(*) FROM before) AS revised,
           (SELECT count(*) FILTER (WHERE is_counted AND NOT is_copy) FROM now)
             - (SELECT count(*) FILTER (WHERE is_counted AND NOT is_copy) FROM before) AS negative,
           (SELECT count(*) FILTER (WHERE NOT is_copy) FROM now)
             - (SELECT count(*) FILTER (WHERE NOT is_copy) FROM before) AS total
"""
_MENTIONED: Final = "AND jsonb_path_query_array(d.mentions, '$[*].watchlist') ?| CAST(:watchlist AS text[])"


def changes_since(
    connection: Connection, scope: Scope, start: datetime, end: datetime, *, since: datetime
) -> Changes:
    """What became of the documents published in [start, end) since the wall time `since`; reads their rows."""
    sql = scope_sql(scope)
    query = _CHANGES.format(
        is_counted="true" if scope.counted == "total" else "d.sentiment = 'negative'",
        is_copy=IS_COPY,
        standing=STANDING,
        is_of=sql.is_of,
        mentioned=_MENTIONED if "watchlist" in scope.where else "",
    )
    row = connection.execute(text(query), {"start": start, "end": end, "since": since, **sql.values}).one()
    return Changes(**row._mapping)


# Copies lie at most a week apart (`storage.copies`), and a chain of them is found by its cluster.
_REGROUPED: Final = """
    WITH told AS (
        SELECT DISTINCT t.cluster
        FROM document AS d {standing}
        WHERE d.published_at >= :start AND d.published_at < :end AND {is_of} AND t.cluster IS NOT NULL
    )
    SELECT EXISTS (
        SELECT FROM told JOIN copy_text AS t ON t.cluster = told.cluster JOIN document AS d ON d.copy_text = t.id
        WHERE d.stored_at > :since
    ) OR EXISTS (
        SELECT FROM document_revision AS d JOIN copy_text AS t ON t.id = d.copy_text
        WHERE d.published_at >= CAST(:start AS timestamptz) - interval '8 days'
          AND d.published_at < CAST(:end AS timestamptz) + interval '8 days'
          AND d.replaced_at > :since AND t.cluster IN (SELECT cluster FROM told)
    )
"""


def is_regrouped_since(
    connection: Connection, scope: Scope, start: datetime, end: datetime, *, since: datetime
) -> bool:
    """Whether the documents published in [start, end) got or lost copies since: other ones may be voices then."""
    sql = scope_sql(scope)
    query = _REGROUPED.format(standing=STANDING, is_of=sql.is_of)
    values = {name: value for name, value in sql.values.items() if name != "watchlist"}
    return bool(connection.scalar(text(query), {"start": start, "end": end, "since": since, **values}))


def erased_since(connection: Connection, since: datetime) -> int:
    """Documents that people had erased since then, of any time: whose they were is not kept."""
    query = text("SELECT count(*) FROM opt_out WHERE kind = 'document' AND added_at > :since")
    return int(connection.scalar(query, {"since": since}) or 0)


def expired_before(connection: Connection) -> datetime | None:
    """Documents published before this time are gone; the counts of them stay."""
    found: datetime | None = connection.scalar(text("SELECT documents_before FROM retention_state"))
    return found
