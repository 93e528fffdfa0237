"""Fixtures for every test; what they do lives in `tests/support/`."""

from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from core.logs import configure_logs
from tests.support.disks import tiny_disk
from tests.support.kafka_clients import kafka_clients_closed, refused_sockets_closed
from tests.support.servers import (
    analyst_database_url,
    database_url,
    empty_database_url,
    kafka_bootstrap,
    migrated_template,
    module_database_url,
    new_topic,
    postgres_url,
    servers_home,
    topic_prefix,
)

__all__ = [
    "analyst_database_url",
    "database_url",
    "empty_database_url",
    "kafka_bootstrap",
    "kafka_clients_closed",
    "migrated_template",
    "module_database_url",
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


@pytest.fixture(scope="session", autouse=True)
def _logs_as_the_commands_have_them() -> None:
    """Commands run inside the test process; without this their log lines would stand in their results."""
    configure_logs("warning")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Hostile texts are logged here, too, and what a test has logged must get from xdist's worker to its master."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
