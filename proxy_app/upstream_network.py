"""Requests over the network: aiohttp's pool, guarded addresses, aiohttp's exceptions made ours."""

import asyncio
import ssl
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from gateway_project.errors import (
    GatehouseError,
    UpstreamAddressRefused,
    UpstreamCut,
    UpstreamFailed,
    UpstreamInvalid,
    UpstreamUnreachable,
)
from proxy_app.upstream import (
    ANSWER_LIMIT,
    UpstreamAnswer,
    UpstreamRequest,
    body_of,
    headers_of,
    not_connected,
    on_connected,
)
from proxy_app.upstream_guard import AddressRefused, GuardedResolver, check_literal

_CHUNK_LIMIT = 256 * 1024


class _Connector(aiohttp.TCPConnector):
    """Tells the attempt when its connection stands, so that the page can show connecting apart."""

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        connection = await super().connect(*args, **kwargs)
        if hook := on_connected.get():
            hook()
        return connection


@dataclass(slots=True)
class AiohttpSender:
    """aiohttp's connection pool. One session for public addresses, one for providers that may be private."""

    _sessions: dict[bool, aiohttp.ClientSession] = field(default_factory=dict)
    _urls: dict[str, URL] = field(default_factory=dict)
    _proxies: dict[str, str | None] = field(default_factory=dict)

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        url = self._url(request.url)
        if not url.host:
            raise UpstreamUnreachable("The provider's address is not a web address.")
        try:
            check_literal(url.host, allow_private=request.may_be_private)
            response = await self._session(request.may_be_private).request(
                request.method,
                url,
                data=body_of(request) or None,
                headers=headers_of(request),
                allow_redirects=False,
                proxy=self._proxy(url),
                timeout=_timeout(request.connect_s),
            )
        except TimeoutError:  # aiohttp's, of the connection; the wait for headers is the caller's to bound
            raise not_connected(request) from None
        except (aiohttp.ClientError, AddressRefused, OSError, ssl.SSLError) as error:
            raise _map_aiohttp(error) from None
        if 300 <= response.status < 400:
            response.close()
            raise UpstreamInvalid("The provider answered with a redirect, which the gateway does not follow.")
        return AiohttpAnswer(response)

    async def aclose(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _session(self, may_be_private: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(may_be_private)
        if session is None:
            connector = _Connector(
                limit=0,
                keepalive_timeout=30,
                ttl_dns_cache=30,
                resolver=GuardedResolver(allow_private=may_be_private, proxies=_proxy_hosts()),
            )
            session = self._sessions[may_be_private] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers={"User-Agent", "Accept", "Accept-Encoding", "Content-Type"},
                read_bufsize=_CHUNK_LIMIT,
                auto_decompress=False,
            )
        return session

    def _url(self, text: str) -> URL:
        """Parsed addresses are kept: a gateway calls few, often."""
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) > 2000:
                self._urls.clear()
            try:
                url = self._urls[text] = URL(text, encoded=True)
            except ValueError:
                raise UpstreamUnreachable("The provider's address cannot be read.") from None
        return url

    def _proxy(self, url: URL) -> str | None:
        """The company's proxy for this host, from HTTPS_PROXY and NO_PROXY, looked up once a host."""
        host = url.host or ""
        if host not in self._proxies:
            self._proxies[host] = None if proxy_bypass(host) else getproxies().get(url.scheme)
        return self._proxies[host]


def _proxy_hosts() -> frozenset[str]:
    """Hosts of the proxies that the environment names."""
    hosts = (urlsplit(address).hostname for address in getproxies().values() if "://" in address)
    return frozenset(host for host in hosts if host)


def _timeout(connect_s: float, kept: dict[float, aiohttp.ClientTimeout] = {}) -> aiohttp.ClientTimeout:  # noqa: B006
    """aiohttp's timeout object, made once a value."""
    timeout = kept.get(connect_s)
    if timeout is None:
        timeout = kept[connect_s] = aiohttp.ClientTimeout(total=None, sock_connect=connect_s)
    return timeout


def _map_aiohttp(error: Exception) -> UpstreamFailed:
    """A leaf of ours for each of aiohttp's; messages name no address and no header."""
    if isinstance(error, AddressRefused) or isinstance(error.__cause__, AddressRefused):
        return UpstreamAddressRefused()
    if isinstance(getattr(error, "os_error", None), AddressRefused):
        return UpstreamAddressRefused()
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError) and not isinstance(
        error, aiohttp.ClientConnectorError
    ):
        # A pooled connection that the provider had closed looks the same as a crash on arrival.
        return UpstreamCut("The provider closed the connection without an answer.")
    if isinstance(error, aiohttp.ClientPayloadError):
        return UpstreamCut()
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return UpstreamUnreachable("The provider's certificate or TLS set-up was not accepted.")
    if isinstance(error, aiohttp.ClientResponseError):
        return UpstreamInvalid()
    return UpstreamUnreachable()


def _map_reading(error: BaseException) -> BaseException:
    """What a body's end may be, cut; what ended it from our side stays as it is."""
    if isinstance(error, aiohttp.ClientError):
        return _map_aiohttp(error)
    return UpstreamCut() if isinstance(error, OSError | RuntimeError) else error


class _Passing(asyncio.Future[None]):
    """Gives pieces on as they come, without waking a task and its whole chain of coroutines for each.

    It stands where aiohttp's reader keeps the future of whoever waits for more, and hears of more by the
    same call. The pieces of one read of the socket go on as one, in the next turn of the loop.
    """

    def __init__(self, content: aiohttp.StreamReader, take: Callable[[bytes], bool]) -> None:
        self._waiting_loop = asyncio.get_running_loop()
        super().__init__(loop=self._waiting_loop)
        self._content = content
        self._take = take
        self._context = copy_context()
        self.over: asyncio.Future[bool] = self._waiting_loop.create_future()
        self._go_on()

    def set_result(self, _result: None) -> None:
        """Something has come, or the end."""
        self._waiting_loop.call_soon(self._go_on, context=self._context)

    def set_exception(self, error: type | BaseException) -> None:
        if not self.over.done():
            self.over.set_exception(_map_reading(error) if isinstance(error, BaseException) else error)

    def stop(self) -> None:
        """Hear of no more. An error that nobody waited for was heard of."""
        if self._content._waiter is self:
            self._content._waiter = None
        if not self.over.cancelled() and self.over.done():
            self.over.exception()

    def _go_on(self) -> None:
        content, over = self._content, self.over
        if over.done():
            return
        if (cause := content.exception()) is not None:
            self.set_exception(cause)
            return
        try:
            while piece := content.read_nowait():
                if not self._take(piece):
                    over.set_result(True)
                    return
        except Exception as error:  # noqa: BLE001 - whoever waits for the end is told, not the loop
            over.set_exception(error)
            return
        if content.at_eof():
            over.set_result(False)
        else:
            content._waiter = self


class AiohttpAnswer:
    """aiohttp's response as an UpstreamAnswer."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers

    async def next_chunk(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise _map_reading(error) from None

    async def pass_to(self, take: Callable[[bytes], bool]) -> bool:
        passing = _Passing(self._response.content, take)
        try:
            return await passing.over
        finally:
            passing.stop()

    async def read(self) -> bytes:
        parts = []
        size = 0
        while chunk := await self.next_chunk():
            parts.append(chunk)
            size += len(chunk)
            if size > ANSWER_LIMIT:
                raise UpstreamInvalid("The provider's answer is larger than the gateway holds.")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def abort(self, error: GatehouseError) -> None:
        self._response.content.set_exception(error)

    def release(self) -> None:
        if self._response.content.at_eof() and self._response.content.exception() is None:
            self._response.release()
        else:
            self._response.close()
