"""Watches progress, not process life: Faust can stop reading without a word (docs/why/delivery.md)."""

import threading
import time
from collections.abc import Callable

from kafka.errors import KafkaError

from core.logs import get_logger
from streams.offsets import OffsetReader

log = get_logger(__name__)

LOOK_EVERY_SECONDS = 5.0


class Watchdog:
    """A daemon thread with a client of its own: the event loop may be the thing that hangs.

    Counts only time in which the broker answered, the group had something to read, nothing was committed
    anywhere in the topic, and no step was waiting for a dependency.
    """

    def __init__(
        self,
        reader: OffsetReader,
        *,
        stall_seconds: float,
        is_holding: Callable[[], bool],
        on_stall: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._stall_seconds = stall_seconds
        self._is_holding = is_holding
        self._on_stall = on_stall
        self._monotonic = monotonic
        self._stood_since: float | None = None
        self._committed: dict[int, int | None] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self.lag_records: int | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        self._reader.close()

    def reason(self) -> str | None:
        """Why the worker is not ready: it stands still for more than half of the time allowed."""
        stood = self._stood_seconds()
        if stood * 2 < self._stall_seconds:
            return None
        return f"{self.lag_records} records wait and nothing was committed for {stood:.0f} s"

    def look(self) -> None:
        """One round: ask the broker, judge progress. Raises KafkaError when the broker does not answer."""
        standings = self._reader.standings()
        committed = {partition: standing.committed for partition, standing in standings.items()}
        self.lag_records = sum(standing.lag_records for standing in standings.values())
        if not self.lag_records or committed != self._committed or self._is_holding():
            self._stood_since = None
        elif self._stood_since is None:
            self._stood_since = self._monotonic()
        self._committed = committed
        if self._stood_seconds() >= self._stall_seconds:
            self._on_stall(self.reason() or "no progress")

    def _stood_seconds(self) -> float:
        return 0.0 if self._stood_since is None else self._monotonic() - self._stood_since

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            try:
                self.look()
            except (KafkaError, OSError) as error:
                self._stood_since = None  # a broker that is away is no stall of ours
                log.debug("watchdog_blind", error=str(error))
