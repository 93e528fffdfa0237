"""Looks for Kafka clients that a test leaves open, and cures what kafka-python leaves open by itself."""

import socket
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from kafka.net.inet import KafkaNetSocket

from tests.support.waiting import wait_for

CLIENT_THREAD = "kafka-io-"


@pytest.fixture(scope="session", autouse=True)
def refused_sockets_closed() -> Iterator[None]:
    """kafka-python 3.0 leaves the sockets of refused connections to the garbage collector, which pytest reports
    in whatever test runs then."""
    connect = KafkaNetSocket.sock_connect

    async def closing(self: Any, net: Any, sock: socket.socket, *arguments: Any, **options: Any) -> Any:
        try:
            return await connect(self, net, sock, *arguments, **options)
        except BaseException:
            sock.close()
            raise

    with patch.object(KafkaNetSocket, "sock_connect", closing):
        yield


@pytest.fixture(autouse=True)
def kafka_clients_closed() -> Iterator[None]:
    """A client left open goes on trying to reach the broker after the session's servers are gone, and fails the whole
    run there, where nothing names the test."""
    before = _clients()
    yield
    if _clients() - before:
        wait_for(lambda: not _clients() - before, 5, "every Kafka client of this test is closed")


def _clients() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith(CLIENT_THREAD)}
