"""The topics themselves, for programs that can reach the broker. Needs kafka-python."""

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from opinion_client.records import AlertEvent, ClassifiedDocument
from opinion_client.repeats import Repeats
from opinion_client.session import T

DOCUMENTS = "opinion.document.classified.v1"
INCIDENTS = "opinion.alert.v1"
COMMIT_SECONDS = 1.0
POLL_MILLISECONDS = 500

log = logging.getLogger("opinion_client")


class Kafka:
    """Where the broker is. Opens nothing; each iteration has a consumer of its own."""

    def __init__(
        self, bootstrap: str, *, group: str, topic_prefix: str = "", options: Mapping[str, Any] | None = None
    ) -> None:
        """Args:
        bootstrap: `host:port[,host:port]`.
        group: the consumer group, which keeps the place. Programs of one group share the partitions.
        topic_prefix: as `OPINION_KAFKA__TOPIC_PREFIX` of the pipeline.
        options: of kafka-python's consumer, such as those for TLS.
        """
        self._bootstrap = bootstrap.split(",")
        self._group = group
        self._prefix = topic_prefix
        self._options = dict(options or {})

    def documents(self, *, newest: bool = False) -> Iterator[ClassifiedDocument]:
        """Classified documents, without end: those not yet done by the group, then those that come.

        What a program was at work on when it died comes again, with the same `ce_id`.

        Args:
            newest: a group that has read nothing yet begins with what comes, not with the oldest.
        """
        return self._read(self._prefix + DOCUMENTS, ClassifiedDocument, newest=newest)

    def incidents(self, *, newest: bool = False) -> Iterator[AlertEvent]:
        """Changes of incidents; as `documents`."""
        return self._read(self._prefix + INCIDENTS, AlertEvent, newest=newest)

    def _read(self, topic: str, record: type[T], *, newest: bool) -> Iterator[T]:
        from kafka import KafkaConsumer  # who reads a console needs no kafka-python

        decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(record)
        repeats = Repeats()
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            enable_auto_commit=False,  # it would call done what the program has not seen yet
            auto_offset_reset="latest" if newest else "earliest",
            **self._options,
        )
        done = _Done(consumer)
        try:
            consumer.subscribe([topic])
            while True:
                for message in (one for batch in consumer.poll(POLL_MILLISECONDS).values() for one in batch):
                    if (found := _decoded(decoder, message)) is not None and repeats.is_new(_ce_id(message, found)):
                        yield found
                    done.add(message)
                done.commit_now_and_then()
        finally:
            done.commit()
            consumer.close(autocommit=False)


class _Done:
    """What the program has done, told to the broker once a second."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._offsets: dict[Any, Any] = {}
        self._committed_at = time.monotonic()

    def add(self, message: Any) -> None:
        from kafka import TopicPartition
        from kafka.structs import OffsetAndMetadata

        self._offsets[TopicPartition(message.topic, message.partition)] = OffsetAndMetadata(message.offset + 1)

    def commit_now_and_then(self) -> None:
        if time.monotonic() - self._committed_at > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """A commit that fails costs nothing but repeats. Partitions that went to another member are that one's."""
        from kafka.errors import KafkaError

        ours = self._consumer.assignment()
        offsets, self._offsets = {tp: at for tp, at in self._offsets.items() if tp in ours}, {}
        self._committed_at = time.monotonic()
        try:
            if offsets:
                self._consumer.commit(offsets)
        except KafkaError as error:
            log.warning("some records will come again: %s", error)


def _decoded(decoder: "msgspec.json.Decoder[T]", message: Any) -> T | None:
    try:
        return decoder.decode(message.value or b"")
    except msgspec.DecodeError as error:
        log.warning("%s %s:%s is left out: %s", message.topic, message.partition, message.offset, error)
        return None


def _ce_id(message: Any, found: ClassifiedDocument | AlertEvent) -> str:
    given = next((value for name, value in message.headers or () if name == "ce_id"), None)
    return given.decode("utf-8", "replace") if given else found.ce_id
