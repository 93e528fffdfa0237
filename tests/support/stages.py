"""A group, its topics and tables, and the workers of one test."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kafka import KafkaConsumer
from sqlalchemy import text

from core.settings import KafkaSettings
from storage import audit
from storage.audit import AuditReport
from storage.engine import connect
from streams import topics
from streams.offsets import OffsetReader, Standing
from tests.support.checkpoints import tiny_checkpoint
from tests.support.hanging_worker import HANG
from tests.support.waiting import wait_for
from tests.support.workers import WorkerProcess, produce, settled

Answer = TypeVar("Answer")


class Stage:
    """Real workers on a real broker and database, with a classifier that costs nothing. Close it in any case."""

    def __init__(self, bootstrap: str, database_url: str, prefix: str, home: Path, *, partitions: int = 4) -> None:
        self.bootstrap, self.home = bootstrap, home
        self.kafka = KafkaSettings(topic_prefix=f"{prefix}.", partitions=partitions)
        self.group = f"{prefix}-group"
        self.raw = self.kafka.topic_prefix + topics.RAW
        self.engine = connect(database_url)
        self.hang = home / "hang"
        self.environment = {
            "OPINION_KAFKA_BOOTSTRAP": bootstrap,
            "OPINION_DATABASE_URL": database_url,
            "OPINION_GROUP": self.group,
            "OPINION_KAFKA__TOPIC_PREFIX": self.kafka.topic_prefix,
            "OPINION_MODELS__CHECKPOINT": str(tiny_checkpoint(home / "tiny")),
            "OPINION_MODELS__THREADS": "1",
            "OPINION_WORKER__BATCH_RECORDS": "32",
            HANG: str(self.hang),
        }
        self.workers: list[WorkerProcess] = []
        topics.apply(bootstrap, self.kafka)

    def start_worker(self, *, can_hang: bool = False, **environment: str) -> WorkerProcess:
        """A worker process with more settings; `can_hang`: see `tests.support.hanging_worker`."""
        faust = "tests.support.hanging_worker" if can_hang else "faust"
        worker = WorkerProcess(self.home, self.environment | environment, faust=faust)
        self.workers.append(worker)
        return worker

    def produce(self, values: list[tuple[bytes, bytes | None]]) -> None:
        produce(self.bootstrap, self.raw, values)

    def settled(self) -> int:
        return settled(self.engine)

    def wait_until_settled(self, count: int, seconds: float = 120) -> None:
        wait_for(lambda: self.settled() == count, seconds, f"{count} offsets settled")

    def wait_until_committed(self, seconds: float = 30) -> None:
        """The group has caught up: its lag is zero."""
        wait_for(lambda: not any(s.lag_records for s in self.standings().values()), seconds, "lag 0")

    def ids(self) -> Counter[str]:
        """How often each document is in SQL."""
        with self.engine.connect() as connection:
            return Counter(connection.execute(text("SELECT id FROM document")).scalars())

    def repeats(self) -> int:
        """Records that were done again, by the ledger."""
        with self.engine.connect() as connection:
            return int(connection.scalar(text("SELECT coalesce(sum(repeats), 0) FROM offset_ledger")) or 0)

    def standings(self) -> dict[int, Standing]:
        return self._ask(OffsetReader.standings)

    def taken(self) -> frozenset[int]:
        return self._ask(OffsetReader.taken)

    def audit(self) -> AuditReport:
        committed = {p: s.committed for p, s in self.standings().items() if s.committed is not None}
        with self.engine.connect() as connection:
            return audit.audit(connection, self.raw, committed)

    def read(self, topic: str) -> list[Any]:
        consumer = KafkaConsumer(
            self.kafka.topic_prefix + topic,
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=2000,
        )
        records = list(consumer)
        consumer.close()
        return records

    def event_ids(self) -> Counter[bytes]:
        """How often each version of a document was published."""
        return Counter(dict(record.headers)["ce_id"] for record in self.read(topics.CLASSIFIED))

    def close(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.engine.dispose()

    def _ask(self, question: Callable[[OffsetReader], Answer]) -> Answer:
        reader = OffsetReader(self.bootstrap, self.group, self.raw)
        try:
            return question(reader)
        finally:
            reader.close()


def documents(first: int, last: int, *, chars: int = 0) -> list[tuple[bytes, bytes | None]]:
    """Records of documents `d<first>` to `d<last - 1>`, with texts of so many characters or short ones."""
    return [
        (
            f"d{n}".encode(),
            json.dumps({"id": f"d{n}", "text": f"text number {n}".ljust(chars, "x"), "source": "s"}).encode(),
        )
        for n in range(first, last)
    ]
