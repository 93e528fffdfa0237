"""SIGTERM ends a worker within 20 s, whatever it is at, and nothing is lost or done twice."""

import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.local import EmbeddedKafka
from tests.support.servers import JARS, database_away
from tests.support.stages import Stage, documents
from tests.support.waiting import wait_for

STOP_SECONDS = 20.0
pytestmark = pytest.mark.timeout(600)  # a dozen workers are started, each some seconds of CPU


@pytest.fixture
def stage(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def seconds_to_stop(worker):
    """From SIGTERM to the end of the process."""
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(STOP_SECONDS)
    return time.monotonic() - began


@contextmanager
def load(stage, counts) -> Iterator[None]:
    """A crawler that never rests; `counts` is told how many documents the broker has."""
    is_over = threading.Event()

    def produce():
        while not is_over.wait(0.1):
            stage.produce(documents(counts[0], counts[0] + 20))
            counts[0] += 20

    crawler = threading.Thread(target=produce)
    crawler.start()
    try:
        yield
    finally:
        is_over.set()
        crawler.join()


def says(worker, words):
    """Whether /readyz gives a reason with these words."""
    wait_for(lambda: any(words in reason for reason in worker.reasons().values()), 60, words)


def test_a_stop_is_quick_whatever_the_worker_is_at(stage, postgres_url, database_url):
    """While the model loads, within a long batch, and with the database away: gone in time, nothing lost."""
    stage.hang.write_text("load 3600")
    worker = stage.start_worker(can_hang=True)
    says(worker, "the model is being loaded")
    assert seconds_to_stop(worker) < STOP_SECONDS

    stage.hang.write_text("model 60")
    stage.produce(documents(0, 100))
    worker = stage.start_worker(can_hang=True)
    wait_for(stage.hang.with_name("hang.reached").exists, 60, "a batch is in hand")
    assert seconds_to_stop(worker) < STOP_SECONDS
    assert stage.settled() == 0
    stage.hang.unlink()

    worker = stage.start_worker()
    stage.wait_until_settled(100)
    with database_away(postgres_url, database_url):
        stage.produce(documents(100, 200))
        says(worker, "store waits for its dependency")
        assert seconds_to_stop(worker) < STOP_SECONDS
    stage.start_worker()
    stage.wait_until_settled(200)
    stage.wait_until_committed()
    assert stage.ids() == {f"d{n}": 1 for n in range(200)}
    assert stage.audit().is_clean


def test_rolling_upgrade_repeats_nothing(stage):
    """Two workers under load are replaced, one after the other; then one stops while its peer has just died."""
    counts = [0]
    old = [stage.start_worker(), stage.start_worker()]
    for worker in old:
        worker.wait_until_ready()
    with load(stage, counts):
        wait_for(lambda: stage.settled() > 100, 60, "work is under way")
        new = []
        for worker in old:
            assert seconds_to_stop(worker) < STOP_SECONDS
            assert worker.process.returncode == 0
            new.append(stage.start_worker())
            new[-1].wait_until_ready()
        upgraded = stage.settled()
        wait_for(lambda: stage.settled() > upgraded, 60, "the new workers work")
    stage.wait_until_settled(counts[0])
    stage.wait_until_committed()
    assert stage.ids() == {f"d{n}": 1 for n in range(counts[0])}
    assert stage.audit().is_clean
    assert set(stage.event_ids()) == {f"d{n}:0".encode() for n in range(counts[0])}
    assert stage.repeats() <= 32  # measured: none; a commit that fails may repeat a batch, without effect
    new[0].kill()
    stage.start_worker().wait_until_ready()
    assert seconds_to_stop(new[1]) < STOP_SECONDS


def test_a_stop_while_the_broker_is_away(database_url, topic_prefix, tmp_path):
    """Neither an idle worker nor one with a batch to publish waits for a broker that is gone."""
    with tempfile.TemporaryDirectory(prefix="opinion-stop-") as home:
        kafka = EmbeddedKafka(Path(home), jars=JARS)
        stage = Stage(kafka.start(), database_url, topic_prefix, tmp_path)
        try:
            worker = stage.start_worker(can_hang=True)
            worker.wait_until_ready()
            stage.hang.write_text("model 8")
            stage.produce(documents(0, 50))
            wait_for(stage.hang.with_name("hang.reached").exists, 60, "a batch is in hand")
            kafka.stop()
            wait_for(lambda: stage.settled() > 0, 30, "rows are stored")
            assert seconds_to_stop(worker) < STOP_SECONDS
            stage.hang.unlink()
            kafka.start()
            stage.start_worker()
            stage.wait_until_settled(50)
            stage.wait_until_committed()
            assert stage.ids() == {f"d{n}": 1 for n in range(50)}
            assert stage.audit().is_clean
        finally:
            stage.close()
            kafka.stop()
