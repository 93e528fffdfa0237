"""Real workers on a real broker and database: everything arrives once, whoever is killed."""

import json
from collections import Counter

import pytest
from kafka import KafkaConsumer
from sqlalchemy import text

from core.settings import KafkaSettings
from storage import audit
from storage.engine import connect
from streams import topics
from streams.offsets import OffsetReader
from tests.support.checkpoints import tiny_checkpoint
from tests.support.waiting import wait_for
from tests.support.workers import WorkerProcess, produce, settled

POISON = [
    (b"p0", b"{broken"),
    (b"p1", b"\xff\xfe"),
    (b"p2", None),
    (b"p3", b'{"id": "p3"}'),
    (b"p4", b"x" * 2_000_000),
]


class Stage:
    """A group, its topics and tables, and the workers of one test."""

    def __init__(self, bootstrap, database_url, prefix, home):
        self.bootstrap, self.home = bootstrap, home
        self.kafka = KafkaSettings(topic_prefix=f"{prefix}.", partitions=4)
        self.group = f"{prefix}-group"
        self.raw = self.kafka.topic_prefix + topics.RAW
        self.engine = connect(database_url)
        self.environment = {
            "OPINION_KAFKA_BOOTSTRAP": bootstrap,
            "OPINION_DATABASE_URL": database_url,
            "OPINION_GROUP": self.group,
            "OPINION_KAFKA__TOPIC_PREFIX": self.kafka.topic_prefix,
            "OPINION_MODELS__CHECKPOINT": str(tiny_checkpoint(home / "tiny")),
            "OPINION_MODELS__THREADS": "1",
            "OPINION_WORKER__BATCH_RECORDS": "32",
        }
        self.workers = []
        topics.apply(bootstrap, self.kafka)

    def start_worker(self):
        worker = WorkerProcess(self.home, self.environment)
        self.workers.append(worker)
        return worker

    def produce(self, values):
        produce(self.bootstrap, self.raw, values)

    def wait_until_settled(self, count):
        wait_for(lambda: settled(self.engine) == count, 120, f"{count} offsets settled")

    def ids(self):
        with self.engine.connect() as connection:
            return Counter(connection.execute(text("SELECT id FROM document")).scalars())

    def audit(self):
        reader = OffsetReader(self.bootstrap, self.group, self.raw)
        standings = reader.standings()
        reader.close()
        committed = {p: s.committed for p, s in standings.items() if s.committed is not None}
        with self.engine.connect() as connection:
            return audit.audit(connection, self.raw, committed)

    def read(self, topic):
        consumer = KafkaConsumer(
            self.kafka.topic_prefix + topic,
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=2000,
        )
        records = list(consumer)
        consumer.close()
        return records

    def events(self):
        return {dict(record.headers)["ce_id"].decode() for record in self.read(topics.CLASSIFIED)}

    def close(self):
        statuses = [worker.stop() for worker in self.workers]
        self.engine.dispose()
        return statuses


@pytest.fixture
def stage(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def documents(first, last):
    return [
        (f"d{n}".encode(), json.dumps({"id": f"d{n}", "text": f"text number {n}", "source": "s"}).encode())
        for n in range(first, last)
    ]


def test_fresh_group_reads_everything_and_dead_letters_poison(stage):
    """From the first record of a group that never committed: rows, events and dead letters, each exactly once."""
    stage.produce(documents(0, 300) + POISON)
    worker = stage.start_worker()
    worker.wait_until_ready()
    stage.wait_until_settled(305)
    assert stage.ids() == {f"d{n}": 1 for n in range(300)}
    assert stage.audit().is_clean
    letters = stage.read(topics.RAW_DLQ)
    assert {r.key: r.value for r in letters} == dict(POISON)
    assert {dict(r.headers)["ce_id"] for r in stage.read(topics.CLASSIFIED)} == {
        f"d{n}:0".encode() for n in range(300)
    }
    assert 'opinion_streams_records_total{fate="stored"} 300.0' in worker.metrics()
    assert worker.stop() == 0


def test_killed_worker_loses_and_doubles_nothing(stage):
    """One of two workers is killed in the middle; the other takes over its partitions and nothing is missing."""
    first, second = stage.start_worker(), stage.start_worker()
    first.wait_until_ready()
    second.wait_until_ready()
    stage.produce(documents(0, 2000))
    wait_for(lambda: settled(stage.engine) > 100, 60, "work is under way")
    first.kill()
    stage.produce(documents(2000, 2500))
    stage.wait_until_settled(2500)
    assert stage.ids() == {f"d{n}": 1 for n in range(2500)}
    assert stage.audit().is_clean
    assert {dict(r.headers)["ce_id"] for r in stage.read(topics.CLASSIFIED)} == {
        f"d{n}:0".encode() for n in range(2500)
    }
