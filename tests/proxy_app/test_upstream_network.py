"""What the network's carrier does with a body on its way: over a real socket, piece by piece."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway_project.errors import ClientGone, GatehouseError, UpstreamCut, UpstreamInvalid
from proxy_app.upstream import UpstreamAnswer, UpstreamRequest
from proxy_app.upstream_network import AiohttpSender

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
Writing = Callable[[asyncio.StreamWriter], Awaitable[None]]


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


@asynccontextmanager
async def answering(write: Writing) -> AsyncIterator[UpstreamAnswer]:
    """The answer of a server that writes what it is told to after the headers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        try:
            await write(writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sender = AiohttpSender()
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        answer = await sender.send(UpstreamRequest(url, {}, b"", 5.0, may_be_private=True))
        yield answer
        answer.release()
    finally:
        await sender.aclose()
        server.close()
        await server.wait_closed()


class Taken:
    """Takes pieces, and says False to those it is told to."""

    def __init__(self, stops_at: bytes = b"nothing") -> None:
        self.pieces: list[bytes] = []
        self.some = asyncio.Event()
        self._stops_at = stops_at

    def __call__(self, piece: bytes) -> bool:
        self.pieces.append(piece)
        self.some.set()
        return piece != self._stops_at


async def test_pieces_are_taken_as_they_come_and_those_of_one_read_as_one() -> None:
    taken = Taken()

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await taken.some.wait()
        writer.write(chunk(b"two") + chunk(b"three") + END)

    async with answering(write) as answer:
        assert not await answer.pass_to(taken)
    assert taken.pieces == [b"one", b"twothree"]


async def test_a_taker_that_says_no_is_given_the_rest_when_it_asks_again() -> None:
    taken = Taken(stops_at=b"one")

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await taken.some.wait()
        writer.write(chunk(b"two"))
        await writer.drain()
        writer.write(END)

    async with answering(write) as answer:
        assert await answer.pass_to(taken)
        await asyncio.sleep(0.05)
        assert taken.pieces == [b"one"]
        assert await answer.next_chunk() == b"two"
        assert not await answer.pass_to(taken)
    assert taken.pieces == [b"one"]


async def test_a_large_body_comes_whole_through_a_taker_that_often_stops() -> None:
    sent = bytes(range(256)) * 40_000  # many times what the reader holds

    async def write(writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(sent), 100_000):
            writer.write(chunk(sent[start : start + 100_000]))
            await writer.drain()
        writer.write(END)

    taken: list[bytes] = []

    def take(piece: bytes) -> bool:
        taken.append(piece)
        return len(taken) % 3 != 0

    async with answering(write) as answer:
        while await answer.pass_to(take):
            await asyncio.sleep(0.001)
    assert b"".join(taken) == sent


async def test_a_body_that_breaks_off_is_cut_after_what_came() -> None:
    taken = Taken()

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await taken.some.wait()

    async with answering(write) as answer:
        with pytest.raises(UpstreamCut):
            await answer.pass_to(taken)
    assert taken.pieces == [b"one"]


@pytest.mark.parametrize("waits", [True, False])
async def test_whoever_aborts_tells_why(waits: bool) -> None:
    gone = ClientGone()

    async def write(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    async with answering(write) as answer:
        if waits:
            asyncio.get_running_loop().call_later(0.01, answer.abort, gone)
        else:
            answer.abort(gone)
        with pytest.raises(ClientGone) as raised:
            await answer.pass_to(Taken())
        assert raised.value is gone
        answer.abort(ClientGone())  # to nobody


@pytest.mark.parametrize("error", [UpstreamInvalid("broken"), RecursionError("too deep"), OSError("ours")])
async def test_what_the_taker_raises_is_raised_as_it_is(error: Exception) -> None:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await asyncio.sleep(10)

    def take(piece: bytes) -> bool:
        raise error

    async with answering(write) as answer:
        with pytest.raises(type(error)) as raised:
            await answer.pass_to(take)
        assert raised.value is error


async def test_a_call_that_is_cancelled_takes_nothing_more_and_leaves_no_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken, goes_on = Taken(), asyncio.Event()

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(chunk(b"one"))
        await goes_on.wait()
        writer.write(chunk(b"two"))
        await writer.drain()
        await asyncio.sleep(10)

    with caplog.at_level(logging.ERROR, "asyncio"):
        async with answering(write) as answer:
            task = asyncio.ensure_future(answer.pass_to(taken))
            await taken.some.wait()
            task.cancel()
            await asyncio.wait([task])
            goes_on.set()
            assert await answer.next_chunk() == b"two"
            answer.abort(GatehouseError())
        del task
        gc.collect()
    assert taken.pieces == [b"one"]
    assert not caplog.records
