"""Watches from outside: how long each partition stood still, how soon it went on after a fault, memory."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kafka.errors import KafkaError

from streams.offsets import OffsetReader, Standing

LOOK_SECONDS = 0.5


@dataclass
class Recovery:
    """A fault that is over, and the partitions that have not moved since."""

    fault: str
    ended_at: float
    waiting: set[int] | None = None
    seconds: float | None = None


@dataclass
class _Clock:
    """One partition: its committed offset, and since when that has not moved though there is something to read."""

    committed: int = -1
    since: float | None = None


@dataclass
class Standstill:
    """The longest stretch in which a partition stood still and every server was up. Pure; times in seconds.

    Attributes:
        worst: the longest, and `worst_partition` whose it was.
    """

    worst: float = 0.0
    worst_partition: int | None = None
    worst_ended_at: float = 0.0
    _clocks: dict[int, _Clock] = field(default_factory=dict)

    def look(self, now: float, standings: dict[int, Standing], servers_up_since: float | None) -> None:
        """One look. `servers_up_since`: None while a server is away; a stretch begins anew when it is back."""
        for partition, standing in standings.items():
            clock = self._clocks.setdefault(partition, _Clock())
            if servers_up_since is None:
                clock.since = None
            elif clock.since is not None:  # nobody may have looked while a server was away
                clock.since = max(clock.since, servers_up_since)
            self._note(partition, clock, now)
            if standing.next_offset != clock.committed or not standing.lag_records:
                clock.committed = standing.next_offset
                clock.since = now if standing.lag_records and servers_up_since is not None else None
            elif servers_up_since is not None and clock.since is None:
                clock.since = max(servers_up_since, now - LOOK_SECONDS)

    def _note(self, partition: int, clock: _Clock, now: float) -> None:
        stood = now - clock.since if clock.since is not None else 0.0
        if stood > self.worst:
            self.worst, self.worst_partition, self.worst_ended_at = stood, partition, now


class Observer:
    """A thread with a client of its own. The harness tells it when servers are away and when faults are over."""

    def __init__(
        self,
        reader: OffsetReader,
        memory: Callable[[], dict[str, float]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._memory = memory
        self._monotonic = monotonic
        self._began = monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._lock = threading.Lock()
        self._away: set[str] = set()
        self._up_since: float | None = monotonic()
        self._standings: dict[int, Standing] = {}
        self.standstill = Standstill()
        self.recoveries: list[Recovery] = []
        self.peak_megabytes: dict[str, float] = {}
        self.peak_lag = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=20)
        self._reader.close()

    def server_away(self, name: str) -> None:
        with self._lock:
            self._away.add(name)
            self._up_since = None

    def server_back(self, name: str) -> None:
        with self._lock:
            self._away.discard(name)
            if not self._away:
                self._up_since = self._monotonic()

    def fault_over(self, fault: str) -> None:
        """From now on count until every partition that has something to read has moved."""
        with self._lock:
            self.recoveries.append(Recovery(fault, self._monotonic()))

    @property
    def worst_at(self) -> float:
        """When, in seconds of the run, the longest standstill ended."""
        return self.standstill.worst_ended_at - self._began

    def lag(self) -> int | None:
        """Records not yet committed at the last look; None before the first."""
        with self._lock:
            return sum(one.lag_records for one in self._standings.values()) if self._standings else None

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            for name, megabytes in self._memory().items():
                self.peak_megabytes[name] = max(megabytes, self.peak_megabytes.get(name, 0.0))
            try:
                standings = self._reader.standings()
            except (KafkaError, OSError):  # no answer: the clocks go on, unless the harness stopped them
                continue
            self._look(standings)

    def _look(self, standings: dict[int, Standing]) -> None:
        with self._lock:
            now = self._monotonic()
            self.standstill.look(now, standings, self._up_since)
            self.peak_lag = max(self.peak_lag, sum(one.lag_records for one in standings.values()))
            for recovery in self.recoveries:
                self._recover(recovery, standings, now)
            self._standings = standings

    def _recover(self, recovery: Recovery, standings: dict[int, Standing], now: float) -> None:
        if recovery.seconds is not None:
            return
        if recovery.waiting is None:
            recovery.waiting = set(standings)
        before = self._standings
        recovery.waiting -= {
            partition
            for partition, standing in standings.items()
            if not standing.lag_records
            or (partition in before and standing.next_offset != before[partition].next_offset)
        }
        if not recovery.waiting:
            recovery.seconds = now - recovery.ended_at
