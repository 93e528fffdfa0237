"""Reading a dead-letter topic."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from core.errors import DependencyNotReadyError, NotFoundError
from streams.dead_letters import Headers, read_error_headers, record_time

FETCH_BYTES = 8 * 1024 * 1024  # of one answer of the broker; larger than any dead letter
GIVE_UP_POLLS = 60  # half a second each, in a row and without a record


@dataclass(frozen=True)
class StoredDeadLetter:
    """One record of a dead-letter topic; `error` holds the facts of its headers, without the prefix."""

    partition: int
    offset: int
    dead_lettered_at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    error: dict[str, str]

    @property
    def id(self) -> str:
        return f"{self.partition}:{self.offset}"

    @property
    def reason(self) -> str:
        """One of `core.metrics.REJECT_REASONS`, or what another program wrote."""
        return self.error.get("exception.class.name", "unknown")

    @property
    def recorded_at(self) -> datetime | None:
        """When the record first came to its topic, as far as the headers say."""
        milliseconds = self.error.get("timestamp", "")
        return record_time(int(milliseconds) / 1000) if milliseconds.isdecimal() else None


@dataclass(frozen=True)
class Span:
    """Offsets to read of one partition: from `start` on, before `end`."""

    start: int
    end: int


class DeadLetterTopic:
    """A dead-letter topic as it stands now. Blocking; not for several threads. Close it by `opened`.

    `end`s are asked once, so that letters which arrive while one reads (and those one puts back in vain) wait for
    the next reader.
    """

    def __init__(self, consumer: Any, topic: str) -> None:
        self._consumer = consumer
        self.topic = topic
        self._partitions = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic) or ())]
        self._ends: Mapping[Any, int] = consumer.end_offsets(self._partitions) if self._partitions else {}

    def topics(self) -> set[str]:
        """Every topic of the broker."""
        return set(self._consumer.topics())

    def spans(self, since: datetime | None = None) -> dict[int, Span]:
        """By partition, the offsets that can be read; with `since`, those dead-lettered at that time or later."""
        if not self._partitions:
            return {}
        starts = self._consumer.beginning_offsets(self._partitions)
        if since is not None:
            moment = int(since.timestamp() * 1000)
            found = self._consumer.offsets_for_times(dict.fromkeys(self._partitions, moment))
            starts = {tp: found[tp].offset if found.get(tp) else self._ends[tp] for tp in self._partitions}
        return {tp.partition: Span(starts[tp], self._ends[tp]) for tp in self._partitions}

    def read(self, spans: Mapping[int, Span]) -> Iterator[StoredDeadLetter]:
        """The letters of these spans, in order within a partition; at most some `FETCH_BYTES` are in memory.

        Raises:
            KafkaError: the broker stopped answering.
        """
        ends = {TopicPartition(self.topic, n): span.end for n, span in spans.items() if span.start < span.end}
        self._consumer.assign(list(ends))
        for tp in ends:
            self._consumer.seek(tp, spans[tp.partition].start)
        silent = 0
        while any(self._consumer.position(tp) < end for tp, end in ends.items()):
            arrived = self._consumer.poll(timeout_ms=500)
            silent = 0 if arrived else silent + 1
            if silent > GIVE_UP_POLLS:
                raise KafkaError(f"{self.topic}: the broker gives no more records")
            for tp, records in arrived.items():
                yield from (_letter(record) for record in records if record.offset < ends[tp])

    def letter(self, partition: int, offset: int) -> StoredDeadLetter:
        """One letter.

        Raises:
            NotFoundError: there is none, or no longer.
        """
        span = self.spans().get(partition)
        found = None
        if span is not None and span.start <= offset < span.end:
            found = next(self.read({partition: Span(offset, offset + 1)}), None)
        if found is None:
            raise NotFoundError(f"no dead letter {partition}:{offset} on {self.topic}", remedy="opinion dlq list")
        return found


@contextmanager
def opened(bootstrap: str, topic: str) -> Iterator[DeadLetterTopic]:
    """The dead-letter topic, read without a group: looking at it changes nothing.

    Raises:
        DependencyNotReadyError: the broker does not answer, now or later.
    """
    consumer = None
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
            bootstrap_timeout_ms=10_000,
        )
        yield DeadLetterTopic(consumer, topic)
    except KafkaError as error:
        raise DependencyNotReadyError(f"{topic} cannot be read: {error}", remedy="opinion doctor") from error
    finally:
        if consumer is not None:
            consumer.close()


def read(bootstrap: str, topic: str) -> Iterator[StoredDeadLetter]:
    """Every dead letter from the oldest on, up to the end as it stands now.

    Raises:
        DependencyNotReadyError: the broker does not answer.
    """
    with opened(bootstrap, topic) as letters:
        yield from letters.read(letters.spans())


def _letter(record: Any) -> StoredDeadLetter:
    headers: Headers = tuple(record.headers or ())
    return StoredDeadLetter(
        partition=record.partition,
        offset=record.offset,
        dead_lettered_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=tuple(headers),
        error=read_error_headers(headers),
    )
