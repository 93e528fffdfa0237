"""Waiting until the workers have settled given offsets, and how long records took to become rows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from core.errors import DependencyNotReadyError
from storage.engine import connect
from storage.offset_ledger import next_offsets

LOOK_EVERY_SECONDS = 0.5
GIVE_UP_AFTER_SECONDS = 60.0  # without any progress


@dataclass(frozen=True)
class Settled:
    """Attributes:
    settled_seconds: from the start of the import to the last commit.
    record_to_row_p50_seconds: Kafka timestamp to row, median; and the 95th percentile.
    """

    settled_seconds: float
    settled_documents_per_second: float
    record_to_row_p50_seconds: float | None
    record_to_row_p95_seconds: float | None


def wait_until_settled(database_url: str, topic: str, end_offsets: Mapping[int, int], started: float) -> Settled:
    """Wait until the ledger has every offset below `end_offsets`.

    Args:
        started: `time.monotonic()` of the start.

    Raises:
        DependencyNotReadyError: nothing moved for a minute.
    """
    engine = connect(database_url)
    best, moved_at = -1, time.monotonic()
    while True:
        settled = _settled(engine, topic)
        reached = sum(min(settled.get(partition, 0), end) for partition, end in end_offsets.items())
        if reached == sum(end_offsets.values()):
            break
        if reached > best:
            best, moved_at = reached, time.monotonic()
        elif time.monotonic() - moved_at > GIVE_UP_AFTER_SECONDS:
            raise DependencyNotReadyError(
                "the workers settle nothing", remedy="is one running? see `opinion doctor` and `opinion worker`"
            )
        time.sleep(LOOK_EVERY_SECONDS)
    seconds = time.monotonic() - started
    with engine.connect() as connection:
        rows, p50, p95 = _latency(connection, seconds)
    engine.dispose()
    return Settled(round(seconds, 2), round(rows / seconds, 1), p50, p95)


def _settled(engine: Engine, topic: str) -> dict[int, int]:
    """By partition the offset after the last settled one; nothing while the database is away."""
    try:
        with engine.connect() as connection:
            return {partition: offset for partition, (offset, _) in next_offsets(connection, topic).items()}
    except OperationalError:
        return {}


def _latency(connection: Connection, seconds: float) -> tuple[int, float | None, float | None]:
    """Rows recorded in the last `seconds`, and percentiles of their way from Kafka to SQL."""
    row = connection.execute(
        text("""
            SELECT count(*) AS rows,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM stored_at - recorded_at)) AS p50,
                   percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM stored_at - recorded_at)) AS p95
            FROM document WHERE recorded_at > now() - make_interval(secs => :seconds)
        """),
        {"seconds": seconds + 1},
    ).one()
    return row.rows, *(None if value is None else round(float(value), 3) for value in (row.p50, row.p95))
