"""Which offsets of the raw topic were settled by which transaction: the proof that none was skipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, text

from storage.tables import offset_ledger


@dataclass(frozen=True)
class LedgerLine:
    """A run of offsets without a gap, and how many of them met each fate."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    stored: int
    repeats: int
    revisions: int
    dead_lettered: int
    last_recorded_at: datetime


@dataclass(frozen=True)
class Hole:
    """Offsets that no transaction settled, though later ones were."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


def write_lines(connection: Connection, lines: Sequence[LedgerLine]) -> None:
    """Note what this transaction settled."""
    if lines:
        connection.execute(insert(offset_ledger), [vars(line) for line in lines])


def next_offsets(connection: Connection, topic: str) -> dict[int, tuple[int, datetime]]:
    """By partition: the offset after the last settled one, and the Kafka time of that last record."""
    rows = connection.execute(_NEWEST, {"topic": topic})
    return {row.partition: (row.last_offset + 1, row.last_recorded_at) for row in rows}


_NEWEST = text("""
    SELECT DISTINCT ON (partition) partition, last_offset, last_recorded_at
    FROM offset_ledger
    WHERE topic = :topic
    ORDER BY partition, last_offset DESC
""")


def totals(connection: Connection) -> dict[str, int]:
    """Records settled so far, by fate; a redelivered record counts again, as a repeat."""
    sums = {name: func.coalesce(func.sum(offset_ledger.c[name]), 0) for name in FATE_COLUMNS}
    row = connection.execute(select(*[column.label(name) for name, column in sums.items()])).one()
    return {name: int(getattr(row, name)) for name in FATE_COLUMNS}


FATE_COLUMNS = ("stored", "repeats", "revisions", "dead_lettered")

_HOLES = text("""
    SELECT topic, partition, reached + 1 AS first_offset, first_offset - 1 AS last_offset
    FROM (
        SELECT topic, partition, first_offset,
               max(last_offset) OVER (PARTITION BY topic, partition ORDER BY first_offset, last_offset
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
        FROM offset_ledger
    ) AS line
    WHERE first_offset > reached + 1
    ORDER BY topic, partition, first_offset
""")


def holes(connection: Connection) -> list[Hole]:
    """Every gap between settled offsets, first ones first."""
    return [Hole(**row._mapping) for row in connection.execute(_HOLES)]
