"""Older records, read again from Kafka for one reader at a time; a few at once, whoever else waits.

A reader gets a stretch and gives the consumer back before it sends a byte, so that a slow one holds nobody up.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import msgspec

from core import cursors
from core.metrics import STREAM_GAPS, STREAM_STRETCHES
from streams.live import consuming, feed
from streams.live.consuming import Fitted
from streams.live.feed import Feed
from streams.live.repeats import Repeats

T = TypeVar("T", bound=msgspec.Struct)

LOOK_BACK: Final = 256  # records of each partition, only to know their ids: a batch that a killed worker did again
STRETCH_RECORDS: Final = 10_000
STRETCH_BYTES: Final = 256 * 1024  # of what is found
STRETCH_SECONDS: Final = 2.0
POLL_RECORDS: Final = 500


@dataclass
class Stretch:
    """What was found, as it goes out, and where the reader stands then.

    Attributes:
        chunk: events with their ids.
        offsets: by partition.
    """

    chunk: bytes
    offsets: list[int]


@dataclass
class _Found(Generic[T]):
    offsets: list[int]
    values: list[T] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    size: int = 0
    scanned: int = 0


class SideReaders(Generic[T]):
    """Of one event loop."""

    def __init__(self, bootstrap: Callable[[], str | None], topic: Feed[T], repeats: Repeats, *, most: int) -> None:
        """Opens nothing.

        Args:
            repeats: what the hub knows.
            most: consumers at once.
        """
        self._bootstrap = bootstrap
        self._feed = topic
        self._live_repeats = repeats
        self._repeats = Repeats()
        self._most = most
        self._room = asyncio.Semaphore(most)
        self._free: list[Any] = []

    async def starts(self, count: int) -> list[int]:
        """The oldest offsets of the log."""
        async with self._consumer() as consumer:
            return (await consuming.bounds(consumer, consuming.partitions(self._feed.topic, count)))[0]

    async def since(self, count: int, moment: datetime) -> list[int]:
        """The offsets of the first records of this time or later."""
        partitions = consuming.partitions(self._feed.topic, count)
        milliseconds = max(0, int(moment.timestamp() * 1000))
        async with self._consumer() as consumer:
            _, ends = await consuming.bounds(consumer, partitions)
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        return [found[tp].offset if found.get(tp) else end for tp, end in zip(partitions, ends, strict=True)]

    async def read(
        self, offsets: Sequence[int], count: int, wants: Callable[[T], bool], *, is_first: bool
    ) -> Stretch:
        """The next stretch from these offsets on.

        Args:
            count: how many partitions the topic has.
            is_first: this reader had no stretch before; so ids are looked up a little further back.

        Raises:
            KafkaError, OSError: the broker does not answer; ask again.
        """
        partitions = consuming.partitions(self._feed.topic, count)
        async with self._consumer() as consumer:
            starts, ends = await consuming.bounds(consumer, partitions)
            fitted = Fitted.of(offsets, starts, ends)
            found: _Found[T] = _Found(list(fitted.offsets))
            behind = [tp for tp, mine, end in zip(partitions, found.offsets, ends, strict=True) if mine < end]
            if behind:
                consumer.assign(behind)
                for tp in behind:
                    back = LOOK_BACK if is_first else 0
                    consumer.seek(tp, max(starts[tp.partition], found.offsets[tp.partition] - back))
                await self._scan(consumer, found, ends, wants)
        STREAM_STRETCHES.labels(self._feed.event).inc()
        chunk = b""
        if fitted.reason:
            STREAM_GAPS.labels(self._feed.event).inc()
            chunk = self._id(fitted.offsets) + feed.event("gap", fitted.told())
        screened = await asyncio.to_thread(self._feed.screen, found.values) if found.values else ()
        for value, cursor in zip(screened, found.cursors, strict=True):
            if value is not None:
                chunk += feed.id_line(cursor) + self._feed.body(value)
        return Stretch(chunk, found.offsets)

    async def close(self) -> None:
        """Stop the consumers, those in use when they are given back; for good."""
        for _ in range(self._most):
            await self._room.acquire()
        while self._free:
            await consuming.stop(self._free.pop())

    async def _scan(self, consumer: Any, found: _Found[T], ends: Sequence[int], wants: Callable[[T], bool]) -> None:
        began, before = time.monotonic(), list(found.offsets)
        while found.scanned < STRETCH_RECORDS and found.size < STRETCH_BYTES:
            batches = await consumer.getmany(timeout_ms=200, max_records=POLL_RECORDS)
            for tp, records in batches.items():
                for record in records:
                    self._look(tp.partition, record, found, wants)
            if not batches:  # the offsets up to the next record may be empty
                for tp in consumer.assignment():
                    found.offsets[tp.partition] = max(found.offsets[tp.partition], await consumer.position(tp))
            if all(found.offsets[tp.partition] >= ends[tp.partition] for tp in consumer.assignment()):
                return
            if found.offsets != before and time.monotonic() > began + STRETCH_SECONDS:
                return
            if time.monotonic() > began + consuming.ANSWER_SECONDS:
                raise TimeoutError("the broker gives no records")
            await asyncio.sleep(0)  # others have their turn

    def _look(self, partition: int, record: Any, found: _Found[T], wants: Callable[[T], bool]) -> None:
        read = self._feed.read(record)
        is_repeat = read is not None and (
            self._repeats.is_repeat(read[0], record.offset)
            or self._live_repeats.knows_earlier(read[0], record.offset)
        )
        if record.offset < found.offsets[partition]:
            return
        found.offsets[partition] = record.offset + 1
        found.scanned += 1
        if read is None or is_repeat or not wants(read[1]):
            return
        found.values.append(read[1])
        found.cursors.append(cursors.write(self._feed.topic, found.offsets))
        found.size += len(record.value)

    def _id(self, offsets: Sequence[int]) -> bytes:
        return feed.id_line(cursors.write(self._feed.topic, offsets))

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[Any]:
        """One that is connected; given back at the end, unless something went wrong with it."""
        async with self._room:
            consumer = self._free.pop() if self._free else await consuming.connected(self._bootstrap())
            try:
                yield consumer
            except BaseException:
                await consuming.stop(consumer)
                raise
            consumer.assign([])
            self._free.append(consumer)
