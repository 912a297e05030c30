"""Who is calling, behind proxies: what trusted ones report of the caller's address and scheme.

A report counts only from a network that is trusted; what anybody else sends is never looked at.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from gateway_project.conf import Network


def client_address(scope: Mapping[str, Any], trusted: tuple[Network, ...]) -> str:
    """The caller's address: the peer's, or behind trusted proxies the one they report.

    X-Forwarded-For is read from the right: each entry was appended by the hop on its right, so it
    counts only while that hop is trusted. '' where the connection has no address.
    """
    client = scope.get("client")
    address = plain_address(client[0]) if client else ""
    if not trusted or not is_within(address, trusted):
        return address
    entries = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    for entry in reversed(entries.decode("latin-1").split(",")):
        reported = plain_address(entry)
        if not reported:
            break
        address = reported
        if not is_within(address, trusted):
            break
    return address


def client_scheme(scope: Mapping[str, Any], trusted: tuple[Network, ...]) -> str:
    """http or https as the caller saw it: X-Forwarded-Proto counts from a trusted proxy only."""
    client = scope.get("client")
    if trusted and client and is_within(plain_address(client[0]), trusted):
        for name, value in scope["headers"]:
            if name == b"x-forwarded-proto":
                last: str = value.decode("latin-1").rsplit(",", 1)[-1].strip().lower()
                if last in ("http", "https"):
                    return last
    return str(scope.get("scheme", "http"))


def plain_address(text: str) -> str:
    """An IP address without port, brackets, zone or IPv4-in-IPv6 wrapping; '' if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """True when the address lies in one of the networks; a text that is no address lies in none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed.version == network.version and parsed in network for network in networks)
