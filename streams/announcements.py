"""`opinion.model.v1`: telling every worker which model is champion, and hearing of it.

The topic is compacted with one key, so its newest record is the state; whoever starts late reads it from there.
"""

import threading
from collections.abc import Callable, Iterable
from random import SystemRandom
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError

from core.errors import DependencyNotReadyError
from core.logs import get_logger
from core.records import ModelAnnouncement
from streams.local import is_answering

KEY: Final = b"champion"
POLL_MILLISECONDS: Final = 500  # how long `stop` may wait for the thread to notice
ANSWER_SECONDS: Final = 5.0
BACK_OFF_SECONDS: Final = 15.0  # longest pause between attempts to reach the broker

log = get_logger(__name__)


def announce(bootstrap: str, topic: str, announcement: ModelAnnouncement, *, timeout_seconds: float = 15) -> None:
    """Publish and wait for the broker's acknowledgement.

    Raises:
        DependencyNotReadyError: not acknowledged in time; it is safe to announce again.
    """
    milliseconds = int(timeout_seconds * 1000)
    try:
        _require(bootstrap, timeout_seconds)
        producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            acks="all",
            max_block_ms=milliseconds,
            bootstrap_timeout_ms=milliseconds,
            allow_auto_create_topics=False,
        )
        try:
            producer.send(topic, key=KEY, value=msgspec.json.encode(announcement)).get(timeout_seconds)
        finally:
            producer.close(timeout=1)
    except KafkaError as error:
        raise DependencyNotReadyError(
            f"Kafka at {bootstrap} did not take the announcement of {announcement.version}: {error}",
            remedy="nothing is lost: the scheduler announces it as soon as Kafka answers",
        ) from error


class ModelFollower:
    """Calls back, in a thread of its own, with the champion and with each one that replaces it."""

    def __init__(self, bootstrap: str, topic: str, on_announcement: Callable[[ModelAnnouncement], None]) -> None:
        """Opens nothing yet.

        Args:
            on_announcement: called in the follower's thread, with the newest announcement only: what came
                before it is skipped, and the same announcement is not repeated. While it runs, nothing is read.
                If it raises, that is logged, and the follower waits for the next announcement.
        """
        self._bootstrap = bootstrap
        self._partition = TopicPartition(topic, 0)
        self._on_announcement = on_announcement
        self._told: ModelAnnouncement | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-follower", daemon=True)

    def start(self) -> None:
        """Returns at once; a broker that is away is waited for."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5) -> None:
        """Ask the thread to end and wait for it."""
        self._stopping.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                consumer = self._open()
                try:
                    self._follow(consumer)
                finally:
                    consumer.close(autocommit=False, timeout_ms=1000)
                failures = 0
            except KafkaError as error:
                failures += 1
                if failures == 1:
                    log.warning("model_follower_waits", error=str(error))
                pause = min(BACK_OFF_SECONDS, 0.25 * 2 ** min(failures, 10))
                self._stopping.wait(pause * SystemRandom().uniform(0.5, 1))

    def _open(self) -> KafkaConsumer:
        _require(self._bootstrap, ANSWER_SECONDS)
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap.split(","),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=5_000,
            reconnect_backoff_max_ms=5_000,
        )
        consumer.assign([self._partition])
        consumer.seek_to_beginning(self._partition)
        return consumer

    def _follow(self, consumer: KafkaConsumer) -> None:
        """Read until stopped. History is read to its end before the newest is told."""
        end = consumer.end_offsets([self._partition])[self._partition]
        newest: ModelAnnouncement | None = None
        while not self._stopping.is_set():
            batches = consumer.poll(timeout_ms=POLL_MILLISECONDS)
            newest = _newest(batches.get(self._partition, [])) or newest
            if newest is not None and consumer.position(self._partition) >= end:
                self._tell(newest)
                newest = None

    def _tell(self, announcement: ModelAnnouncement) -> None:
        if announcement == self._told:
            return
        self._told = announcement
        try:
            self._on_announcement(announcement)
        except Exception:
            log.exception("announcement_failed", version=announcement.version)


def _require(bootstrap: str, timeout_seconds: float) -> None:
    """Clients of kafka-python 3.0 that find no broker leave their sockets open, so ask before one is made."""
    if not is_answering(bootstrap, timeout_seconds):
        raise KafkaConnectionError(f"no broker answers at {bootstrap}")


def _newest(records: Iterable[Any]) -> ModelAnnouncement | None:
    newest = None
    for record in records:
        if record.key != KEY or record.value is None:
            continue
        try:
            newest = msgspec.json.decode(record.value, type=ModelAnnouncement)
        except msgspec.DecodeError as error:
            log.warning("announcement_unreadable", offset=record.offset, error=str(error))
    return newest
