"""One real Kafka and one real PostgreSQL for the whole test session; fresh topics and databases for each test.

`OPINION_TEST_KAFKA_BOOTSTRAP` and `OPINION_TEST_DATABASE_URL` (of a superuser) name servers that run already.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaAdminClient
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from storage import migrate
from storage.engine import connect
from storage.local import EmbeddedPostgres
from streams.local import EmbeddedKafka
from tests.support import analyst_days

JARS = Path(__file__).parents[2] / "var" / "jars"  # kept between runs, so that only the first one downloads
TEMPLATE = "opinion_test_template"


@pytest.fixture(scope="session")
def servers_home() -> Iterator[Path]:
    """Where the session's servers keep their data; passable, because PostgreSQL may run as another account."""
    home = Path(tempfile.mkdtemp(prefix="opinion-test-"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_bootstrap(servers_home: Path) -> Iterator[str]:
    """`host:port` of a broker that this test session may fill."""
    if configured := os.environ.get("OPINION_TEST_KAFKA_BOOTSTRAP"):
        yield configured
        return
    with EmbeddedKafka(servers_home, jars=JARS) as kafka:
        assert kafka.bootstrap
        yield kafka.bootstrap


@pytest.fixture(scope="session")
def postgres_url(servers_home: Path) -> Iterator[str]:
    """URL of an empty database, as a superuser who may create others."""
    if configured := os.environ.get("OPINION_TEST_DATABASE_URL"):
        yield configured
        return
    with EmbeddedPostgres(servers_home, is_durable=False) as postgres:
        assert postgres.url
        yield postgres.url


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> str:
    """Name of a database with the newest schema and no rows, made once and cloned for each test."""
    _execute(postgres_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", TEMPLATE)
    _execute(postgres_url, "CREATE DATABASE {}", TEMPLATE)
    migrate.upgrade(url_of(postgres_url, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """URL of a migrated database that only this test uses."""
    yield from _database(postgres_url, "CREATE DATABASE {} TEMPLATE {}", migrated_template)


@pytest.fixture(scope="module")
def module_database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """The same for all tests of a file, which keep out of each other's way."""
    yield from _database(postgres_url, "CREATE DATABASE {} TEMPLATE {}", migrated_template)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """URL of a database without any table, for migrations."""
    yield from _database(postgres_url, "CREATE DATABASE {}")


@pytest.fixture(scope="session")
def analyst_database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """URL of a database with two known weeks (`tests.support.analyst_days`), for tests that only read."""
    for url in _database(postgres_url, "CREATE DATABASE {} TEMPLATE {}", migrated_template):
        engine = connect(url)
        analyst_days.fill(engine)
        engine.dispose()
        yield url


@pytest.fixture
def topic_prefix() -> str:
    """Begins the name of whatever this test creates on the shared broker: topics, groups."""
    return f"test-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def new_topic(kafka_bootstrap: str, topic_prefix: str) -> Callable[..., str]:
    """Creates a topic that only this test uses and returns its name: `new_topic("raw", partitions=2)`."""

    def create(name: str = "topic", *, partitions: int = 1, **configs: str) -> str:
        topic = f"{topic_prefix}.{name}"
        admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        try:
            plan = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
            admin.create_topics({topic: plan}, wait_for_metadata=True)
        finally:
            admin.close()
        return topic

    return create


@contextmanager
def database_away(postgres_url: str, database_url: str) -> Iterator[None]:
    """Every connection to this one database ends, and no new one is let in."""
    name = database_url.rsplit("/", 1)[1]

    def allow(is_allowed: bool) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(is_allowed)))
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    allow(False)
    try:
        yield
    finally:
        allow(True)


def url_of(postgres_url: str, database: str) -> str:
    """The same server and user, another database."""
    parts = conninfo_to_dict(postgres_url)
    return f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{database}"


def _database(postgres_url: str, create: str, *arguments: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:10]}"
    _execute(postgres_url, create, name, *arguments)
    yield url_of(postgres_url, name)
    _execute(postgres_url, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
