"""With PostgreSQL away under full production, Kafka holds the backlog and the worker's memory stays as it is.

By hand, for longer: `OPINION_OUTAGE_SECONDS=600 pytest tests/integration/test_worker_outage.py`.
"""

import json
import os
import time

import psutil
import pytest

from tests.support.servers import database_away
from tests.support.stages import Stage
from tests.support.waiting import wait_for

OUTAGE_SECONDS = float(os.environ.get("OPINION_OUTAGE_SECONDS", "0"))
DOCUMENT_BYTES = 5_000 if OUTAGE_SECONDS else 50_000
ENOUGH = 20_000_000 // DOCUMENT_BYTES  # fills every buffer: in hand, in Faust's queue, and fetched ahead
PER_SECOND = 300  # in a long outage; in a short one as fast as the broker takes them
STEADY_SECONDS = 5.0
MEGABYTE = 2**20
LARGE_VALUES = 70
MOST_GROWN = 200  # of 270: 64 held, one fetch of each partition, and copies on their way
pytestmark = pytest.mark.timeout(600 + 3 * OUTAGE_SECONDS)


@pytest.fixture
def stage(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def large_documents(first, last):
    """Records that are large to hold and cheap to classify: their bulk is in a field that nobody reads."""
    page = "x" * DOCUMENT_BYTES
    return [
        (f"d{n}".encode(), json.dumps({"id": f"d{n}", "text": f"text {n}", "source": "s", "page": page}).encode())
        for n in range(first, last)
    ]


class Memory:
    """Resident memory of a worker in megabytes."""

    def __init__(self, worker):
        self._process = psutil.Process(worker.process.pid)

    def now(self):
        return self._process.memory_info().rss / MEGABYTE

    def once_steady(self):
        """The highest that it came to, once it has not grown for a while."""
        highest, grew_at = self.now(), time.monotonic()

        def is_steady():
            nonlocal highest, grew_at
            if self.now() > highest + 1:
                highest, grew_at = self.now(), time.monotonic()
            return time.monotonic() - grew_at > STEADY_SECONDS

        wait_for(is_steady, 60, "memory stays as it is")
        return highest


def test_memory_stays_flat_in_an_outage_and_the_lag_returns_to_zero(stage, postgres_url, database_url):
    """Ten times the backlog takes no more memory, and all of it is settled once the database is back."""
    worker = stage.start_worker()
    worker.wait_until_ready()
    memory = Memory(worker)
    with database_away(postgres_url, database_url):
        stage.produce(large_documents(0, ENOUGH))
        wait_for(lambda: "dependencies" in worker.reasons(), 60, "the worker says what it waits for")
        full = memory.once_steady()
        count, began = ENOUGH, time.monotonic()
        while count < 10 * ENOUGH or time.monotonic() < began + OUTAGE_SECONDS:
            stage.produce(large_documents(count, count + 900))
            count += 900
            due = began + (count - ENOUGH) / PER_SECOND if OUTAGE_SECONDS else 0
            wait_for(lambda due=due: time.monotonic() >= due, 60, "the pace of production")
        flat = memory.once_steady()
        assert flat - full < 20, f"{full:.0f} MB with {ENOUGH} documents waiting, {flat:.0f} MB with {count}"
        assert sum(standing.lag_records for standing in stage.standings().values()) == count
    wait_for(lambda: stage.settled() == count, 120 + count / 50, "the backlog is settled")
    stage.wait_until_committed()
    assert memory.now() - full < 200  # one batch and one fetch more in hand, and what the allocator keeps
    assert stage.ids() == {f"d{n}": 1 for n in range(count)}
    assert stage.audit().is_clean


def test_large_values_are_held_by_their_size_and_not_by_their_number(stage, postgres_url, database_url):
    """Values of 4 MB, as many as Faust would read ahead, do not take a worker's memory while it waits."""
    worker = stage.start_worker(OPINION_WORKER__BATCH_RECORDS="256")
    worker.wait_until_ready()
    memory = Memory(worker)
    idle = memory.once_steady()
    value = b"x" * 3_900_000
    with database_away(postgres_url, database_url):
        stage.produce([(f"large{n}".encode(), value) for n in range(LARGE_VALUES)])
        wait_for(lambda: "dependencies" in worker.reasons(), 60, "the worker says what it waits for")
        grown = memory.once_steady() - idle
        assert grown < MOST_GROWN, f"{grown:.0f} MB more than the {idle:.0f} MB of an idle worker"
    stage.wait_until_committed(120)
    assert stage.settled() == LARGE_VALUES
