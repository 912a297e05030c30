"""Which addresses are called, judged on what names really resolve to, and by what carries requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from gateway_project.errors import UpstreamAddressRefused
from proxy_app.upstream import UpstreamRequest
from proxy_app.upstream_guard import may_call
from proxy_app.upstream_network import AiohttpSender

PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.5.5", "::1", "fd12::1", "::ffff:10.0.0.1"]
NEVER = ["169.254.169.254", "fe80::1", "100.100.100.200", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_called_only_where_it_is_allowed(address: str) -> None:
    assert not may_call(ip_address(address), allow_private=False)
    assert may_call(ip_address(address), allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_link_local_addresses_are_never_called(address: str) -> None:
    assert not may_call(ip_address(address), allow_private=True)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers anything; its port, and the request lines it saw."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        await server.wait_closed()


async def ask(url: str, *, may_be_private: bool = False) -> bytes:
    sender = AiohttpSender()
    try:
        request = UpstreamRequest(url, {}, b"", connect_s=2, may_be_private=may_be_private, method="GET")
        answer = await sender.send(request)
        raw = await answer.read()
        answer.release()
        return raw
    finally:
        await sender.aclose()


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_name_or_an_address_within_is_refused_before_anything_is_sent(host: str) -> None:
    async with listening() as (port, seen):
        with pytest.raises(UpstreamAddressRefused):
            await ask(f"http://{host}:{port}/v1")
        assert seen == []
        assert await ask(f"http://{host}:{port}/v1", may_be_private=True) == b"ok"


@pytest.mark.usefixtures("no_proxies")
async def test_the_company_s_proxy_may_stand_in_its_private_network(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as (port, seen):
        monkeypatch.setenv("HTTP_PROXY", f"http://localhost:{port}")
        assert await ask("http://api.example.com/v1") == b"ok"
        assert seen == [b"GET http://api.example.com/v1 HTTP/1.1\r\n"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(UpstreamAddressRefused):
            await ask(f"http://127.0.0.1:{port}/v1")
