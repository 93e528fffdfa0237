"""The scheduled audit and `opinion audit`, on a real broker and database."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client import REGISTRY
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from core.clock import MovableClock
from core.probes import ProbeServer
from core.settings import load_settings
from opinion.auditing import AuditJob, audit_job
from opinion.cli import app
from opinion.scheduler import Job, Scheduler
from storage.documents import store
from storage.engine import connect
from storage.offset_ledger import LedgerLine, write_lines
from storage.partitions import Partitions
from streams import topics
from tests.support.records import START, row
from tests.support.waiting import wait_for

run = CliRunner()


class Deployment:
    """A raw topic with forty records of which a group has read, stored and acknowledged thirty."""

    def __init__(self, engine: Engine, bootstrap: str, topic: str, group: str) -> None:
        self.engine, self.bootstrap, self.topic, self.group = engine, bootstrap, topic, group
        producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
        for n in range(40):
            producer.send(topic, key=b"%d" % n, value=b"{}")
        producer.flush()
        producer.close()
        Partitions(engine).ensure([START])
        for first in range(0, 30, 10):
            with engine.begin() as connection:
                store(connection, [row(f"d{n}", n) for n in range(first, first + 10)])
                write_lines(connection, [LedgerLine(topic, 0, first, first + 9, 10, 0, 0, 0, START)])
        self.commit(30)

    def commit(self, offset: int) -> None:
        """As the group."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.group, enable_auto_commit=False)
        consumer.commit({TopicPartition(self.topic, 0): OffsetAndMetadata(offset, "", -1)})
        consumer.close()

    def expire(self, before: int) -> None:
        """As retention."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        admin.delete_records({TopicPartition(self.topic, 0): before})
        admin.close()

    def sql(self, statement: str) -> None:
        with self.engine.begin() as connection:
            assert connection.execute(text(statement)).rowcount


@pytest.fixture
def deployment(
    database_url: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    new_topic: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    monkeypatch.setenv("OPINION_DATABASE_URL", database_url)
    monkeypatch.setenv("OPINION_KAFKA_BOOTSTRAP", kafka_bootstrap)
    monkeypatch.setenv("OPINION_KAFKA__TOPIC_PREFIX", f"{topic_prefix}.")
    monkeypatch.setenv("OPINION_GROUP", topic_prefix)
    engine = connect(database_url)
    yield Deployment(engine, kafka_bootstrap, new_topic(topics.RAW), topic_prefix)
    engine.dispose()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime.now(UTC))


@pytest.fixture
def job(deployment: Deployment, clock: MovableClock) -> Iterator[AuditJob]:
    with closing(audit_job(load_settings(), deployment.engine, deployment.bootstrap, clock)) as job:
        yield job


def metric(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"opinion_audit_{name}", labels)
    assert value is not None, name
    return value


def never() -> bool:
    return False


def audited(*arguments: str) -> tuple[Result, dict[str, Any]]:
    result = run.invoke(app, ["audit", "--json", *arguments])
    return result, json.loads(result.stdout)


def exit_code(result: Result) -> object:
    return getattr(result.exception, "exit_code", result.exit_code)


def test_a_clean_run_says_when_it_was(job: AuditJob, clock: MovableClock) -> None:
    """Nothing found, the time of the run and of the round, and the rows that were read."""
    read = metric("rows_total")
    job(never)
    for name in ("holes", "expired_records", "unsettled_records", "ahead_records", "count_differences"):
        assert metric(name) == 0, name
    assert metric("partition_faults") == metric("row_faults", kind="key_without_document") == 0
    assert metric("ledger_lines") == 3
    assert metric("rows_total") - read >= 60
    assert (
        metric("last_success_timestamp_seconds") == metric("last_round_timestamp_seconds") == clock.now().timestamp()
    )


def test_each_fault_reaches_its_metric(deployment: Deployment, job: AuditJob) -> None:
    """A hole, an acknowledged record that was never settled, a wrong count and a lost document."""
    deployment.sql("DELETE FROM offset_ledger WHERE first_offset = 10")
    deployment.sql("UPDATE opinion_minute SET total = total + 1")
    deployment.sql("DELETE FROM document WHERE id = 'd7'")
    deployment.commit(35)
    job(never)
    assert metric("holes") == 1
    assert metric("unsettled_records") == 5
    assert metric("count_differences") == 1
    assert metric("row_faults", kind="key_without_document") == 1


def test_records_that_expired_unread_reach_their_metric(deployment: Deployment, job: AuditJob) -> None:
    """Retention took three records that nobody had read."""
    deployment.expire(33)
    job(never)
    assert metric("expired_records") == 3


def test_the_job_merges_old_lines_and_stays_clean(deployment: Deployment, job: AuditJob, clock: MovableClock) -> None:
    """A day later the lines are one; the audit says the same of it."""
    clock.advance(timedelta(hours=25))
    job(never)
    job._ledger_due = 0
    job(never)
    assert metric("ledger_lines") == 1
    assert metric("holes") == metric("unsettled_records") == 0


def test_the_scheduler_exports_the_audit(deployment: Deployment, job: AuditJob) -> None:
    """The metrics are at the scheduler's probes; its job has run without an error."""
    scheduler = Scheduler(deployment.engine, [Job("audit", timedelta(seconds=0.2), job)])
    probes = ProbeServer("127.0.0.1", 0, {})
    thread = threading.Thread(target=scheduler.run)
    deployment.sql("DELETE FROM offset_ledger WHERE first_offset = 10")
    probes.start()
    thread.start()
    try:
        url = f"http://127.0.0.1:{probes.port}/metrics"
        wait_for(lambda: "\nopinion_audit_holes 1.0\n" in httpx.get(url, timeout=5).text, 20, "the hole in /metrics")
    finally:
        scheduler.stop()
        thread.join(20)
        probes.stop()


def test_the_command_says_what_was_checked(deployment: Deployment) -> None:
    """Clean, complete, from the oldest document to the newest, and exit code 0."""
    result, found = audited()
    assert exit_code(result) == 0, result.stderr
    assert (found["is_clean"], found["first_hole"], found["documents"], found["ledger_lines"]) == (True, None, 30, 3)
    assert found["holes"] == found["differences"] == found["unsettled"] == []
    checked = found["checked"]
    assert checked["seconds"] < 60
    del checked["seconds"]
    oldest = str(START)
    assert checked == {"from": oldest, "to": oldest, "rows": 30, "keys": 30, "is_complete": True}


def test_the_command_names_the_first_hole(deployment: Deployment) -> None:
    """Exit code 5; the table for people names it too."""
    deployment.sql("DELETE FROM offset_ledger WHERE first_offset = 10")
    result, found = audited("--full")
    assert exit_code(result) == 5
    assert found["first_hole"] == {"topic": deployment.topic, "partition": 0, "first_offset": 10, "last_offset": 19}
    shown = run.invoke(app, ["audit"], env={"COLUMNS": "200"})
    assert exit_code(shown) == 5
    assert "not clean" in shown.stdout
    assert "first_offset 10, last_offset 19" in shown.stdout


def test_a_commit_beyond_the_ledger_is_told(deployment: Deployment) -> None:
    """Which offsets the group acknowledged though nobody settled them."""
    deployment.commit(32)
    result, found = audited()
    assert exit_code(result) == 5
    assert [(hole["first_offset"], hole["last_offset"]) for hole in found["unsettled"]] == [(30, 31)]
