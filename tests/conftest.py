"""Fixtures for every test; what they do lives in `tests/support/`."""

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
    "servers_home",
    "topic_prefix",
]
