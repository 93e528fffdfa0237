"""One reader of a stream: first what it lacks, then what comes.

It pulls: a chunk is made when the one before has been taken by the connection. So a slow reader costs nothing but its
own place; when the ring has gone on without it, it is sent back to Kafka, at its own cursor, and loses nothing.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka.errors import KafkaError

from core import cursors
from core.errors import DependencyNotReadyError
from core.logs import get_logger
from core.metrics import STREAM_READERS
from streams.live import feed
from streams.live.ring import Entry

if TYPE_CHECKING:
    from streams.live.hub import Hub

RETRY_MILLISECONDS: Final = 3000  # so soon a browser connects again
CHUNK_RECORDS: Final = 1000
CHUNK_BYTES: Final = 64 * 1024  # as much as uvicorn buffers before it makes us wait
MOST_SHARED_CHUNKS: Final = 64
AGAIN_SECONDS: Final = 2.0

log = get_logger(__name__)


class Wanted(Protocol):
    """What a reader wants; equal ones share their work, so it has a hash."""

    def matches(self, value: Any) -> bool:
        """Whether it wants this record."""
        ...

    def __hash__(self) -> int: ...


class Reader:
    """See `Hub.open`.

    Attributes:
        cursor: where it stands, once what was given to it has arrived.
    """

    def __init__(self, hub: "Hub[Any]", wanted: Wanted, offsets: list[int] | None) -> None:
        """Args:
        offsets: where it goes on; None: with what comes.
        """
        self._hub = hub
        self._wanted = wanted
        self._mine = offsets  # None: in step with the ring, whose cursors are then the reader's own
        self._next = hub.ring.end
        self._ring = hub.ring
        self._pinged_at = 0.0
        self.cursor = hub.ring.cursor if offsets is None else cursors.write(hub.feed.topic, offsets)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Bytes of whole events, without end."""
        self._count(1)
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n".encode() + self._ping()
            is_behind = self._mine is not None
            while True:
                if is_behind or self._next < self._hub.ring.first or self._ring is not self._hub.ring:
                    lacking = cursors.read(self._hub.feed.topic, self.cursor)
                    async with aclosing(self._caught_up(lacking)) as older:
                        async for chunk in older:
                            yield chunk
                    is_behind = False
                if chunk := self._take():
                    yield chunk
                elif self._next == self._hub.ring.end:
                    if self._ping_due() <= 0:
                        yield self._ping()
                    await self._hub.changed(self._ping_due())
                else:
                    await asyncio.sleep(0)  # nothing wanted among many: others have their turn
        finally:
            self._count(-1)

    def _take(self) -> bytes:
        """What is wanted of the next entries."""
        if self._mine is not None:
            return self._take_own(self._mine)
        shared = self._hub.chunks
        key = (self._wanted, self._next)
        if key not in shared and len(shared) >= MOST_SHARED_CHUNKS:
            shared.clear()
        if key not in shared:
            entries = self._upcoming()
            chunk = b"".join(
                part
                for entry in entries
                if entry.value is None or self._wanted.matches(entry.value)
                for part in (feed.id_line(entry.cursor), entry.body)
            )
            if not entries:
                return b""
            shared[key] = (len(entries), entries[-1].cursor, chunk)
        count, self.cursor, chunk = shared[key]
        self._next += count
        return chunk

    def _upcoming(self) -> list[Entry]:
        """The next entries, as many as may go out at once."""
        entries, size = self._hub.ring.after(self._next, CHUNK_RECORDS), 0
        for place, entry in enumerate(entries):
            size += entry.size
            if size > CHUNK_BYTES:
                return entries[: place + 1]
        return entries

    def _take_own(self, mine: list[int]) -> bytes:
        """The same for a reader that has had some of the entries; it gets in step with the ring at its end."""
        topic, parts, entries = self._hub.feed.topic, list[bytes](), self._upcoming()
        for entry in entries:
            if entry.partition >= 0:
                if entry.offset < mine[entry.partition]:
                    continue
                mine[entry.partition] = entry.offset + 1
            if entry.value is None or self._wanted.matches(entry.value):
                parts += [feed.id_line(cursors.write(topic, mine)), entry.body]
        self._next += len(entries)
        self.cursor = cursors.write(topic, mine)
        ring = self._hub.ring
        if self._next == ring.end and all(had <= read for had, read in zip(mine, ring.positions, strict=True)):
            self._mine, self.cursor = None, ring.cursor
        return b"".join(parts)

    async def _caught_up(self, mine: list[int]) -> AsyncGenerator[bytes, None]:
        """What lies between these offsets and the ring, from Kafka if need be; then the reader stands in the ring."""
        hub, is_first = self._hub, True
        while not self._joins(mine, is_first=is_first):
            count = len(hub.ring.positions)
            reading = asyncio.create_task(hub.side.read(mine, count, self._wanted.matches, is_first=is_first))
            try:
                while not (await asyncio.wait({reading}, timeout=max(0.0, self._ping_due())))[0]:
                    yield self._ping()
                stretch = reading.result()
            except (KafkaError, OSError, DependencyNotReadyError) as error:
                if is_first:
                    log.warning("stream_reads_again", topic=hub.feed.topic, error=str(error) or "no answer")
                await asyncio.sleep(min(AGAIN_SECONDS, max(0.0, self._ping_due())))
                if self._ping_due() <= 0:
                    yield self._ping()
                continue
            finally:
                reading.cancel()
            is_first, mine = False, stretch.offsets
            self.cursor = cursors.write(hub.feed.topic, mine)
            if stretch.chunk:
                yield stretch.chunk
        self._mine, self._next, self._ring = mine, hub.ring.first, hub.ring

    def _joins(self, mine: list[int], *, is_first: bool) -> bool:
        """Whether the ring has all that is lacking. What claims to be ahead of it is looked at in Kafka first."""
        ring = self._hub.ring
        if len(mine) != len(ring.positions) or not ring.covers(mine):
            return False
        return not is_first or all(had <= read for had, read in zip(mine, ring.positions, strict=True))

    def _count(self, change: int) -> None:
        self._hub.readers += change
        STREAM_READERS.labels(self._hub.feed.event).inc(change)

    def _ping_due(self) -> float:
        return self._pinged_at + self._hub.bounds.ping_seconds - time.monotonic()

    def _ping(self) -> bytes:
        self._pinged_at = time.monotonic()
        self._hub.keep_running()
        told = {"at": self._hub.clock.now(), "broker": self._hub.is_up}
        return feed.id_line(self.cursor) + feed.event("ping", told)
