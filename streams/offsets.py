"""Where a group stands on a topic, asked from the broker by a client of its own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer import OffsetSpec

Result = TypeVar("Result")

REQUEST_SECONDS = 5.0
ANSWER_SECONDS = 12.0
"""For several requests in a row. A client that is silent for longer is given up; the next call makes another."""


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

    Every method answers within `ANSWER_SECONDS`, or raises `kafka.errors.KafkaError` when the broker does not.
    """

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._group, self._topic = group, topic
        self._admin: KafkaAdminClient | None = None
        self._network: KafkaNetClient | None = None

    def standings(self) -> dict[int, Standing]:
        """By partition of the topic."""
        return self._ask(self._standings)

    def lag_records(self) -> int:
        """Records that the group has not taken yet, in all partitions."""
        return sum(standing.lag_records for standing in self.standings().values())

    def taken(self) -> frozenset[int]:
        """The topic's partitions that some member of the group has; none while the group is being put together."""
        return self._ask(self._taken)

    def close(self) -> None:
        network, self._network, self._admin = self._network, None, None
        if network is not None:
            network.close()

    def _standings(self, admin: KafkaAdminClient) -> dict[int, Standing]:
        [described] = admin.describe_topics([self._topic])
        partitions = [TopicPartition(self._topic, p["partition_index"]) for p in described["partitions"]]
        starts = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        committed = admin.list_group_offsets({self._group: partitions})[self._group]
        return {
            tp.partition: Standing(starts[tp].offset, ends[tp].offset, _offset(committed.get(tp)))
            for tp in partitions
        }

    def _taken(self, admin: KafkaAdminClient) -> frozenset[int]:
        described = admin.describe_groups([self._group])[self._group]
        if described["error"]:
            raise KafkaConnectionError(f"group {self._group}: {described['error']}")
        shares = [member["member_assignment"] for member in described["members"]]
        return frozenset(
            partition
            for share in shares
            if share
            for topic in share["assigned_partitions"]
            if topic["topic"] == self._topic
            for partition in topic["partitions"]
        )

    def _ask(self, question: Callable[[KafkaAdminClient], Result]) -> Result:
        """The answer, got in a thread of its own: a client whose network thread died would wait for ever."""
        answers: list[Result] = []
        failures: list[BaseException] = []

        def ask() -> None:
            try:
                answers.append(question(self._connected()))
            except BaseException as error:
                failures.append(error)

        asking = threading.Thread(target=ask, name="offset-reader", daemon=True)
        asking.start()
        asking.join(ANSWER_SECONDS)
        if answers:
            return answers[0]
        self._give_up()
        if failures:
            raise failures[0]
        raise KafkaTimeoutError(f"no answer about {self._topic} within {ANSWER_SECONDS:.0f} s")

    def _give_up(self) -> None:
        """Drop the client; it is closed aside, because closing may hang for the same reason."""
        network, self._network, self._admin = self._network, None, None
        if network is not None:
            threading.Thread(target=network.close, name="offset-reader-close", daemon=True).start()

    def _connected(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = KafkaAdminClient(
                bootstrap_servers=self._bootstrap.split(","),
                bootstrap_timeout_ms=int(REQUEST_SECONDS * 1000),
                request_timeout_ms=int(REQUEST_SECONDS * 1000),
                reconnect_backoff_max_ms=1000,
                kafka_client=self._new_network,
            )
        return self._admin

    def _new_network(self, **configs: Any) -> KafkaNetClient:
        """Kept here, because a client that finds no broker raises and leaves its thread and sockets behind."""
        self._network = KafkaNetClient(**configs)
        return self._network


def _offset(value: object) -> int | None:
    """kafka-python says -1 or nothing where the group has committed nothing."""
    offset = getattr(value, "offset", value)
    return offset if isinstance(offset, int) and offset >= 0 else None
