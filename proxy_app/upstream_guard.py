"""Which network addresses the gateway may call, decided when the connection is made.

Names are resolved here and every address they give is judged, so a name that changes its answer
between check and use gains nothing. Cloud metadata and link-local addresses are never called.
"""

import ipaddress
import socket
from collections.abc import Collection
from functools import lru_cache

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

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


class GuardedResolver(AbstractResolver):
    """Resolves names and drops every address that may not be called; none left: AddressRefused.

    `proxies`: hosts of the company's own proxies, which stand in its private network.
    """

    def __init__(self, *, allow_private: bool, proxies: Collection[str] = ()) -> None:
        self._allow_private = allow_private
        self._proxies = proxies
        self._names = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        allow_private = self._allow_private or host in self._proxies
        kept = [
            result
            for result in found
            if may_call(ipaddress.ip_address(result["host"].split("%", 1)[0]), allow_private=allow_private)
        ]
        if found and not kept:
            raise AddressRefused(f"{host} has no address the gateway calls")
        return kept

    async def close(self) -> None:
        await self._names.close()
