"""Faust's events in batches that are acknowledged by hand, so that one batch can be read while others are in work."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any


class Batches:
    """Takes events as they come and hands out what has gathered.

    A batch is handed out once it is full or its oldest event has waited long enough. So a worker that is idle waits
    a little for more, and a busy one, whose next events have waited long enough already, waits for nothing. Faust's
    own `take` begins to wait only after the batch before it.
    """

    def __init__(self, stream: Any, *, most: int, wait_seconds: float) -> None:
        """Args:
        stream: of an agent with concurrency 1; from now on it acknowledges nothing by itself.
        most: events of a batch; as many again may wait for the next one.
        """
        stream.enable_acks = False
        self._stream = stream
        self._most = most
        self._wait_seconds = wait_seconds
        self._waiting: list[Any] = []
        self._oldest_since = 0.0
        self._has_some = asyncio.Event()
        self._is_full = asyncio.Event()
        self._has_room = asyncio.Event()

    async def fill(self) -> None:
        """Read the stream until it ends. Stands still while as many events wait as a batch may hold."""
        async for event in self._stream.events():
            if not self._waiting:
                self._oldest_since = time.monotonic()
            self._waiting.append(event)
            self._has_some.set()
            if len(self._waiting) >= self._most:
                self._is_full.set()
                self._has_room.clear()
                await self._has_room.wait()

    async def take(self) -> Sequence[Any]:
        """The next batch, at least one event, in the order of the stream."""
        await self._has_some.wait()
        patience = self._oldest_since + self._wait_seconds - time.monotonic()
        if patience > 0 and not self._is_full.is_set():
            try:
                async with asyncio.timeout(patience):
                    await self._is_full.wait()
            except TimeoutError:
                pass
        batch, self._waiting = self._waiting, []
        self._has_some.clear()
        self._is_full.clear()
        self._has_room.set()
        return batch

    async def acknowledge(self, batch: Sequence[Any]) -> None:
        """Let Faust commit the offsets of a batch. Call it in the order of `take`."""
        for event in batch:
            await self._stream.ack(event)
