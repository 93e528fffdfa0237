"""Old documents go a whole month at a time, by dropping the month's partitions.

Three steps, each of them repeatable, so that a run which is broken off is simply gone on with:

1. `expire`: from now on documents before a time are gone: none is stored any more (`storage.opt_outs`), and the audit
   holds nothing against them.
2. `forget_keys`, `forget_history` and `storage.copy_retention`: the rows about them in tables that have no
   partitions, a few at a time.
3. `drop_month`: the partitions, in a moment.

The minute counts stay: they hold no text and no author, charts go on, and the detector knows last year.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from storage.partitions import PARTITION_LOCK, PARTITIONED

LOCK_TIMEOUT: Final = timedelta(seconds=1)
"""Who waits for a lock keeps everybody behind it waiting: so no longer than this, and then again in a while."""
_MONTH: Final = re.compile(r"_y(\d{4})m(\d{2})$")


def month_of(at: datetime) -> datetime:
    """The beginning of the month (UTC)."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def expire(connection: Connection, before: datetime) -> datetime:
    """Let documents published before this time be gone; a time before an earlier one changes nothing.

    Waits, for `LOCK_TIMEOUT` at most, until the batches that are being stored are done: these have read the time
    before, and may hold documents that expire now.

    Returns:
        The time that counts.

    Raises:
        sqlalchemy.exc.OperationalError: there was no moment for it.
    """
    known: datetime | None = connection.scalar(text("SELECT documents_before FROM retention_state"))
    if known and known >= before:
        return known
    _limit_waiting(connection)
    connection.execute(text("LOCK TABLE retention_state IN ACCESS EXCLUSIVE MODE"))
    connection.execute(
        text("""
            INSERT INTO retention_state (documents_before) VALUES (:before)
            ON CONFLICT (is_one) DO UPDATE
            SET documents_before = greatest(retention_state.documents_before, excluded.documents_before)
        """),
        {"before": before},
    )
    return before


def expired_months(connection: Connection, before: datetime) -> list[datetime]:
    """Months that end by this time and still have a partition, the oldest first."""
    months = set()
    for name in connection.scalars(_PARTITIONS):
        if found := _MONTH.search(name):
            month = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
            if month_of(month + timedelta(days=32)) <= before:
                months.add(month)
    return sorted(months)


_PARTITIONS = text("""
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('document'::regclass, 'mention'::regclass)
""")


def forget_keys(connection: Connection, month: datetime, after: str, rows: int) -> str | None:
    """Delete the keys of the next `rows` documents of a month, in the order of their ids; returns the last id, None
    at the end."""
    asked = {"begin": month, "end": month_of(month + timedelta(days=32)), "after": after, "rows": rows}
    ids = list(connection.scalars(_NEXT_IDS, asked))
    if ids:
        connection.execute(_FORGET_KEYS, {**asked, "ids": ids})
        connection.execute(_FORGET_VERDICTS, {"ids": ids})
    return ids[-1] if len(ids) == rows else None


_NEXT_IDS = text("""
    SELECT id FROM document WHERE published_at >= :begin AND published_at < :end AND id > :after
    ORDER BY id LIMIT :rows
""")
_FORGET_KEYS = text(
    "DELETE FROM document_key WHERE id = ANY(:ids) AND published_at >= :begin AND published_at < :end"
)

# What people answered stays in human_label, by itself.
_FORGET_VERDICTS = text("DELETE FROM people_verdict WHERE document_id = ANY(:ids)")


def forget_history(connection: Connection, before: datetime, rows: int) -> bool:
    """Delete `rows` replaced versions published before this time; returns whether there may be more."""
    gone = connection.execute(_FORGET_HISTORY, {"before": before, "rows": rows}).rowcount
    return gone == rows


_FORGET_HISTORY = text("""
    DELETE FROM document_revision WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM document_revision WHERE published_at < :before LIMIT :rows
    ))
""")


def drop_month(connection: Connection, month: datetime) -> None:
    """Drop the partitions of a month.

    Raises:
        sqlalchemy.exc.OperationalError: there was no moment for it: somebody reads `document` all the time.
    """
    _limit_waiting(connection)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
    for table in PARTITIONED:
        connection.execute(text(f"DROP TABLE IF EXISTS {table}_y{month.year:04d}m{month.month:02d}"))


def _limit_waiting(connection: Connection) -> None:
    milliseconds = str(int(LOCK_TIMEOUT.total_seconds() * 1000))
    connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": milliseconds})
