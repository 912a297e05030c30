"""Which network addresses the gateway may call, decided when the connection is made.

Names are resolved here and every address they give is judged, so a name that changes its answer
between check and use gains nothing. Cloud metadata and link-local addresses are never called.
"""

import ipaddress
import socket
from collections.abc import Collection

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from gateway_project.addresses import AddressRefused, check_literal, may_call

__all__ = ["AddressRefused", "GuardedResolver", "check_literal", "may_call"]


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
