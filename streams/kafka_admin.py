"""An admin client for one question, which leaves nothing behind when nobody answers it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.net.compat import KafkaNetClient


@contextmanager
def admin_client(bootstrap: str, **options: Any) -> Iterator[KafkaAdminClient]:
    """Closed at the end, also if it never came to be: that of kafka-python 3.0, when it finds no broker, raises and
    leaves its thread and sockets.

    Args:
        bootstrap: addresses, with commas between them.
        options: of `KafkaAdminClient`.

    Raises:
        kafka.errors.KafkaError: no broker answers.
    """
    networks: list[KafkaNetClient] = []

    def new_network(**configs: Any) -> KafkaNetClient:
        networks.append(KafkaNetClient(**configs))
        return networks[-1]

    try:
        yield KafkaAdminClient(bootstrap_servers=bootstrap.split(","), kafka_client=new_network, **options)
    finally:
        for network in networks:
            network.close()
