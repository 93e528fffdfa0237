"""A cure for sockets that kafka-python leaves open, so that tests may look for leaks of our own."""

import socket
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from kafka.net.inet import KafkaNetSocket


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
