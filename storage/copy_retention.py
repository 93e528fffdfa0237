"""Forgetting the texts of documents that are gone; clusters go on, or part, without them."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from storage import copies
from storage.copy_index import day_of, forget_nodes, hold_keys, read_nodes
from storage.minute_counts import CountChanges

ROWS: Final = 1000

_OLDEST = text("SELECT id FROM copy_text WHERE day < :before ORDER BY day, id LIMIT :rows")


def forget_before(
    connection: Connection, before: datetime, rows: int = ROWS, window_days: int = copies.WINDOW_DAYS
) -> bool:
    """Take a piece of the texts published before a day (UTC) out of the clusters and the index.

    Whoever calls this has seen to it that documents before that day are not stored any more. A cluster that loses its
    voice gets the earliest of what is left for its voice, which is counted as independent from then on; the counts of
    the minutes before stay as they are.

    Returns:
        Whether there may be more to forget.
    """
    ids = list(connection.execute(_OLDEST, {"before": day_of(before), "rows": rows}).scalars())
    if not ids:
        return False
    hold_keys(connection, list(read_nodes(connection, ids).values()))
    standings = copies.take_out(connection, ids, window_days)
    forget_nodes(connection, list(read_nodes(connection, ids).values()))
    changes = CountChanges()
    changes.move_copies(standings)
    changes.apply(connection)
    return len(ids) == rows
