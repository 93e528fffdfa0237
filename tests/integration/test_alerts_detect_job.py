"""The detect job between a real broker and a real database, and the scheduler as a process."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine, func, select

from alerts.detection.detectors import DetectorOptions
from alerts.detection.judging import ClockOptions
from alerts.detection.rules import DEFAULT_RULES
from alerts.evaluate import EvaluateOptions
from core.clock import MovableClock
from opinion.detection import DetectJob
from storage.engine import connect
from storage.offset_ledger import LedgerLine, write_lines
from storage.tables import incident
from streams.offsets import OffsetReader
from tests.integration.test_alerts_evaluate import story
from tests.support.minutes import add
from tests.support.waiting import wait_for

NOW = datetime(2026, 3, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


def settle(engine: Engine, topic: str, last_offset: int, recorded_at: datetime) -> None:
    """What a worker's transaction writes for one more record."""
    line = LedgerLine(topic, 0, last_offset, last_offset, 1, 0, 0, 0, recorded_at)
    with engine.begin() as connection:
        write_lines(connection, [line])


def test_nothing_is_judged_before_the_backlog_of_that_moment_is_settled(
    engine: Engine, kafka_bootstrap: str, new_topic: Callable[..., str], topic_prefix: str
) -> None:
    """While records produced before a sighting wait in Kafka, the counts are not complete and nobody is alarmed."""
    topic = new_topic("raw")
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for _ in range(2):
        producer.send(topic, b"{}").get(timeout=10)
    producer.close()
    with engine.begin() as connection:
        add(connection, story())
    clock = MovableClock(NOW)
    reader = OffsetReader(kafka_bootstrap, f"{topic_prefix}-group", topic)
    options = EvaluateOptions(DEFAULT_RULES, ClockOptions(DetectorOptions()), [], "http://console")
    job = DetectJob(engine, reader, topic, options, clock)

    def incidents_after_a_run() -> int:
        job(lambda: False)
        clock.advance(MINUTE)
        with engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(incident)) or 0

    assert incidents_after_a_run() == 0  # nothing settled
    settle(engine, topic, 0, NOW - MINUTE)
    assert incidents_after_a_run() == 0  # one record of before the first sighting still waits
    settle(engine, topic, 1, NOW)
    assert incidents_after_a_run() == 3  # drained: what was seen a minute ago is complete
    reader.close()


def test_the_scheduler_process_becomes_ready_and_stops_within_seconds(
    database_url: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    """`opinion scheduler` answers its probes, counts its jobs, and ends on SIGTERM."""
    log = tmp_path / "scheduler.log"
    env = {
        **os.environ,
        "OPINION_DATABASE_URL": database_url,
        "OPINION_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OPINION_KAFKA__TOPIC_PREFIX": f"{topic_prefix}.",
        "OPINION_LOG_FORMAT": "json",
        "OPINION_HOME": str(tmp_path),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "opinion.cli", "scheduler"], env=env, stdout=output, stderr=output
        )
    try:
        port = wait_for(
            lambda: (m := re.search(r'"probes_port": (\d+)', log.read_text())) and m[1], 60, "the probes' port"
        )

        def get(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return str(answer.read().decode())

        wait_for(lambda: "ready" in get("/readyz"), 30, "readiness")
        wait_for(
            lambda: 'opinion_scheduler_job_runs_total{job="deliver",outcome="done"}' in get("/metrics"), 30, "a job"
        )
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
