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
    """A stretch of offsets that no transaction settled, though later ones were settled or acknowledged."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int

    @property
    def records(self) -> int:
        return self.last_offset - self.first_offset + 1


@dataclass(frozen=True)
class Coverage:
    """From which to which offset a partition was settled, in how many lines, and what was left out between."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    lines: int
    holes: list[Hole]


def write_lines(connection: Connection, lines: Sequence[LedgerLine]) -> None:
    """Note what this transaction settled."""
    if lines:
        connection.execute(insert(offset_ledger), [vars(line) for line in lines])


def partitions(connection: Connection) -> list[tuple[str, int]]:
    """Every topic and partition that has lines; one look into the index for each."""
    return [(row.topic, row.partition) for row in connection.execute(_PARTITIONS)]


# PostgreSQL has no skip scan before version 18: https://wiki.postgresql.org/wiki/Loose_indexscan
_PARTITIONS = text("""
    WITH RECURSIVE pair AS (
        (SELECT topic, partition FROM offset_ledger ORDER BY topic, partition LIMIT 1)
        UNION ALL
        SELECT following.topic, following.partition
        FROM pair CROSS JOIN LATERAL (
            SELECT line.topic, line.partition FROM offset_ledger AS line
            WHERE (line.topic, line.partition) > (pair.topic, pair.partition)
            ORDER BY line.topic, line.partition LIMIT 1
        ) AS following
    )
    SELECT topic, partition FROM pair ORDER BY topic, partition
""")


def next_offsets(connection: Connection, topic: str) -> dict[int, tuple[int, datetime]]:
    """By partition: the offset after the last settled one, and the Kafka time of that last record.

    Costs a look into the index for each partition, however many lines there are.
    """
    found = [partition for name, partition in partitions(connection) if name == topic]
    rows = connection.execute(_NEWEST, {"topic": topic, "partitions": found})
    return {row.partition: (row.last_offset + 1, row.last_recorded_at) for row in rows}


_NEWEST = text("""
    SELECT pair.partition, newest.last_offset, newest.last_recorded_at
    FROM unnest(CAST(:partitions AS int[])) AS pair(partition) CROSS JOIN LATERAL (
        SELECT last_offset, last_recorded_at FROM offset_ledger AS line
        WHERE line.topic = :topic AND line.partition = pair.partition
        ORDER BY last_offset DESC LIMIT 1
    ) AS newest
""")


def totals(connection: Connection) -> dict[str, int]:
    """Records settled so far, by fate; a redelivered record counts again, as a repeat."""
    sums = {name: func.coalesce(func.sum(offset_ledger.c[name]), 0) for name in FATE_COLUMNS}
    row = connection.execute(select(*[column.label(name) for name, column in sums.items()])).one()
    return {name: int(getattr(row, name)) for name in FATE_COLUMNS}


FATE_COLUMNS = ("stored", "repeats", "revisions", "dead_lettered")

# Backwards, along the index: a hole is what lies between a line's end and the first offset of all that end later.
_COVERAGE = text("""
    SELECT min(first_offset) AS first_offset, max(last_offset) AS last_offset, count(*) AS lines,
           array_agg(ARRAY[last_offset + 1, reached - 1] ORDER BY last_offset)
               FILTER (WHERE reached > last_offset + 1) AS gaps
    FROM (
        SELECT first_offset, last_offset,
               min(first_offset) OVER (ORDER BY last_offset DESC
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
        FROM offset_ledger
        WHERE topic = :topic AND partition = :partition
    ) AS backwards
""")


def coverage(connection: Connection) -> list[Coverage]:
    """What the ledger says of every partition it knows; reads every line once."""
    found = []
    for topic, partition in partitions(connection):
        row = connection.execute(_COVERAGE, {"topic": topic, "partition": partition}).one()
        holes = [Hole(topic, partition, first, last) for first, last in row.gaps or ()]
        found.append(Coverage(topic, partition, row.first_offset, row.last_offset, row.lines, holes))
    return found
