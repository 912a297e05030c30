"""Which network addresses the gateway may call on somebody's behalf. Standard library only.

Public ones always, private and loopback ones where that is allowed, cloud metadata and link-local
ones never. Whoever connects resolves a name once, judges every address it gives, and connects to one
that was judged: a name that changes its answer between check and use gains nothing.
"""

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Metadata services outside the link-local range (Alibaba, Azure, AWS over IPv6).
METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)


class AddressRefused(OSError):
    """The address is one the gateway must not call."""


def may_call(address: Address, *, allow_private: bool) -> bool:
    """Public addresses always; private and loopback ones where allowed; metadata never."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address in METADATA:
        return False
    if address.is_global:
        return True
    # The IPv6 loopback counts as reserved too.
    usable = address.is_loopback or not (address.is_unspecified or address.is_reserved)
    return allow_private and usable


@lru_cache(maxsize=1024)
def check_literal(host: str, *, allow_private: bool) -> None:
    """Judge a host that is written as an address (no name is looked up for those)."""
    try:
        address = ipaddress.ip_address(host.strip("[]").split("%", 1)[0])
    except ValueError:
        return
    if not may_call(address, allow_private=allow_private):
        raise AddressRefused(f"{address} is not an address the gateway calls")
