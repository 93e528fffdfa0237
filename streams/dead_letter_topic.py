"""Reading a dead-letter topic, and putting its records back where they came from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from streams.dead_letters import PREFIX, read_error_headers

REDRIVE_GROUP = "opinion-dlq"
"""Its committed offsets say which dead letters have been put back."""


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


def read(bootstrap: str, topic: str) -> Iterator[StoredDeadLetter]:
    """Every dead letter from the oldest on, up to the end as it stands now."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        yield from _read_to_end(consumer, topic, lambda partition: None)
    finally:
        consumer.close()


def redrive(bootstrap: str, topic: str, origin: str, *, most: int | None = None) -> int:
    """Put dead letters of the topic `origin` that were not put back yet onto it again; returns how many.

    Key, bytes and own headers go back untouched; the error headers are dropped. A crash in between repeats
    some: a worker takes them for repeats, or dead-letters them once more.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","),
        group_id=REDRIVE_GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all", max_request_size=8 * 1024 * 1024)
    done: dict[TopicPartition, Any] = {}
    count = 0
    try:
        for letter in _read_to_end(consumer, topic, lambda tp: consumer.committed(tp)):
            if most is not None and count >= most:
                break
            if letter.error.get("topic") == origin:
                own = [(name, value) for name, value in letter.headers if not name.startswith(PREFIX)]
                producer.send(origin, key=letter.key, value=letter.value, headers=own).get(timeout=30)
                count += 1
            done[TopicPartition(topic, letter.partition)] = OffsetAndMetadata(letter.offset + 1, "", -1)
        if done:
            consumer.commit(done)
    finally:
        producer.close()
        consumer.close()
    return count


def _read_to_end(
    consumer: Any, topic: str, start_of: Callable[[TopicPartition], int | None]
) -> Iterator[StoredDeadLetter]:
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    for tp in partitions:
        start = start_of(tp)
        if start is None:
            consumer.seek_to_beginning(tp)
        else:
            consumer.seek(tp, start)
    while any(consumer.position(tp) < ends[tp] for tp in partitions):
        for tp, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                if record.offset < ends[tp]:
                    yield _letter(record)


def _letter(record: Any) -> StoredDeadLetter:
    headers = tuple(record.headers or ())
    return StoredDeadLetter(
        partition=record.partition,
        offset=record.offset,
        dead_lettered_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=headers,
        error=read_error_headers(headers),
    )
