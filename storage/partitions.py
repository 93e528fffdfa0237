"""The monthly partitions of `document` and `mention`: made when a month begins, dropped by retention."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Engine, text

PARTITIONED = ("document", "mention")
PARTITION_LOCK = 0x6F70_7061  # "oppa"; one maker of partitions at a time


class Partitions:
    """Makes sure that rows have a partition to go to; remembers which exist. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    def ensure(self, times: Iterable[datetime]) -> None:
        """Make the partitions of these months (UTC), in transactions of their own."""
        with self._lock:
            for month in sorted({(at.astimezone(UTC).year, at.astimezone(UTC).month) for at in times} - self._known):
                self._make(*month)
                self._known.add(month)

    def _make(self, year: int, month: int) -> None:
        first = datetime(year, month, 1, tzinfo=UTC)
        after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
            expired = connection.scalar(text("SELECT documents_before FROM retention_state"))
            if expired and after <= expired:
                return  # nothing of that month is stored any more, see `storage.opt_outs`
            for table in PARTITIONED:
                name = f"{table}_y{year:04d}m{month:02d}"
                if connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}):
                    continue
                # LIKE and ATTACH instead of PARTITION OF: the parent stays readable and writable meanwhile.
                connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
                connection.execute(
                    text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{after}')")
                )
