"""Fixtures for every test; what they do lives in `tests/support/`."""

from hypothesis import HealthCheck, settings

from tests.support.disks import tiny_disk
from tests.support.refused_sockets import refused_sockets_closed
from tests.support.servers import (
    database_url,
    empty_database_url,
    kafka_bootstrap,
    migrated_template,
    new_topic,
    postgres_url,
    servers_home,
    topic_prefix,
)

__all__ = [
    "database_url",
    "empty_database_url",
    "kafka_bootstrap",
    "migrated_template",
    "new_topic",
    "postgres_url",
    "refused_sockets_closed",
    "servers_home",
    "tiny_disk",
    "topic_prefix",
]

# On a loaded machine generating inputs takes long by itself; that says nothing about the code.
settings.register_profile("opinion", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("opinion")
