"""Servers that live and answer nobody, under the supervisor of `opinion up`."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

import storage.local
from opinion.supervisor import Supervisor
from storage.local import EmbeddedPostgres
from streams.local import EmbeddedKafka
from tests.support.servers import JARS
from tests.support.waiting import wait_for


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the account of PostgreSQL can enter, too."""
    folder = Path(tempfile.mkdtemp(prefix="opinion-hung-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_frozen_servers_are_restarted_with_their_data(home: Path) -> None:
    """A server that answers nobody for the set time is ended and started again, at the same address."""
    postgres, kafka = EmbeddedPostgres(home), EmbeddedKafka(home, jars=JARS, heap_megabytes=256)
    supervisor = Supervisor([[postgres, kafka]], silent_seconds=1.0)
    try:
        supervisor.start()
        url, bootstrap = postgres.url, kafka.bootstrap
        assert url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        frozen = {postgres.pid, kafka.pid}
        for pid in frozen:
            assert pid
            os.kill(pid, signal.SIGSTOP)

        def are_new() -> bool:
            supervisor.tick()
            return postgres.is_running and kafka.is_running and not frozen & {postgres.pid, kafka.pid}

        wait_for(are_new, 120, "both servers run anew")
        assert kafka.is_answering()
        assert (postgres.url, kafka.bootstrap) == (url, bootstrap)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    finally:
        supervisor.stop()


def connect_until_refused(url: str, clients: ExitStack) -> None:
    while True:
        clients.enter_context(closing(psycopg.connect(url)))


def test_a_server_that_turns_clients_away_is_not_taken_for_hung(home: Path) -> None:
    """A database whose connections are all taken answers, and keeps its clients."""
    with EmbeddedPostgres(home) as postgres, ExitStack() as clients:
        assert postgres.url
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            connect_until_refused(postgres.url, clients)
        assert not storage.local.is_answering(postgres.url)
        assert postgres.is_answering()
