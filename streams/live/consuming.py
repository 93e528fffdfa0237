"""aiokafka consumers without a group, as the streams use them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

ANSWER_SECONDS: Final = 10.0  # a broker on a busy machine takes its time
CLOSE_SECONDS: Final = 5.0
FETCH_BYTES: Final = 4 * 1024 * 1024  # of one answer of a broker; what a consumer may hold undecoded


class NoBrokerError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """No broker is configured or running, or it lacks the topic."""


async def connected(bootstrap: str | None, *topics: str) -> AIOKafkaConsumer:
    """A consumer that reads all partitions of these topics, or none yet; whoever asked stops it by `stop`.

    Raises:
        KafkaError, OSError: no broker answers in time.
    """
    if bootstrap is None:
        raise NoBrokerError("no broker is configured or running")
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap.split(","),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",  # where to read is decided here, and said to readers
        request_timeout_ms=int(ANSWER_SECONDS * 1000),
        retry_backoff_ms=500,  # it writes a line for each attempt
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=FETCH_BYTES // 4,
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await consumer.start()
    except BaseException:
        await stop(consumer)
        raise
    return consumer


@asynccontextmanager
async def consuming(bootstrap: str | None, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """`connected`, stopped at the end of the block."""
    consumer = await connected(bootstrap, topic)
    try:
        yield consumer
    finally:
        await stop(consumer)


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Let go of it, whatever the broker does."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await consumer.stop()
    except (KafkaError, OSError):
        pass


async def bounds(consumer: AIOKafkaConsumer, partitions: list[Any]) -> tuple[list[int], list[int]]:
    """First offset and next offset of these partitions, in their order."""
    async with asyncio.timeout(ANSWER_SECONDS):
        starts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
    return [starts[tp] for tp in partitions], [ends[tp] for tp in partitions]


def partitions(topic: str, count: int) -> list[Any]:
    """The first `count` partitions of a topic."""
    return [TopicPartition(topic, number) for number in range(count)]


@dataclass(frozen=True)
class Fitted:
    """Offsets brought within what the log holds.

    Attributes:
        reason: "expired": records were dropped from the log before they were read; "unknown": the offsets are not of
            this log, as when a topic was made anew; empty: they fit.
        lost: how many records were missed, where that is known.
    """

    offsets: list[int]
    reason: str = ""
    lost: int | None = None

    @classmethod
    def of(cls, offsets: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> "Fitted":
        """Offsets of partitions that are missing begin with the log: those partitions are new."""
        if len(offsets) > len(starts) or any(mine > end for mine, end in zip(offsets, ends, strict=False)):
            return cls(list(starts), "unknown")
        given = [*offsets, *starts[len(offsets) :]]
        lost = sum(max(0, start - mine) for mine, start in zip(given, starts, strict=True))
        fitted = [max(mine, start) for mine, start in zip(given, starts, strict=True)]
        return cls(fitted, "expired", lost) if lost else cls(fitted)

    def told(self) -> dict[str, object]:
        """The data of a gap event."""
        return {"reason": self.reason, "lost": self.lost}
