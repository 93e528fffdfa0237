"""How far event time has come, and which of those sightings may be trusted yet. Pure.

A source's watermark is the newest published minute seen of it. Several workers take the backlog of different
partitions at different speeds, so the newest minute in SQL says nothing about older documents that another worker
has still to store. Therefore a sighting made at wall time t counts only once every record produced before t has
been settled (`settled_until`). After that, every document not later than the lateness is in the counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

SETTLE = timedelta(seconds=5)  # from a record's creation to its place in the log: linger, retries, clocks apart
MOST_SIGHTINGS = 256


@dataclass(frozen=True, slots=True)
class PartitionStanding:
    """One partition of the raw topic: its log, and what the workers have settled of it (None: nothing yet)."""

    log_start: int
    log_end: int
    next_offset: int | None
    last_recorded_at: datetime | None

    @property
    def is_drained(self) -> bool:
        return max(self.next_offset or 0, self.log_start) >= self.log_end


def settled_until(now: datetime, partitions: list[PartitionStanding]) -> datetime | None:
    """Every record produced before this time has been settled; None: nothing can be said.

    Args:
        now: taken before the partitions' ends were asked for.
    """
    reached = now
    for partition in partitions:
        if partition.is_drained:
            continue
        if partition.last_recorded_at is None:
            return None
        reached = min(reached, partition.last_recorded_at)
    return reached - SETTLE


@dataclass(frozen=True, slots=True)
class Sighting:
    """The newest minute of every source as SQL showed it just before `seen_at`."""

    seen_at: datetime
    newest: Mapping[str, datetime]


class WatermarkLog:
    """The sightings that are still waiting to be trusted; bounded, kept in memory only.

    A new process starts without any, which delays judging by one run and changes nothing else.
    """

    def __init__(self) -> None:
        self._waiting: list[Sighting] = []
        self._trusted: Sighting | None = None

    def add(self, sighting: Sighting) -> None:
        self._waiting.append(sighting)
        if len(self._waiting) > MOST_SIGHTINGS:  # a long backlog: keep every second, the newest included
            self._waiting = self._waiting[::-2][::-1]

    def trusted(self, settled: datetime | None) -> Sighting | None:
        """The newest sighting made at or before `settled`; None before the first."""
        if settled is not None:
            ready = [s for s in self._waiting if s.seen_at <= settled]
            if ready:
                self._trusted = ready[-1]
                self._waiting = self._waiting[len(ready) :]
        return self._trusted


def closed_until(newest: datetime, lateness: timedelta, bucket: timedelta, epoch: datetime) -> datetime:
    """End of the last bucket that is complete: bucket end + lateness <= watermark."""
    return epoch + (newest - lateness - epoch) // bucket * bucket
