"""Which hosts we may connect to. An address in a setting, a feed or a redirect must not become a way into the private
network (server-side request forgery)."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], Sequence[str]]
"""Addresses of a host, as text, best first; raises OSError when there is none."""

EVERYWHERE: Final[tuple[Network, ...]] = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")  # IANA gives out public addresses of nothing else
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
SPECIAL: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
    )
)
"""Not public, and taken for public by the `ipaddress` of Python before 3.11.10."""


class AddressRefusedError(Exception):
    """The host resolves to an address that is not public."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def look_up(host: str, port: int) -> list[str]:
    """What the system's name service answers. Blocks, perhaps for long."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolve(host: str, port: int, *, allowed: Sequence[Network] = (), lookup: Lookup = look_up) -> list[str]:
    """The addresses of a host that may be connected to, best first. Connect to one of these and do not ask for the
    name again: a second answer of the name server could differ.

    Args:
        allowed: networks that may be reached though they are not public.

    Raises:
        AddressRefusedError: any of its addresses is private, loopback, link-local or otherwise not public.
        OSError: the name cannot be resolved.
    """
    try:
        addresses = [ipaddress.ip_address(found) for found in lookup(host, port)]
    except UnicodeError as error:  # a label that is empty or too long
        raise OSError(f"not a host name: {host[:80]!r}") from error
    if not addresses:
        raise OSError(f"{host} has no address")
    if not all(may_reach(address, allowed) for address in addresses):
        raise AddressRefusedError(f"{host} is not a public address")
    return [str(address) for address in addresses]


def may_reach(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether it is public, or in one of these networks."""
    return is_public(address) or any(address in network for network in allowed)


def is_public(address: Address) -> bool:
    """Whether the whole internet may be there; addresses that carry another inside are judged by that one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in net for net in SPECIAL)
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and address in NAT64:
        inner = ipaddress.IPv4Address(address.packed[-4:])
    if inner is not None:
        return is_public(inner)
    return address in GLOBAL_UNICAST and address.is_global
