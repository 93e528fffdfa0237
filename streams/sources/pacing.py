"""Not too much for one host: one request at a time, time between two, and none while it wants peace."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from streams.sources.refusals import FetchError

LONGEST_WAIT_SECONDS: Final = 60.0  # for a turn; a host that wants more is left for another poll
MOST_HOSTS: Final = 10_000  # remembered; links of feeds lead to any number of hosts


class _Host:
    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.waiting = 0
        self.free_at = 0.0


class HostPacer:
    """The turns of every host. Of one event loop."""

    def __init__(self, interval_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval_seconds
        self._now = now
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str, interval_seconds: float = 0) -> AsyncIterator[None]:
        """Wait until the host may be asked, and keep others from asking it meanwhile.

        Args:
            interval_seconds: wished by the host itself; the longer of this and our own counts.

        Raises:
            FetchError: `rate_limited`; it would take too long.
        """
        place = self._hosts.setdefault(host, _Host())
        place.waiting += 1
        try:
            async with place.turn:
                wait = place.free_at - self._now()
                if wait > LONGEST_WAIT_SECONDS:
                    raise FetchError(
                        "rate_limited", f"{host} wants to be left alone", retry_after=timedelta(seconds=wait)
                    )
                if wait > 0:
                    await asyncio.sleep(wait)
                try:
                    yield
                finally:
                    interval = min(max(self._interval, interval_seconds), LONGEST_WAIT_SECONDS)
                    place.free_at = max(place.free_at, self._now() + interval)
        finally:
            place.waiting -= 1
            self._forget()

    def hold(self, host: str, duration: timedelta) -> None:
        """Leave a host alone for so long."""
        place = self._hosts.setdefault(host, _Host())
        place.free_at = max(place.free_at, self._now() + duration.total_seconds())

    def _forget(self) -> None:
        if len(self._hosts) > MOST_HOSTS:
            now = self._now()
            self._hosts = {name: host for name, host in self._hosts.items() if host.waiting or host.free_at > now}
