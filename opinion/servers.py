"""Kafka and PostgreSQL for one command: the configured ones, else those that run under `home`, else our own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rich.console import Console
from sqlalchemy import Engine

import storage.local
import streams.local
from core.errors import DependencyNotReadyError
from core.settings import Settings
from storage import migrate, reporting_zone
from storage.engine import connect
from storage.local import EmbeddedPostgres
from streams import topics
from streams.local import EmbeddedKafka

ANSWER_SECONDS = 5  # so long a configured server may take before it counts as away


@dataclass(frozen=True)
class Addresses:
    """Where the servers are; empty for one that was not asked for."""

    kafka_bootstrap: str = ""
    database_url: str = ""


def embedded_kafka(settings: Settings) -> EmbeddedKafka:
    """The broker of this home, not started."""
    return EmbeddedKafka(settings.home, jars=settings.jars, maven_repo=settings.maven_repo, say=say)


def embedded_postgres(settings: Settings) -> EmbeddedPostgres:
    """The database server of this home, not started."""
    return EmbeddedPostgres(settings.home, say=say)


@contextmanager
def servers(settings: Settings, *, need_kafka: bool = True, need_postgres: bool = True) -> Iterator[Addresses]:
    """Addresses of servers that answer, for as long as the block lasts.

    Servers started here get the schema and the topics, and are stopped at the end of the block; those that
    were there before are left as they are. Use it from the main thread (see `core.children.spawn`).

    Raises:
        DependencyNotReadyError: a configured server does not answer, or an embedded one cannot start.
    """
    with ExitStack() as stack:
        kafka = _kafka(settings, stack) if need_kafka else ""
        database = _postgres(settings, stack) if need_postgres else ""
        yield Addresses(kafka, database)


@contextmanager
def database(settings: Settings) -> Iterator[Engine]:
    """The configured, running or embedded database, for as long as the block lasts; as `servers`."""
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            yield engine
        finally:
            engine.dispose()


def kafka_address(settings: Settings) -> str | None:
    """The configured or running broker, without asking whether it answers."""
    return settings.kafka_bootstrap or streams.local.running(settings.home)


def postgres_address(settings: Settings) -> str | None:
    """The configured or running database, without asking whether it answers."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return storage.local.running(settings.home)


def require_kafka(address: str) -> str:
    """The same address, if a broker answers there.

    Raises:
        DependencyNotReadyError: none does within a few seconds.
    """
    if streams.local.is_answering(address, ANSWER_SECONDS):
        return address
    raise DependencyNotReadyError(
        f"Kafka does not answer at {address}",
        remedy="start it, correct OPINION_KAFKA_BOOTSTRAP, or leave that empty to use the embedded one",
    )


def require_postgres(url: str) -> str:
    """The same URL, if a database lets us in there.

    Raises:
        DependencyNotReadyError: it does not within a few seconds.
    """
    if (reason := storage.local.refusal(url, ANSWER_SECONDS)) is None:
        return url
    raise DependencyNotReadyError(
        f"PostgreSQL does not let us in: {reason}",
        remedy="start it, correct OPINION_DATABASE_URL, or leave that empty to use the embedded one",
    )


def say(line: str) -> None:
    """Tell the person at the terminal; stdout is kept for results."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(line, markup=False)


def _kafka(settings: Settings, stack: ExitStack) -> str:
    if address := kafka_address(settings):
        return require_kafka(address)
    say(f"Starting the embedded Kafka for this command (its data stay in {settings.home}).")
    address = stack.enter_context(embedded_kafka(settings)).start()
    topics.apply(address, settings.kafka)
    return address


def _postgres(settings: Settings, stack: ExitStack) -> str:
    if address := postgres_address(settings):
        return require_postgres(address)
    say(f"Starting the embedded PostgreSQL for this command (its data stay in {settings.home}).")
    address = stack.enter_context(embedded_postgres(settings)).start()
    upgrade_schema(settings, address)
    return address


def upgrade_schema(settings: Settings, database_url: str) -> None:
    """The newest schema, with local days in the configured zone."""
    migrate.upgrade(database_url)
    engine = connect(database_url)
    with engine.begin() as connection:
        reporting_zone.keep(connection, settings.timezone)
    engine.dispose()
