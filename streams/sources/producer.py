"""Documents onto the raw topic: idempotent, acknowledged by the broker, bounded in memory."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TypeVar

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from core.errors import DependencyNotReadyError
from core.records import Document

IN_FLIGHT = 2000  # documents waiting for the broker; bounds memory, and is far more than a batch
_encoder = msgspec.json.Encoder()
Item = TypeVar("Item")


class DocumentProducer:
    """Blocking. Use as a context manager: leaving it waits for every acknowledgement.

    Attributes:
        end_offsets: by partition, the offset after the last acknowledged document.
        count: acknowledged documents.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        """Raises DependencyNotReadyError when the broker does not answer."""
        self._topic = topic
        self.end_offsets: defaultdict[int, int] = defaultdict(int)
        self.count = 0
        self._waiting: list[object] = []
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap.split(","),
                acks="all",
                linger_ms=20,
                batch_size=131_072,
                max_request_size=4 * 1024 * 1024,
                allow_auto_create_topics=False,
            )
        except KafkaError as error:
            raise DependencyNotReadyError(
                f"Kafka does not answer at {bootstrap}: {error}", remedy="opinion doctor"
            ) from error

    def send(self, document: Document) -> None:
        """Queue a document; waits for the broker when too many are in flight."""
        self._waiting.append(
            self._producer.send(self._topic, key=document.id.encode(), value=_encoder.encode(document))
        )
        if len(self._waiting) >= IN_FLIGHT:
            self.flush()

    def flush(self) -> None:
        """Wait until the broker has everything sent so far.

        Raises:
            DependencyNotReadyError: it refused or did not answer in time; the import can be run again, repeats
            have no effect.
        """
        try:
            self._producer.flush()
            for future in self._waiting:
                metadata = future.get(timeout=60)  # type: ignore[attr-defined]
                end = metadata.offset + 1
                self.end_offsets[metadata.partition] = max(end, self.end_offsets[metadata.partition])
                self.count += 1
        except KafkaError as error:
            raise DependencyNotReadyError(
                f"Kafka did not take all documents: {error}", remedy="run the import again; repeats have no effect"
            ) from error
        self._waiting.clear()

    def __enter__(self) -> "DocumentProducer":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.flush()
        finally:
            self._producer.close()


def paced(
    items: Iterable[Item], per_second: float | None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Item]:
    """The items, no faster than `per_second`; None is as fast as they come."""
    started = time.monotonic()
    for number, item in enumerate(items):
        if per_second:
            ahead = number / per_second - (time.monotonic() - started)
            if ahead > 0:
                sleep(ahead)
        yield item
