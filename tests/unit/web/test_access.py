"""Small rules of the login: where it may lead, what counts as one address, which names the console answers to."""

import pytest

from storage.people import name_key
from web.access import network_of
from web.next_pages import own_page
from web.security import LOOPBACK_HOSTS, OwnHosts


@pytest.mark.parametrize("page", ["/", "/documents?q=a%20b&before=x", "/incidents/7", "/documents/a%2Fb"])
def test_a_login_leads_on_to_our_pages(page: str) -> None:
    """What was asked for is shown after the login."""
    assert own_page(page) == page


@pytest.mark.parametrize(
    "page",
    [
        None,
        "",
        "documents",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\\..\\b",
        "/x\r\nSet-Cookie: a=b",
        " /x",
        "/é",
        "/login?next=/login",
        "/logout",
        "/" + "x" * 2000,
    ],
)
def test_a_login_leads_nowhere_else(page: str | None) -> None:
    """Another site, another scheme, a header of its own: the first page instead."""
    assert own_page(page) == "/"


def test_a_household_of_ipv6_counts_as_one_address() -> None:
    """Else somebody would try from 2^64 addresses; IPv4 within IPv6 is what it is."""
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("") == ""


def test_names_are_one_however_they_are_typed() -> None:
    """Capitals, composed letters and full-width ones make no second account."""
    assert name_key("ＬＩ") == name_key(" li ") == "li"
    assert name_key("Re\u0301my") == name_key("R\u00e9my")


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost:8080", True),
        ("opinion.example", True),
        ("OPINION.example:443", True),
        ("10.1.2.3:8080", True),
        ("[2001:db8::1]:8080", True),
        ("evil.example", False),
        ("opinion.example.evil.example", False),
        ("10.1.2.3.evil.example", False),
        ("127.0.0.1.nip.io", False),
        ("", False),
        ("[::1", False),
        ("user@opinion.example@evil.example", False),
        ("localhost/login", False),
        ("localhost/i/", False),
        ("localhost?", False),
        ("localhost#x", False),
        ("x@localhost", False),
        ("localhost:80:80", False),
        ("local host", False),
    ],
)
def test_only_our_names_and_addresses_are_answered(host: str, is_ours: bool) -> None:
    """DNS rebinding needs a name, so addresses are safe and need no setting."""
    assert OwnHosts(None, [*LOOPBACK_HOSTS, "opinion.example"]).is_ours(host) is is_ours  # type: ignore[arg-type]
