"""Real workers on a real broker and database: everything arrives once, whoever is killed."""

import pytest

from streams import topics
from tests.support.stages import Stage, documents
from tests.support.waiting import wait_for

POISON = [
    (b"p0", b"{broken"),
    (b"p1", b"\xff\xfe"),
    (b"p2", None),
    (b"p3", b'{"id": "p3"}'),
    (b"p4", b"x" * 2_000_000),
]


@pytest.fixture
def stage(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


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
    assert set(stage.event_ids()) == {f"d{n}:0".encode() for n in range(300)}
    assert 'opinion_streams_records_total{fate="stored"} 300.0' in worker.metrics()
    assert worker.stop() == 0


def test_killed_worker_loses_and_doubles_nothing(stage):
    """One of two workers is killed in the middle; the other takes over its partitions and nothing is missing."""
    first, second = stage.start_worker(), stage.start_worker()
    first.wait_until_ready()
    second.wait_until_ready()
    stage.produce(documents(0, 2000))
    wait_for(lambda: stage.settled() > 100, 60, "work is under way")
    first.kill()
    stage.produce(documents(2000, 2500))
    stage.wait_until_settled(2500)
    assert stage.ids() == {f"d{n}": 1 for n in range(2500)}
    assert stage.audit().is_clean
    assert set(stage.event_ids()) == {f"d{n}:0".encode() for n in range(2500)}
