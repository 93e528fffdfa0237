"""`kill -9` at random points of a start: of PostgreSQL, of Kafka, of the process that owns them."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.structs import TopicPartition

from core import children
from core.errors import DependencyNotReadyError
from storage.local import EmbeddedPostgres
from streams.local import EmbeddedKafka
from tests.support.reading import read_topic
from tests.support.servers import JARS
from tests.support.waiting import wait_for

SEED = int(os.environ.get("OPINION_KILL_SEED", "9"))
ROUNDS = int(os.environ.get("OPINION_KILL_ROUNDS", "2"))  # on an empty home, and as many again once there are data
LOG = TopicPartition("log", 0)
OWNER = """
import sys
from pathlib import Path
from storage.local import EmbeddedPostgres
from streams.local import EmbeddedKafka
print("begin", flush=True)
EmbeddedPostgres(Path(sys.argv[1])).start()
EmbeddedKafka(Path(sys.argv[1]), jars=Path(sys.argv[2])).start()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the account of PostgreSQL can enter, too."""
    folder = Path(tempfile.mkdtemp(prefix="opinion-kills-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def killing(find: Callable[[], list[psutil.Process]], delay_seconds: float) -> Iterator[None]:
    """Kill what is found, so long after it first appears, if it appears while the block lasts."""
    is_over = threading.Event()

    def kill() -> None:
        while not (found := find()):
            if is_over.wait(0.02):
                return
        is_over.wait(delay_seconds)
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_postgres_survives_kills_at_random_points_of_its_start(home: Path) -> None:
    """Whenever initdb or server are killed, the next start works, and every committed row is there."""
    chance = random.Random(SEED)
    data = home / "postgres" / "data"
    postgres = EmbeddedPostgres(home)

    def found() -> list[psutil.Process]:
        return children.find("initdb", f"-D{data}.partial") + children.find("postgres", f"-D{data}")

    def start_and_be_killed() -> None:
        with killing(found, chance.uniform(0, 1.0)), contextlib.suppress(DependencyNotReadyError):
            postgres.start()
        if pid := postgres.pid:
            psutil.Process(pid).kill()
        wait_for(lambda: not postgres.is_running, 10, "the server's end")

    for _ in range(ROUNDS):
        start_and_be_killed()
    try:
        for number in range(ROUNDS):
            with psycopg.connect(postgres.start(), autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
                connection.execute("INSERT INTO kept VALUES (%s)", [number])
            assert postgres.pid
            psutil.Process(postgres.pid).kill()
            start_and_be_killed()
        with psycopg.connect(postgres.start()) as connection:
            assert [row[0] for row in connection.execute("SELECT number FROM kept")] == list(range(ROUNDS))
    finally:
        postgres.stop()


def append(bootstrap: str, numbers: range) -> None:
    """All are acknowledged when it returns."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for sending in [producer.send(LOG.topic, str(number).encode()) for number in numbers]:
        sending.get(timeout=30)
    producer.close()


def numbers_in_log(bootstrap: str) -> list[int]:
    """The numbers of all records."""
    return [int(record.value) for record in read_topic(bootstrap, LOG.topic)]


def test_kafka_survives_kills_at_random_points_of_its_start(home: Path) -> None:
    """Whenever format or broker are killed, the next start works, and every acknowledged record is there."""
    chance = random.Random(SEED)
    kafka = EmbeddedKafka(home, jars=JARS, heap_megabytes=256)
    marker = f"-Dopinion.kafka={home.resolve() / 'kafka'}"

    def start_and_be_killed() -> None:
        with (
            killing(lambda: children.find("java", marker), chance.uniform(0, 3.0)),
            contextlib.suppress(DependencyNotReadyError),
        ):
            kafka.start()
        if pid := kafka.pid:
            psutil.Process(pid).kill()
        wait_for(lambda: not kafka.is_running, 10, "the broker's end")

    for _ in range(ROUNDS):
        start_and_be_killed()
    try:
        admin = KafkaAdminClient(bootstrap_servers=kafka.start())
        admin.create_topics({LOG.topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        admin.close()
        assert kafka.bootstrap
        append(kafka.bootstrap, range(100))
        assert kafka.pid
        psutil.Process(kafka.pid).kill()
        for _ in range(ROUNDS):
            start_and_be_killed()
        assert numbers_in_log(kafka.start()) == list(range(100))
    finally:
        kafka.stop()


def test_servers_start_after_their_owner_was_killed_at_random_points(home: Path) -> None:
    """kill -9 of the process that starts both servers, anywhere on its way, leaves nothing that blocks the next."""
    chance = random.Random(SEED)
    for _ in range(ROUNDS + 1):
        owner = subprocess.Popen([sys.executable, "-c", OWNER, home, JARS], stdout=subprocess.PIPE)
        assert owner.stdout
        owner.stdout.readline()
        time.sleep(chance.uniform(0, 6.0))  # the point of the kill is what varies
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        owner.stdout.close()
    with EmbeddedPostgres(home) as postgres, EmbeddedKafka(home, jars=JARS, heap_megabytes=256) as kafka:
        assert postgres.is_running
        assert kafka.is_running
    marker, data = f"-Dopinion.kafka={home.resolve() / 'kafka'}", f"-D{home.resolve() / 'postgres' / 'data'}"
    assert not children.find("java", marker) + children.find("postgres", data)
