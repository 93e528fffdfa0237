"""`opinion web` and who can reach it."""

import pytest
from typer.testing import CliRunner

from core.addresses import is_loopback
from core.errors import UsageError
from opinion.cli import app


@pytest.mark.parametrize(
    ("host", "is_ours_alone"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104  # only asked about
        ("192.168.1.5", False),
        ("console.example.org", False),
    ],
)
def test_loopback_addresses_are_known(host: str, is_ours_alone: bool) -> None:
    """Everything that is not surely this machine counts as open."""
    assert is_loopback(host) is is_ours_alone


def test_an_open_address_must_be_set_on_purpose() -> None:
    """A console without a login is not opened to a network by a flag typed in passing."""
    result = CliRunner().invoke(app, ["web", "--host", "192.168.1.5"])
    assert isinstance(result.exception, UsageError)
    assert "OPINION_WEB__HOST=192.168.1.5" in (result.exception.remedy or "")
