"""A committed stream that falls silent is kept alive in the caller's own way."""

import asyncio

import pytest

from proxy_app import guard
from proxy_app.formats import exchange
from proxy_app.formats.registry import INBOUND
from tests.proxy_app.harness import STREAM, asked, chunk, streamed

PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic": "/v1/messages",
}


class Client:
    """What the front door's extension writes, in its order among the answer's other pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.was_kept = asyncio.Event()
        self.quiet = b""

    def write(self, _extensions: object, piece: bytes) -> bool:
        self.pieces.append(piece)
        if piece == self.quiet and self.pieces.count(piece) == 2:
            self.was_kept.set()
        return True


@pytest.mark.parametrize("format", list(PATHS))
async def test_silence_within_a_stream_is_filled_between_whole_events(make_gateway, monkeypatch, format):
    monkeypatch.setattr(guard, "KEEP_ALIVE_S", 0.02)
    client = Client()
    client.quiet = exchange.keep_alive(format)

    async def script(request):
        return streamed([*STREAM[:3], client.was_kept, *STREAM[3:]])

    gate = make_gateway(script)
    body = {"model": "gpt", "input": "x", "stream": True}
    if format != "openai_responses":
        body = asked(stream=True, max_tokens=9)
    async with asyncio.timeout(5):
        answer = await gate.ask(body, path=PATHS[format], extensions={"gatehouse.piece": client.write})
    assert client.pieces.count(client.quiet) >= 2
    assert all(piece.endswith(b"\n\n") for piece in client.pieces)
    assert answer.complete and gate.ends[0].status == "ok"


async def test_a_stream_that_talks_is_sent_nothing_else(make_gateway):
    client = Client()

    async def script(request):
        return streamed(STREAM)

    await make_gateway(script).ask(asked(stream=True), extensions={"gatehouse.piece": client.write})
    assert exchange.keep_alive("openai_chat") not in client.pieces


async def test_nothing_is_sent_before_the_first_content(make_gateway, monkeypatch):
    monkeypatch.setattr(guard, "KEEP_ALIVE_S", 0.001)
    client = Client()
    waiting = asyncio.Event()

    async def script(request):
        asyncio.get_running_loop().call_later(0.05, waiting.set)
        return streamed([chunk({"role": "assistant", "content": ""}), waiting, *STREAM[1:]])

    gate = make_gateway(script)
    answer = await gate.ask(asked(stream=True), extensions={"gatehouse.piece": client.write})
    assert b"assistant" in answer.chunks[0]


def test_every_format_has_a_keep_alive_that_is_one_whole_event():
    for name in INBOUND:
        assert exchange.keep_alive(name).endswith(b"\n"), name
