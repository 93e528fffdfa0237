"""How many raw records were dead-lettered, by minute of the records' own Kafka time; read from the ledger."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text


class Fates(NamedTuple):
    """Records settled, and how many of them were dead-lettered. A record that was read twice counts twice."""

    records: int
    dead_lettered: int


_BY_MINUTE = text("""
    SELECT date_trunc('minute', last_recorded_at) AS minute, sum(dead_lettered) AS dead_lettered,
           sum(stored + repeats + revisions + dead_lettered) AS records
    FROM offset_ledger
    WHERE topic = :topic AND last_recorded_at >= :start AND last_recorded_at < :end
    GROUP BY 1
""")


def by_minute(connection: Connection, topic: str, start: datetime, end: datetime) -> Mapping[datetime, Fates]:
    """The minutes of [start, end) in which a ledger line ends; all its records count there."""
    rows = connection.execute(_BY_MINUTE, {"topic": topic, "start": start, "end": end})
    return {row.minute: Fates(int(row.records), int(row.dead_lettered)) for row in rows}


def total(connection: Connection, topic: str, start: datetime, end: datetime) -> Fates:
    """The same, together."""
    minutes = by_minute(connection, topic, start, end).values()
    return Fates(sum(one.records for one in minutes), sum(one.dead_lettered for one in minutes))
