"""Which hosts may be connected to."""

import ipaddress

import pytest

from core.addresses import EVERYWHERE, AddressRefusedError, is_public, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104  # refused, not listened on
        "224.0.0.1", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff0e::1",
        "192.0.0.8", "192.88.99.1", "::7f00:1", "::ffff:0:7f00:1", "64:ff9b:1::a00:1", "fec0::1", "2001:db8::1",
        "fe80::1%eth0",
    ],
)  # fmt: skip
def test_addresses_inside_are_not_public(address: str) -> None:
    """Private, loopback, link-local, shared, multicast and wrapped forms of them are all refused."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_outside_are_public(address: str) -> None:
    """The internet may be reached."""
    assert is_public(ipaddress.ip_address(address))


def test_a_name_that_resolves_inside_is_refused() -> None:
    """It is the address that counts, not the name."""
    with pytest.raises(AddressRefusedError, match="localhost"):
        resolve("localhost", 80)
    assert resolve("127.0.0.1", 80, allowed=EVERYWHERE) == ["127.0.0.1"]


def test_one_address_inside_is_enough_to_refuse_a_name() -> None:
    """A name server that mixes public and private answers gets no second chance."""
    with pytest.raises(AddressRefusedError):
        resolve("mixed.example", 80, lookup=lambda host, port: ["8.8.8.8", "10.0.0.1"])


def test_only_the_allowed_network_is_let_in() -> None:
    """To allow one internal host does not open the rest, in particular not a cloud's metadata."""
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    assert resolve("10.1.2.3", 80, allowed=allowed) == ["10.1.2.3"]
    for inside in ("10.2.0.1", "169.254.169.254", "::1"):
        with pytest.raises(AddressRefusedError):
            resolve(inside, 80, allowed=allowed)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_a_name_that_cannot_be_is_an_ordinary_failure(host: str) -> None:
    """Python's resolver raises UnicodeError for such names, which nobody catches."""
    with pytest.raises(OSError, match="example"):
        resolve(host, 80)
