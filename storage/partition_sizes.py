"""How much room the months of documents take."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text


class MonthSize(NamedTuple):
    """A month's partitions of `document` and `mention`, their indexes among them.

    Attributes:
        documents: as PostgreSQL last counted them; None before its first ANALYZE.
    """

    month: datetime
    documents: int | None
    bytes: int


_MONTHS = text(r"""
    SELECT to_timestamp(substring(part.relname FROM '_y(\d{4}m\d{2})$'), 'YYYY"m"MM') AT TIME ZONE 'UTC' AS month,
           max(part.reltuples) FILTER (WHERE i.inhparent = 'document'::regclass)::bigint AS documents,
           sum(pg_total_relation_size(part.oid))::bigint AS bytes
    FROM pg_inherits AS i JOIN pg_class AS part ON part.oid = i.inhrelid
    WHERE i.inhparent IN ('document'::regclass, 'mention'::regclass) AND part.relname ~ '_y\d{4}m\d{2}$'
    GROUP BY 1 ORDER BY 1 DESC
""")


def months(connection: Connection) -> Sequence[MonthSize]:
    """The newest first."""
    rows = connection.execute(_MONTHS)
    return [MonthSize(row.month, None if row.documents in (None, -1) else row.documents, row.bytes) for row in rows]


def database_bytes(connection: Connection) -> int:
    """Everything in this database."""
    return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
