"""The one way out to a provider: what is sent, what comes back, and who carries it.

`Upstream.open` sends one request and gives an `UpstreamAnswer` at the response's headers. Carriers
(`upstream_network`, `upstream_inprocess`) map every third-party exception to a leaf of
`gateway_project.errors.UpstreamFailed`. Redirects are not followed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from typing import Protocol

import msgspec

from gateway_project.errors import GatehouseError, UpstreamTimeout
from proxy_app.catalogue import ProviderEntry, Timeouts
from proxy_app.providers.addressing import place
from proxy_app.providers.signing import Signing
from proxy_app.upstream_events import as_server_sent
from proxy_app.wire import BodySource, Outgoing

ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of a whole answer held in memory
_FORM_PATIENCE_S = 15.0

#: Called when the attempt's connection stands, before the request is written.
on_connected: ContextVar[Callable[[], None] | None] = ContextVar("on_connected", default=None)


class UpstreamRequest(msgspec.Struct):
    """One request to a provider, ready to send. `url` is absolute; a body's source tells its length by
    itself."""

    url: str
    headers: dict[str, str]
    body: bytes | BodySource
    connect_s: float
    may_be_private: bool = False
    method: str = "POST"


class UpstreamAnswer(Protocol):
    """A provider's answer from its headers on."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def next_chunk(self) -> bytes:
        """Some bytes as they come; b'' at the end. Raises UpstreamFailed."""
        ...

    async def pass_to(self, take: Callable[[bytes], bool]) -> bool:
        """Give `take` each piece as it comes, until it answers False or the body is over: then this answers
        False too. Raises UpstreamFailed, and whatever `take` does."""
        ...

    async def read(self) -> bytes:
        """The whole body; UpstreamInvalid past ANSWER_LIMIT."""
        ...

    def abort(self, error: GatehouseError) -> None:
        """Make the pending or next read raise `error`. Callable from anywhere on the loop."""
        ...

    def release(self) -> None:
        """Done: a fully read connection goes back to the pool, any other is closed."""
        ...


async def pull(answer: UpstreamAnswer, take: Callable[[bytes], bool]) -> bool:
    """`pass_to` of an answer that is asked for each piece."""
    while piece := await answer.next_chunk():
        if not take(piece):
            return True
    return False


class Sender(Protocol):
    """What carries a request: aiohttp's pool, the sandbox, or a transport a test injects."""

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer: ...

    async def aclose(self) -> None: ...


class Upstream:
    """All the ways out of one worker. Belongs to the event loop it was made on."""

    def __init__(self, network: Sender, sandbox: Sender) -> None:
        self._network = network
        self._sandbox = sandbox
        self._signing = Signing(self._post_form)

    async def open(self, provider: ProviderEntry, outgoing: Outgoing, timeouts: Timeouts) -> UpstreamAnswer:
        """Send and wait for the response's headers, as long as the caller lets it; raises UpstreamFailed."""
        url, outgoing = place(
            provider.addressing, provider.base_url, provider.settings, provider.quirks, outgoing
        )
        request = UpstreamRequest(
            url=url,
            headers={**outgoing.headers, **provider.headers},
            body=outgoing.body,
            connect_s=timeouts.connect_s,
            may_be_private=provider.may_be_private,
            method=outgoing.method,
        )
        return as_server_sent(await self._send(provider, request))

    async def get(self, provider: ProviderEntry, url: str, timeouts: Timeouts) -> UpstreamAnswer:
        """Ask a provider for one of its lists; raises UpstreamFailed, UpstreamTimeout after `total_s`."""
        request = UpstreamRequest(
            url=url,
            headers=dict(provider.headers),
            body=b"",
            connect_s=timeouts.connect_s,
            may_be_private=provider.may_be_private,
            method="GET",
        )
        try:
            async with asyncio.timeout(timeouts.total_s):
                return await self._send(provider, request)
        except TimeoutError:
            raise UpstreamTimeout(f"The provider sent nothing within {timeouts.total_s:g} s.") from None

    async def _send(self, provider: ProviderEntry, request: UpstreamRequest) -> UpstreamAnswer:
        if provider.account is not None:
            request.headers |= await self._signing.headers(provider, request)
        return await self._sender(provider).send(request)

    async def _post_form(self, url: str, form: bytes, *, may_be_private: bool) -> tuple[int, bytes]:
        """Ask outside for what a call needs before it can be sent: guarded and bounded like any other."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        request = UpstreamRequest(url, headers, form, Timeouts().connect_s, may_be_private)
        try:
            async with asyncio.timeout(_FORM_PATIENCE_S):
                answer = await self._network.send(request)
                try:
                    return answer.status, await answer.read()
                finally:
                    answer.release()
        except TimeoutError:
            raise UpstreamTimeout("The provider's token service did not answer in time.") from None

    def _sender(self, provider: ProviderEntry) -> Sender:
        return self._sandbox if provider.is_sandbox else self._network

    async def aclose(self) -> None:
        await self._sandbox.aclose()
        await self._network.aclose()


def not_connected(request: UpstreamRequest) -> UpstreamTimeout:
    """The provider's host did not answer in time."""
    return UpstreamTimeout(
        f"The provider could not be connected within {request.connect_s:g} s.", phase="connect"
    )


def body_of(request: UpstreamRequest) -> bytes | AsyncIterator[bytes]:
    """The body as HTTP clients take it: bytes, or pieces as they are read."""
    body = request.body
    return body if isinstance(body, bytes) else body.chunks()


def headers_of(request: UpstreamRequest) -> dict[str, str]:
    """The headers; a body that is not in memory tells its length, so that it is not sent in chunks."""
    body = request.body
    if isinstance(body, bytes):
        return request.headers
    return {**request.headers, "content-length": str(body.size)}
