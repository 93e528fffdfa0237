"""Which hosts a webhook may reach. A URL in the settings must not become a way into the private network (SSRF)."""

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefusedError(Exception):
    """The host resolves to an address that is not public."""


def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """One address of the host that may be connected to; connect to exactly this one, or a second answer of the
    name server could differ.

    Raises:
        AddressRefusedError: any of its addresses is private, loopback, link-local or otherwise not public.
        OSError: the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise AddressRefusedError(f"{host} is not a public address; set alerts.allow_private_addresses to allow it")
    return str(addresses[0])


def is_public(address: Address) -> bool:
    """Whether the whole internet may be there; addresses that carry another inside are judged by that one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return is_public(inner)
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(address.packed[-4:]))
    return address.is_global and not address.is_multicast


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
