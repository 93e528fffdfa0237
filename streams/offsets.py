"""Where a group stands on a topic, asked from the broker by a client of its own."""

from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition
from kafka.protocol.consumer import OffsetSpec


@dataclass(frozen=True)
class Standing:
    """One partition: where its log starts and ends, and the next offset the group would read (None: never)."""

    start: int
    end: int
    committed: int | None

    @property
    def next_offset(self) -> int:
        """Where the group goes on reading: its committed offset, or the log's start where that is higher."""
        return max(self.committed or 0, self.start)

    @property
    def lag_records(self) -> int:
        return max(0, self.end - self.next_offset)


class OffsetReader:
    """Blocking; keeps one connection. Not for the event loop's thread, nor for several threads at once.

    Every method may raise `kafka.errors.KafkaError` when the broker does not answer.
    """

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._bootstrap = bootstrap.split(",")
        self._group, self._topic = group, topic
        self._admin: KafkaAdminClient | None = None

    def standings(self) -> dict[int, Standing]:
        """By partition of the topic."""
        admin = self._connected()
        [described] = admin.describe_topics([self._topic])
        partitions = [TopicPartition(self._topic, p["partition_index"]) for p in described["partitions"]]
        starts = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        committed = admin.list_group_offsets({self._group: partitions})[self._group]
        return {
            tp.partition: Standing(starts[tp].offset, ends[tp].offset, _offset(committed.get(tp)))
            for tp in partitions
        }

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _connected(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self._bootstrap, bootstrap_timeout_ms=5000)
        return self._admin


def _offset(value: object) -> int | None:
    """kafka-python says -1 or nothing where the group has committed nothing."""
    offset = getattr(value, "offset", value)
    return offset if isinstance(offset, int) and offset >= 0 else None
