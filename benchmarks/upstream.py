"""A provider that costs almost nothing: canned answers and streams, OpenAI's and Anthropic's shape.

`python -m benchmarks.upstream PORT CHUNKS INTERVAL_MS`. A raw protocol under uvloop, so that what is
measured is the gateway and not the thing behind it.
"""

import asyncio
import json
import sys
from typing import Any

import httptools
import uvloop

WORD = "lorem "
ANSWER_TOKENS = 40


def whole(body: bytes, content_type: bytes = b"application/json") -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (content_type, len(body))
    return head + body


def openai_answer() -> bytes:
    message = {"role": "assistant", "content": WORD * ANSWER_TOKENS}
    usage = {"prompt_tokens": 12, "completion_tokens": ANSWER_TOKENS, "total_tokens": 12 + ANSWER_TOKENS}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "bench",
            "choices": [choice],
            "usage": usage,
        }
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def openai_event(delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    event = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "bench",
        "choices": choices,
    }
    if usage is not None:
        event["usage"] = usage
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def anthropic_event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def openai_stream(chunks: int) -> list[bytes]:
    usage = {"prompt_tokens": 12, "completion_tokens": chunks, "total_tokens": 12 + chunks}
    middle = [openai_event({"content": WORD})] * (chunks - 1)
    last = openai_event({}, "stop") + openai_event(None, usage=usage) + b"data: [DONE]\n\n"
    return [openai_event({"role": "assistant", "content": WORD}), *middle, last]


def anthropic_stream(chunks: int) -> list[bytes]:
    message = {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "bench",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 1},
    }
    delta = anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": WORD})
    first = anthropic_event("message_start", message=message) + anthropic_event(
        "content_block_start", index=0, content_block={"type": "text", "text": ""}
    )
    last = (
        anthropic_event("content_block_stop", index=0)
        + anthropic_event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": chunks},
        )
        + anthropic_event("message_stop")
    )
    return [first + delta, *[delta] * (chunks - 1), last]


class Provider(asyncio.Protocol):
    """One connection. `answer` and `streams` are made once, before the first call."""

    answer = whole(openai_answer())
    streams: dict[bool, list[bytes]] = {}
    interval_s = 0.02
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.parser = httptools.HttpRequestParser(self)
        self.loop = asyncio.get_running_loop()
        self.body = b""
        self.url = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body = b""
        self.url = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if b'"stream":true' in self.body or b'"stream": true' in self.body:
            self.transport.write(self.head)
            parts = self.streams[self.url.endswith(b"/messages")]
            self.step(parts, 0, self.loop.time())
        else:
            self.transport.write(self.answer)

    def step(self, parts: list[bytes], number: int, started: float) -> None:
        """Send one part on the beat: late steps do not make the stream longer."""
        if self.transport.is_closing():
            return
        self.transport.write(parts[number])
        if number + 1 < len(parts):
            due = started + (number + 1) * self.interval_s
            self.loop.call_at(due, self.step, parts, number + 1, started)


async def serve(port: int, chunks: int, interval_ms: float) -> None:
    end = b"0\r\n\r\n"
    for is_anthropic, parts in ((False, openai_stream(chunks)), (True, anthropic_stream(chunks))):
        framed = [chunk(part) for part in parts]
        Provider.streams[is_anthropic] = [*framed[:-1], framed[-1] + end]
    Provider.interval_s = interval_ms / 1000
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
