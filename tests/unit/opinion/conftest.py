"""Commands are run as `opinion.cli.main` runs them."""

import pytest

from core.logs import configure_logs


@pytest.fixture(autouse=True)
def _logs_go_to_stderr() -> None:
    """stdout is for results; without this, structlog would print to it."""
    configure_logs("warning")
