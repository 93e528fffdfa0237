"""Merges old ledger lines, so that the ledger grows with time and not with documents.

What the lines say stays: the offsets they cover (and so every hole), the records by fate, and the newest line of
each partition. A line that came of merging takes the id and the time of the newest of its parts, so nothing looks
newer or older than it is.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from storage.offset_ledger import partitions

COMPACTION_LOCK = 0x6F70_6C63  # "oplc"; one compaction at a time
LINES_AT_ONCE = 5_000  # of one partition, read and merged in one statement
FULL_LINE_RECORDS = 1_000_000_000  # a line with so many is left alone: its counts are 32 bits wide

_MERGE = text("""
    WITH oldest AS (
        SELECT * FROM offset_ledger
        WHERE topic = :topic AND partition = :partition AND stored + repeats + revisions + dead_lettered < :full
        ORDER BY last_offset LIMIT :lines
    ), ordered AS (
        SELECT oldest.*, coalesce(first_offset > max(last_offset) OVER earlier + 1, true) AS starts_run
        FROM oldest WHERE committed_at < :before
        WINDOW earlier AS (ORDER BY first_offset, last_offset, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ), numbered AS (
        SELECT ordered.*, count(*) FILTER (WHERE starts_run) OVER (ORDER BY first_offset, last_offset, id) AS run
        FROM ordered
    ), merged AS (
        SELECT max(id) AS kept, array_agg(id) AS ids,
               min(first_offset) AS first_offset, max(last_offset) AS last_offset,
               (array_agg(last_recorded_at ORDER BY last_offset DESC, id DESC))[1] AS last_recorded_at,
               sum(stored) AS stored, sum(repeats) AS repeats, sum(revisions) AS revisions,
               sum(dead_lettered) AS dead_lettered, sum(merged_lines) AS merged_lines
        FROM numbered GROUP BY run
        HAVING count(*) > 1 AND sum(stored + repeats + revisions + dead_lettered::bigint) < 2 * CAST(:full AS bigint)
    ), removed AS (
        DELETE FROM offset_ledger AS line USING merged
        WHERE line.id = ANY (merged.ids) AND line.id <> merged.kept
        RETURNING line.id
    ), widened AS (
        UPDATE offset_ledger AS line
        SET first_offset = merged.first_offset, last_offset = merged.last_offset,
            last_recorded_at = merged.last_recorded_at, stored = merged.stored, repeats = merged.repeats,
            revisions = merged.revisions, dead_lettered = merged.dead_lettered, merged_lines = merged.merged_lines
        FROM merged WHERE line.id = merged.kept
    )
    SELECT count(*) FROM removed
""")


def compact(connection: Connection, before: datetime, *, lines: int = LINES_AT_ONCE) -> int:
    """Merge lines that were committed before a time and follow one another without a gap.

    Safe beside workers, which only ever add lines, and beside another compaction, which wins. All of it is the
    caller's transaction: when that is cut off, nothing was merged.

    Args:
        connection: inside a READ COMMITTED transaction.
        lines: how many lines to look at in each partition, the oldest ones.

    Returns:
        How many lines have gone. More may be left; call again, in another transaction, until it says 0.
    """
    if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": COMPACTION_LOCK}):
        return 0
    limits = {"before": before, "lines": lines, "full": FULL_LINE_RECORDS}
    return sum(
        connection.scalar(_MERGE, {"topic": topic, "partition": partition, **limits}) or 0
        for topic, partition in partitions(connection)
    )
