"""The front door's limits, knocked at with raw sockets; times are injected small."""

import asyncio
import ipaddress
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from gateway_project.frontdoor import PIECE, FrontDoorProtocol, Limits
from tests.gateway_project.doors import GET, Knock, a_door, hello

QUICK = Limits(head_s=0.05, body_pause_s=0.05, write_stall_s=0.05, unread_body_s=0.05, sweep_s=0.01)


def an_error(answer: tuple[int, bytes]) -> tuple[int, str]:
    """Status and code; fails unless the body is an OpenAI-shaped error."""
    status, body = answer
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return status, error["code"]


async def test_a_request_is_served_and_the_connection_kept() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        for _ in range(3):
            knock.send(GET)
            assert await knock.answer() == (200, b"0 bytes")
        await knock.close()


async def test_headers_over_the_limit_are_refused() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(b"GET / HTTP/1.1\r\nx-huge: " + b"x" * 70_000 + b"\r\n\r\n")
        assert an_error(await knock.answer()) == (431, "headers_too_large")
        assert await knock.rest() == b""
        await knock.close()


async def test_headers_that_never_end_are_refused_before_they_end() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(b"GET / HTTP/1.1\r\n")
        for _ in range(70):
            knock.send(b"x-filler: " + b"x" * 1000 + b"\r\n")
            await knock.writer.drain()
        assert an_error(await knock.answer()) == (431, "headers_too_large")
        await knock.close()


async def test_huge_headers_on_a_kept_connection_are_refused_too() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(GET)
        await knock.answer()
        knock.send(b"GET / HTTP/1.1\r\nx-huge: " + b"x" * 70_000 + b"\r\n\r\n")
        assert an_error(await knock.answer()) == (431, "headers_too_large")
        await knock.close()


async def test_a_large_body_beside_small_headers_is_not_counted_as_headers() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000)
        assert await knock.answer() == (200, b"200000 bytes")
        await knock.close()


async def test_slow_headers_are_refused() -> None:
    async with a_door(limits=QUICK) as port:
        knock = await Knock.at(port)
        knock.send(b"GET / HTTP/1.1\r\nx-slow:")
        assert an_error(await knock.answer()) == (408, "request_timeout")
        assert await knock.rest() == b""
        await knock.close()


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/messages?beta=true", lambda body: body["type"] == "error" and body["error"]["type"]),
        ("/v1beta/models/x:generateContent?key=k", lambda body: body["error"]["status"]),
        ("/v1/responses", lambda body: body["error"]["code"]),
    ],
)
async def test_a_late_body_is_told_in_the_dialect_of_its_path(path, shape) -> None:
    async with a_door(limits=QUICK) as port:
        knock = await Knock.at(port)
        knock.send(f"POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\n".encode())
        status, body = await knock.answer()
        assert status == 408 and shape(json.loads(body))
        await knock.close()


async def test_dripping_headers_gain_no_time() -> None:
    async with a_door(limits=QUICK) as port:
        knock = await Knock.at(port)
        knock.send(b"GET / HTTP/1.1\r\nx-slow: ")
        answer = asyncio.ensure_future(knock.answer())
        while not answer.done():
            knock.send(b"x")
            await asyncio.wait([answer], timeout=0.01)
        assert an_error(answer.result()) == (408, "request_timeout")
        await knock.close()


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with a_door(limits=QUICK) as port:
        knock = await Knock.at(port)
        assert await knock.rest() == b""
        await knock.close()


async def test_a_body_that_never_starts_is_refused_and_the_application_hears_of_it() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.put_nowait((await receive())["type"])

    async with a_door(app, QUICK) as port:
        knock = await Knock.at(port)
        knock.send(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\n")
        assert an_error(await knock.answer()) == (408, "request_timeout")
        assert await heard.get() == "http.disconnect"
        assert await knock.rest() == b""
        await knock.close()


async def test_a_body_refused_by_the_application_is_not_listened_to_for_long() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body"})

    async with a_door(app, QUICK) as port:
        knock = await Knock.at(port)
        knock.send(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 1000000\r\n\r\n")
        assert (await knock.answer())[0] == 413
        closed = asyncio.ensure_future(knock.rest())
        while not closed.done():
            knock.send(b"more")
            await asyncio.wait([closed], timeout=0.01)
        assert closed.exception() is not None or closed.result() == b""
        await knock.close()


async def test_what_is_not_http_is_refused_in_json() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert an_error(await knock.answer()) == (400, "invalid_request")
        await knock.close()


async def test_a_reader_of_a_byte_a_second_is_cut_and_the_application_hears_of_it() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        heard.put_nowait(gone.result()["type"])

    async with a_door(app, QUICK) as port:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", port))
        raw.sendall(GET)
        ended = asyncio.ensure_future(heard.get())
        while not ended.done():
            raw.recv(1, socket.MSG_DONTWAIT) if await a_moment(ended) else None
        assert ended.result() == "http.disconnect"
        raw.close()


async def a_moment(ended: "asyncio.Future[str]") -> bool:
    """Wait a little; False once `ended` is done (then there may be nothing left to read)."""
    await asyncio.wait([ended], timeout=0.02)
    return not ended.done()


async def test_pieces_are_written_at_once_until_the_client_stops_reading() -> None:
    taken: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ways = scope["extensions"]
        taken.append(ways[PIECE](ways, b"too early"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        taken.append(ways[PIECE](ways, b"two "))
        big = b"x" * 4_000_000
        while ways[PIECE](ways, big):
            pass
        taken.append(False)
        await send({"type": "http.response.body", "body": b"last"})
        taken.append(ways[PIECE](ways, b"too late"))

    async with a_door(app) as port:
        knock = await Knock.at(port, limit=1024)
        knock.send(GET)
        status, body = await knock.answer()
        assert status == 200 and body.startswith(b"one two xxx") and body.endswith(b"xlast")
        assert taken == [False, True, False, False]
        await knock.close()


async def test_a_closed_connection_whose_peer_reads_nothing_is_cut() -> None:
    whole = 8_000_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"connection", b"close"), (b"content-length", str(whole).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * whole})

    async with a_door(app, QUICK) as port:
        knock = await Knock.at(port, limit=1024)
        knock.writer.transport.pause_reading()
        knock.send(GET)
        await until(lambda: len(open_connections()) == 1)
        await until(lambda: not open_connections())
        knock.writer.transport.resume_reading()
        assert len(await knock.rest()) < whole
        await knock.close()


def open_connections() -> list[FrontDoorProtocol]:
    keepers = list(FrontDoorProtocol._doorkeepers.values())
    return [connection for keeper in keepers for connection in keeper.open]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_address_may_hold_so_many_connections() -> None:
    async with a_door(limits=Limits(connections_per_address=2, sweep_s=0.01)) as port:
        first, second, third = [await Knock.at(port) for _ in range(3)]
        assert an_error(await third.answer()) == (429, "too_many_connections")
        await first.close()
        await third.close()
        second.send(GET)
        assert await second.answer() == (200, b"0 bytes")
        fourth = await Knock.at(port)
        fourth.send(GET)
        assert await fourth.answer() == (200, b"0 bytes")
        await second.close()
        await fourth.close()


async def test_a_trusted_proxy_may_hold_any_number() -> None:
    loopback = (ipaddress.ip_network("127.0.0.0/8"),)
    limits = Limits(connections_per_address=1, sweep_s=0.01)
    async with a_door(limits=limits, trusted=loopback) as port:
        knocks = [await Knock.at(port) for _ in range(4)]
        for knock in knocks:
            knock.send(GET)
            assert await knock.answer() == (200, b"0 bytes")
            await knock.close()


async def test_the_next_request_after_a_stream_is_answered() -> None:
    """An application that still awaits after its last send must not cost the next request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for part in (b"one ", b"two ", b"three"):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})
            await asyncio.wait([asyncio.ensure_future(receive())], timeout=0.02)
        else:
            await hello(scope, receive, send)

    async with a_door(app) as port:
        knock = await Knock.at(port)
        for _ in range(3):
            knock.send(b"GET /stream HTTP/1.1\r\nhost: here\r\n\r\n")
            assert await knock.answer() == (200, b"one two three")
            knock.send(GET)
            assert await asyncio.wait_for(knock.answer(), 5) == (200, b"0 bytes")
        await knock.close()


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with a_door(limits=QUICK) as port:
        knock = await Knock.at(port)
        post = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n\r\nbody"
        knock.send(post + GET + post)
        assert [await knock.answer() for _ in range(3)] == [
            (200, b"4 bytes"),
            (200, b"0 bytes"),
            (200, b"4 bytes"),
        ]
        await knock.close()


async def test_a_small_chunk_is_not_held_back() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(GET)
        await knock.answer()
        (connection,) = open_connections()
        raw = connection.transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await knock.close()


H2C = (
    b"connection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    b"upgrade: h2c\r\n"
)
OFFERS = {
    "length": b"POST / HTTP/1.1\r\nhost: here\r\n" + H2C + b"content-length: 4\r\n\r\nbody",
    "chunks": b"POST / HTTP/1.1\r\n" + H2C + b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "none": b"GET / HTTP/1.1\r\nhost: here\r\n" + H2C + b"\r\n",
}


@pytest.mark.parametrize("kind", OFFERS)
@pytest.mark.parametrize("size", [1, 7, 100, 1000])
async def test_an_offer_of_http_2_is_passed_over_with_the_body_that_follows_it(kind: str, size: int) -> None:
    raw = OFFERS[kind] * 3
    async with a_door(limits=Limits(sweep_s=0.01)) as port:
        knock = await Knock.at(port)
        for start in range(0, len(raw), size):
            knock.send(raw[start : start + size])
            await knock.writer.drain()
            await asyncio.sleep(0)
        length = b"0 bytes" if kind == "none" else b"4 bytes"
        assert [await knock.answer() for _ in range(3)] == [(200, length)] * 3
        await knock.close()


async def test_thousands_of_offers_that_come_at_once_are_all_answered() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(OFFERS["none"] * 1_500)
        for _ in range(1_500):
            assert await knock.answer() == (200, b"0 bytes")
        await knock.close()


async def test_what_else_a_request_with_an_offer_says_of_its_connection_holds() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(b"GET / HTTP/1.1\r\nconnection: close, upgrade\r\nupgrade: h2c\r\n\r\n")
        assert await knock.answer() == (200, b"0 bytes")
        assert await knock.rest() == b""
        await knock.close()


async def test_an_offer_in_a_head_that_is_too_large_is_refused() -> None:
    async with a_door() as port:
        knock = await Knock.at(port)
        knock.send(b"GET / HTTP/1.1\r\n" + H2C + b"x-huge: " + b"x" * 70_000 + b"\r\n\r\n")
        assert an_error(await knock.answer()) == (431, "headers_too_large")
        await knock.close()
