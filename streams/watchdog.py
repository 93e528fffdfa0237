"""Watches progress, not process life: Faust can stop reading without a word (docs/why/delivery.md)."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from kafka.errors import KafkaError

from core.logs import get_logger
from core.metrics import LAG, PARTITION_LAG, STANDSTILL
from streams.offsets import Standing
from streams.progress import Progress

log = get_logger(__name__)

LOOK_EVERY_SECONDS = 5.0
LONGEST_STEP_SECONDS = 3 * LOOK_EVERY_SECONDS
"""Between two looks no more than this is counted: a process that was stopped and continued saw nothing meanwhile."""

Holder = Literal["own", "nobody", "other"]


class Broker(Protocol):
    """What is asked of `streams.offsets.OffsetReader`."""

    def standings(self) -> dict[int, Standing]: ...
    def taken(self) -> frozenset[int]: ...
    def close(self) -> None: ...


@dataclass
class _Track:
    """One partition as it was seen last, and for how long it has stood still in the hands of its holder."""

    committed: int | None
    holder: Holder
    finished: int
    lag: int = 0
    stood: float = 0.0


class Watchdog:
    """A daemon thread with a client of its own: the event loop may be the thing that hangs.

    Counts, for each partition with records to read, the time since its committed offset last moved. Only such time
    counts in which the broker answered and no step was waiting for a dependency. The worker is at fault when the
    partition is its own, or nobody's; a partition that another member has is that member's affair.
    """

    def __init__(
        self,
        broker: Broker,
        progress: Progress,
        *,
        stall_seconds: float,
        waits_for: Callable[[], str | None],
        on_stall: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        waits_for: the dependency that the worker waits for now, or None; may block for a few seconds.
        on_stall: told why, once a partition has stood still for `stall_seconds`.
        """
        self._broker = broker
        self._progress = progress
        self._stall_seconds = stall_seconds
        self._waits_for = waits_for
        self._on_stall = on_stall
        self._monotonic = monotonic
        self._tracks: dict[int, _Track] = {}
        self._exported: set[int] = set()
        self._looked_at: float | None = None
        self._answered_at = monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended, or after 10 s if the broker keeps it waiting."""
        self._stop.set()
        self._thread.join(timeout=10)
        self._broker.close()

    def reason(self) -> str | None:
        """Why the worker is not ready: a partition stands still for half of the time allowed, or Kafka is away."""
        silent = self._monotonic() - self._answered_at
        if silent > 2 * LONGEST_STEP_SECONDS:
            return f"Kafka has not answered for {silent:.0f} s"
        for partition, track in sorted(self._tracks.items(), key=lambda item: -item[1].stood):
            if track.stood * 2 >= self._stall_seconds:
                whose = ", and no worker has it" if track.holder == "nobody" else ""
                return (
                    f"partition {partition}: {track.lag} records wait and nothing was committed "
                    f"for {track.stood:.0f} s{whose}"
                )
        return None

    def look(self) -> None:
        """One round: ask the broker, judge progress. Raises KafkaError when the broker does not answer."""
        looked_at, self._looked_at = self._looked_at, None  # stays None when the broker does not answer
        standings = self._broker.standings()
        holders = self._holders(standings)
        self._looked_at = self._answered_at = self._monotonic()
        passed = 0.0 if looked_at is None else min(self._looked_at - looked_at, LONGEST_STEP_SECONDS)
        is_waiting = self._waits_for() is not None
        advancing = self._progress.advancing()
        tracks = {}
        for partition, standing in standings.items():
            track = self._track(partition, standing, holders[partition])
            tracks[partition] = track
            has_sign = partition in advancing and self._progress.finished(partition) <= track.finished + 1
            if track.lag and track.holder != "other" and not is_waiting and not has_sign:
                track.stood += passed
            else:
                track.stood = 0.0
        self._tracks = tracks
        self._export()
        if any(track.stood >= self._stall_seconds for track in tracks.values()):
            self._on_stall(self.reason() or "no progress")

    def _track(self, partition: int, standing: Standing, holder: Holder) -> _Track:
        """What was known of the partition, or a new start if its offset or its holder has changed."""
        track = self._tracks.get(partition)
        if track is None or track.committed != standing.committed or track.holder != holder:
            track = _Track(standing.committed, holder, self._progress.finished(partition))
        else:
            track = _Track(track.committed, holder, track.finished, stood=track.stood)
        track.lag = standing.lag_records
        return track

    def _holders(self, standings: dict[int, Standing]) -> dict[int, Holder]:
        """Whose each partition is. The group is asked only about partitions that wait and are not ours."""
        own = self._progress.assigned
        foreign = {partition for partition, standing in standings.items() if standing.lag_records} - own
        taken = self._broker.taken() if foreign else frozenset()
        return {
            partition: "own" if partition in own else "nobody" if partition in foreign - taken else "other"
            for partition in standings
        }

    def _export(self) -> None:
        own = {partition: track for partition, track in self._tracks.items() if track.holder == "own"}
        LAG.set(sum(track.lag for track in self._tracks.values()))
        STANDSTILL.set(max((track.stood for track in own.values()), default=0.0))
        for partition in self._exported - own.keys():
            PARTITION_LAG.remove(str(partition))
        for partition, track in own.items():
            PARTITION_LAG.labels(str(partition)).set(track.lag)
        self._exported = set(own)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            try:
                self.look()
            except (KafkaError, OSError) as error:
                log.debug("watchdog_blind", error=str(error))
            except Exception:  # a thread that dies of a bug would leave the worker unwatched without a word
                log.exception("watchdog_failed")
