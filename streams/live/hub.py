"""One consumer of a topic for all its readers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom
from typing import Any, Final, Generic, TypeVar

import msgspec
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from core import cursors
from core.clock import Clock
from core.errors import DependencyNotReadyError
from core.logs import get_logger
from core.metrics import STREAM_GAPS
from streams.live import consuming, feed
from streams.live.feed import Feed
from streams.live.reader import Reader, Wanted
from streams.live.repeats import Repeats
from streams.live.ring import Ring
from streams.live.side_readers import SideReaders

T = TypeVar("T", bound=msgspec.Struct)

POLL_MILLISECONDS: Final = 500
POLL_RECORDS: Final = 500  # decoded without a pause, some 10 ms
PROBE_SECONDS: Final = 5.0  # so long without a record, and the broker is asked whether it is there
BACK_OFF_SECONDS: Final = 15.0
LINGER_SECONDS: Final = 0.1  # with many readers records wait for others, at most so long
LINGER_SECONDS_A_READER: Final = 0.0002  # a reader is woken, and its bytes sent, in some 50 µs

log = get_logger(__name__)


@dataclass(frozen=True)
class Bounds:
    """What a hub holds at most, and how long it waits.

    Attributes:
        seconds: how long a record is held. Also how long one that was erased in SQL may still go out: what is read
            from Kafka a second time is screened, what is held here is not.
        idle_seconds: without a reader for so long, the consumer is stopped.
        side_readers: how many read older records again at the same time.
    """

    records: int = 20_000
    bytes: int = 32 * 1024 * 1024
    seconds: float = 60.0
    ping_seconds: float = 15.0
    idle_seconds: float = 60.0
    side_readers: int = 4


class Hub(Generic[T]):
    """A topic as a live stream. Of one event loop; the first reader connects it, and it stops when nobody reads."""

    def __init__(
        self, bootstrap: Callable[[], str | None], topic: Feed[T], clock: Clock, bounds: Bounds | None = None
    ) -> None:
        """Opens nothing.

        Args:
            bootstrap: asked before each connection, so that a broker that comes up elsewhere is found.
        """
        self.feed = topic
        self.bounds = bounds or Bounds()
        self.clock = clock
        self.is_up = False
        self.readers = 0
        self.repeats = Repeats()
        self.ring = self._new_ring()
        self.side = SideReaders(bootstrap, topic, self.repeats, most=self.bounds.side_readers)
        self.chunks: dict[tuple[Wanted, int], tuple[int, str, bytes]] = {}  # from where on: entries, cursor, bytes
        self._bootstrap = bootstrap
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._told = asyncio.Event()  # where the consumer stands, or by `_failure` that it stands nowhere
        self._failure = ""
        self._is_closed = False

    async def open(
        self, wanted: Wanted, *, cursor: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[bytes]:
        """Server-sent events of what is wanted, without end; the first comes at once and holds a cursor.

        Args:
            cursor: go on there; "start": with the oldest record that Kafka holds; None: from now on.
            since: from the first record that came onto the topic then or later. Only without a cursor.

        Raises:
            core.cursors.CursorError: not a cursor of this stream.
            DependencyNotReadyError: the broker cannot be asked.
        """
        offsets = None
        if cursor is not None and cursor != "start":
            offsets = cursors.read(self.feed.topic, cursor)
        await self._ready()
        if cursor == "start":
            offsets = await self._asked(self.side.starts(len(self.ring.positions)))
        elif since is not None and cursor is None:
            offsets = await self._asked(self.side.since(len(self.ring.positions), since))
        return Reader(self, wanted, offsets).chunks()

    async def close(self) -> None:
        """The console stops."""
        self._is_closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.side.close()

    async def changed(self, timeout_seconds: float) -> None:
        """Wait for the next entries, at most so long."""
        try:
            async with asyncio.timeout(max(0.0, timeout_seconds)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def keep_running(self) -> None:
        """Somebody reads: the consumer is started if it is not at work."""
        if not self._is_closed and (self._task is None or self._task.done()):
            self._told.clear()
            self._task = asyncio.create_task(self._run(), name=f"live {self.feed.topic}")

    async def _ready(self) -> None:
        """The consumer runs and stands somewhere."""
        self.keep_running()
        try:
            async with asyncio.timeout(consuming.ANSWER_SECONDS):
                await self._told.wait()
        except TimeoutError as error:
            raise self._away("no answer in time") from error
        if self._failure:
            raise self._away(self._failure)

    async def _asked(self, question: Any) -> Any:
        try:
            async with asyncio.timeout(consuming.ANSWER_SECONDS):
                return await question
        except (KafkaError, OSError) as error:
            raise self._away(str(error) or "no answer in time") from error

    def _away(self, cause: str) -> DependencyNotReadyError:
        return DependencyNotReadyError(
            f"{self.feed.topic} cannot be read: {cause}", remedy="opinion doctor; topics are made by `opinion up`"
        )

    async def _run(self) -> None:
        """Follow the topic until nobody reads; a broker that is away is waited for."""
        failures, known = 0, list[int]()
        while True:
            try:
                async with consuming.consuming(self._bootstrap(), self.feed.topic) as consumer:
                    partitions = await self._place(consumer, known)
                    failures, known = 0, self.ring.positions
                    await self._follow(consumer, partitions)
                    return
            except OffsetOutOfRangeError:
                continue  # records went out of the log before they were read; `_place` says so
            except (KafkaError, OSError) as error:
                failures += 1
                self._failure = str(error) or type(error).__name__
                self._told.set()
                if failures == 1:
                    log.warning("stream_waits", topic=self.feed.topic, error=self._failure)
                pause = min(BACK_OFF_SECONDS, 0.25 * 2 ** min(failures, 10))
                await asyncio.sleep(pause * SystemRandom().uniform(0.5, 1))
            finally:
                self.is_up = False

    async def _place(self, consumer: Any, known: list[int]) -> list[Any]:
        """Where reading goes on: after what this run has read, or at the topic's end."""
        partitions = sorted(consumer.assignment())
        if not partitions:
            raise consuming.NoBrokerError(f"the broker has no topic {self.feed.topic}")
        starts, ends = await consuming.bounds(consumer, partitions)
        fitted = consuming.Fitted.of(known or ends, starts, ends)
        if len(known) == len(partitions) and fitted.reason != "unknown":
            self.ring.place(fitted.offsets)
            if fitted.reason:
                self.ring.add(-1, 0, None, feed.event("gap", fitted.told()), time.monotonic())
                STREAM_GAPS.labels(self.feed.event).inc()
        else:  # whoever stands in another ring goes on at its cursor, by way of Kafka
            ring = self._new_ring()
            ring.place(fitted.offsets)
            self.ring = ring
        self._wake()
        for partition, position in zip(partitions, fitted.offsets, strict=True):
            consumer.seek(partition, position)
        self.is_up, self._failure = True, ""
        self._told.set()
        return partitions

    async def _follow(self, consumer: Any, partitions: list[Any]) -> None:
        heard = used = time.monotonic()
        while True:
            batches = await consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=POLL_RECORDS)
            now = time.monotonic()
            if batches:
                heard = now
                self._take(batches, now)
            elif now - heard > PROBE_SECONDS:
                await consuming.bounds(consumer, partitions)
                if len(consumer.partitions_for_topic(self.feed.topic) or partitions) != len(partitions):
                    raise consuming.NoBrokerError("the topic has more partitions now")
                heard = now
            self.ring.trim(now)
            used = now if self.readers else used
            if now - used > self.bounds.idle_seconds:
                return
            await asyncio.sleep(min(LINGER_SECONDS, LINGER_SECONDS_A_READER * self.readers))

    def _take(self, batches: dict[Any, list[Any]], now: float) -> None:
        before = self.ring.end
        for partition, records in batches.items():
            for record in records:
                self.ring.passed(partition.partition, record.offset)
                read = self.feed.read(record)
                if read is None or self.repeats.is_repeat(read[0], record.offset):
                    continue
                self.ring.add(partition.partition, record.offset, read[1], self.feed.body(read[1]), now)
        if self.ring.end > before:
            self._wake()

    def _wake(self) -> None:
        """Everybody who waits looks now; whoever waits later, waits for the next."""
        self.chunks.clear()
        self._changed.set()
        self._changed = asyncio.Event()

    def _new_ring(self) -> Ring:
        bounds = self.bounds
        return Ring(
            self.feed.topic, most_records=bounds.records, most_bytes=bounds.bytes, most_seconds=bounds.seconds
        )
