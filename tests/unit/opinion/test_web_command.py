"""`opinion web` and who can reach it."""

import pytest
from typer.testing import CliRunner

from core.addresses import is_loopback
from core.errors import UsageError
from core.settings import Settings, WebSettings
from opinion.cli import app
from opinion.console_access import access, allowed_hosts, warnings
from web.security import LOOPBACK_HOSTS


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


def test_an_open_address_must_be_set_on_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console without a login is not opened to a network by a flag typed in passing."""
    monkeypatch.setenv("OPINION_WEB__ACCESS", "open")
    result = CliRunner().invoke(app, ["web", "--host", "192.168.1.5"])
    assert isinstance(result.exception, UsageError)
    assert "OPINION_WEB__HOST=192.168.1.5" in (result.exception.remedy or "")


def test_a_network_address_asks_for_names_and_warns_of_plain_http() -> None:
    """With accounts any address may be listened on; names are answered only where they are set, and a proxy with TLS
    ends the warning."""
    plain = Settings()
    assert allowed_hosts(plain, "0.0.0.0") == (*LOOPBACK_HOSTS, "0.0.0.0")  # noqa: S104
    assert "plain http" in warnings(plain, "192.168.1.5")[0]
    assert warnings(plain, "127.0.0.1") == []
    named = Settings(web=WebSettings(allowed_hosts=["opinion.example"], trusted_proxies=["10.0.0.0/8"]))
    assert "opinion.example" in allowed_hosts(named, "10.1.1.1")
    assert warnings(named, "10.1.1.1") == []
    free = Settings(web=WebSettings(access="open"))
    assert (allowed_hosts(free, "10.1.1.1"), access(free)) == (("*",), None)
    assert "no login" in warnings(free, "10.1.1.1")[0]
