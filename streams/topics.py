"""The manifest of Kafka topics, and bringing a cluster in line with it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from core.errors import DependencyNotReadyError
from core.settings import KafkaSettings
from streams.kafka_admin import admin_client

RAW = "opinion.document.raw.v1"
RAW_DLQ = "opinion.document.raw.v1.dlq"
CLASSIFIED = "opinion.document.classified.v1"
ALERT = "opinion.alert.v1"
LABEL = "opinion.label.v1"
LABEL_DLQ = "opinion.label.v1.dlq"
MODEL = "opinion.model.v1"

FOREVER = timedelta(milliseconds=-1)


@dataclass(frozen=True)
class Topic:
    """One topic as it should be.

    Attributes:
        record: the struct in `core.records`, or what else the value is.
        partitions: None takes `kafka.partitions`.
        retention: None takes `kafka.raw_retention`; FOREVER keeps everything.
    """

    name: str
    key: str
    record: str
    writer: str
    readers: str
    partitions: int | None = None
    retention: timedelta | None = None
    cleanup: Literal["delete", "compact"] = "delete"
    max_message_bytes: int = 1_048_588  # Kafka's own default

    def config(self, settings: KafkaSettings) -> dict[str, str]:
        """The topic's configuration on the broker."""
        retention = self.retention if self.retention is not None else settings.raw_retention
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(retention // timedelta(milliseconds=1)),
            "min.insync.replicas": str(settings.min_insync_replicas),
            "max.message.bytes": str(self.max_message_bytes),
        }


# Crawlers may write values up to 4 MB; the worker dead-letters what is above `worker.max_value_bytes`
# with its bytes untouched, so the dead-letter topic must take whatever the raw topic took, plus headers.
RAW_MAX_BYTES = 4 * 1024 * 1024

MANIFEST: tuple[Topic, ...] = (
    Topic(
        RAW,
        "document id",
        "Document",
        "crawlers, feeds, HTTP push, `opinion import` and `follow`",
        "workers",
        max_message_bytes=RAW_MAX_BYTES,
    ),
    Topic(
        RAW_DLQ,
        "as it came",
        "the raw bytes, with `__connect.errors.*` headers",
        "workers",
        "`opinion dlq`",
        retention=FOREVER,
        max_message_bytes=RAW_MAX_BYTES + 64 * 1024,
    ),
    Topic(CLASSIFIED, "document id", "ClassifiedDocument", "workers", "stream consumers"),
    Topic(ALERT, "fingerprint", "AlertEvent", "scheduler", "alert subscribers", partitions=1, retention=FOREVER),
    Topic(LABEL, "document id or text", "Label", "labelling tools", "scheduler", partitions=1, retention=FOREVER),
    Topic(
        LABEL_DLQ,
        "as it came",
        "the raw bytes, with `__connect.errors.*` headers",
        "scheduler",
        "`opinion dlq`",
        partitions=1,
        retention=FOREVER,
        max_message_bytes=1_048_588 + 64 * 1024,
    ),
    Topic(
        MODEL,
        "`champion`",
        "ModelAnnouncement",
        "promotion",
        "workers",
        partitions=1,
        retention=FOREVER,
        cleanup="compact",
    ),
)


@dataclass(frozen=True)
class Change:
    """What `apply` did or `plan` would do with one topic: `create`, `ok`, or `differs` (left to a person)."""

    topic: str
    action: Literal["create", "ok", "differs"]
    detail: str = ""


def plan(bootstrap: str, settings: KafkaSettings) -> list[Change]:
    """Compare the cluster with the manifest; changes nothing.

    Raises:
        DependencyNotReadyError: the broker does not answer.
    """
    with _admin(bootstrap) as admin:
        existing = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
    return [_compare(topic, existing.get(settings.topic_prefix + topic.name), settings) for topic in MANIFEST]


def apply(bootstrap: str, settings: KafkaSettings) -> list[Change]:
    """Create what is missing; safe to run from several processes. Existing topics are never altered.

    Raises:
        DependencyNotReadyError: the broker does not answer, or refuses a topic.
    """
    changes = plan(bootstrap, settings)
    missing = {change.topic for change in changes if change.action == "create"}
    wanted = [topic for topic in MANIFEST if settings.topic_prefix + topic.name in missing]
    if wanted:
        _create(bootstrap, wanted, settings)
    return changes


def _create(bootstrap: str, wanted: Sequence[Topic], settings: KafkaSettings) -> None:
    with _admin(bootstrap) as admin:
        try:
            for topic in wanted:
                new = NewTopic(
                    settings.topic_prefix + topic.name,
                    num_partitions=topic.partitions or settings.partitions,
                    replication_factor=settings.replication,
                    topic_configs=topic.config(settings),
                )
                try:
                    admin.create_topics([new])
                except TopicAlreadyExistsError:
                    continue
            admin.wait_for_topics([settings.topic_prefix + topic.name for topic in wanted])
        except KafkaError as error:
            raise DependencyNotReadyError(f"Kafka refused to create topics: {error}") from error


def _compare(topic: Topic, partitions: int | None, settings: KafkaSettings) -> Change:
    name, wanted = settings.topic_prefix + topic.name, topic.partitions or settings.partitions
    if partitions is None:
        return Change(name, "create", f"{wanted} partitions")
    if partitions != wanted:
        return Change(name, "differs", f"{partitions} partitions, the manifest says {wanted}")
    return Change(name, "ok", f"{partitions} partitions")


@contextmanager
def _admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    with ExitStack() as stack:
        try:
            admin = stack.enter_context(admin_client(bootstrap, bootstrap_timeout_ms=10_000))
        except KafkaError as error:
            raise DependencyNotReadyError(
                f"Kafka does not answer at {bootstrap}: {error}", remedy="opinion doctor"
            ) from error
        yield admin
