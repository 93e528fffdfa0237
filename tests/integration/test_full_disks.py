"""The embedded servers on a real disk that fills up: told as such, and nothing acknowledged is lost."""

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from core.errors import DependencyNotReadyError
from storage import postgres_binaries
from storage.local import EmbeddedPostgres
from storage.postgres_account import Account
from streams.local import EmbeddedKafka
from tests.support.disks import fill
from tests.support.reading import read_topic
from tests.support.servers import JARS
from tests.support.waiting import wait_for

LOG = TopicPartition("log", 0)


def refused(start: Callable[[], str], folder: Path) -> None:
    """The start fails, names the folder and asks for space."""
    with pytest.raises(DependencyNotReadyError, match=f"the disk of {folder}.* is full") as error:
        start()
    assert error.value.remedy
    assert "free some space" in error.value.remedy


def insert_until_full(url: str) -> int:
    """Commit rows of 1 MB, numbered from 0, until the server cannot; returns how many were acknowledged."""
    number = 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (number int, content bytea)")
        connection.execute("ALTER TABLE kept ALTER content SET STORAGE EXTERNAL")
        while True:
            try:
                connection.execute("INSERT INTO kept VALUES (%s, %s)", [number, os.urandom(1_000_000)])
            except psycopg.Error:
                return number
            number += 1


def test_postgres_outlives_a_full_disk(tiny_disk: Callable[[int], Path]) -> None:
    """A disk that is full while the database is made, and again while it runs, costs nothing but time."""
    home = tiny_disk(200_000_000)
    postgres = EmbeddedPostgres(home)
    ballast = fill(home, but=20_000_000)
    refused(postgres.start, home)
    assert not [path.name for path in (home / "postgres").iterdir() if path.name not in (".lock", "instance.json")]
    ballast.unlink()
    try:
        url = postgres.start()
        ballast = fill(home, but=40_000_000)
        acknowledged = insert_until_full(url)
        assert acknowledged
        postgres.stop()
        fill(home)
        refused(postgres.start, home)
        ballast.unlink()
        with psycopg.connect(postgres.start()) as connection:
            numbers = [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY number")]
        assert numbers[:acknowledged] == list(range(acknowledged))
    finally:
        postgres.stop()


def append_until_full(bootstrap: str) -> int:
    """Produce records of 500 kB, numbered from 0, until the broker cannot; returns how many were acknowledged."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({LOG.topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=0, request_timeout_ms=4000, delivery_timeout_ms=5000
    )
    number = 0
    try:
        while True:
            producer.send(LOG.topic, f"{number}|".encode() + os.urandom(500_000)).get(timeout=30)
            number += 1
    except KafkaError:
        return number
    finally:
        producer.close(timeout=1)


def numbers_in_log(bootstrap: str) -> list[int]:
    """The numbers of all records."""
    return [int(record.value.partition(b"|")[0]) for record in read_topic(bootstrap, LOG.topic)]


def test_kafka_outlives_a_full_disk(tiny_disk: Callable[[int], Path]) -> None:
    """A disk that is full while the log is set up, and again while the broker runs, costs nothing but time."""
    home = tiny_disk(150_000_000)
    kafka = EmbeddedKafka(home, jars=JARS, heap_megabytes=256)
    ballast = fill(home)
    refused(kafka.start, home)
    ballast.unlink()
    try:
        bootstrap = kafka.start()
        ballast = fill(home, but=10_000_000)
        acknowledged = append_until_full(bootstrap)
        assert acknowledged
        wait_for(lambda: not kafka.is_running, 30, "the end of a broker that cannot write")
        refused(kafka.start, home)
        ballast.unlink()
        assert numbers_in_log(kafka.start())[:acknowledged] == list(range(acknowledged))
    finally:
        kafka.stop()


def test_a_disk_without_room_for_the_programs_is_named(
    tiny_disk: Callable[[int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that have to be copied and do not fit leave nothing, neither do those of a copy that was killed."""
    copies, folder = tiny_disk(10_000_000), postgres_binaries.wheel_folder()
    assert folder
    monkeypatch.setattr(postgres_binaries, "_installations", lambda: [postgres_binaries.Binaries(folder, 18)])
    monkeypatch.setattr(Account, "can_enter", lambda _self, path: path.is_relative_to(copies))
    (copies / f"postgresql-{version(postgres_binaries.WHEEL)}.{2**22 + 1}").mkdir()
    with pytest.raises(DependencyNotReadyError, match=f"disk of {copies} is full"):
        EmbeddedPostgres(tmp_path, reachable=copies).start()
    assert not list(copies.glob("postgresql-*"))
