"""The front door of the whole server, knocked at with raw sockets.

Slow headers and readers are cut after 10 and 60 s: tests/gateway_project/test_frontdoor.py has them with
small limits.
"""

import asyncio
import contextlib
import json

import pytest

from tests.faults.gateway import Gate
from tests.faults.processes import until
from tests.gateway_project.doors import Knock


def request(gate: Gate, body: dict[str, object] | None = None, path: str = "/v1/chat/completions") -> bytes:
    raw = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    head = f"{method} {path} HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {gate.key}\r\n"
    return f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw


def asked(kind: str, stream: bool, text: str = "hello") -> dict[str, object]:
    return {"model": f"{kind}-mock", "stream": stream, "messages": [{"role": "user", "content": text}]}


async def test_the_next_request_on_the_connection_right_after_a_stream_is_answered(gate: Gate) -> None:
    knock = await Knock.at(gate.server.port)
    for turn in range(30):
        knock.send(request(gate, asked(("openai", "anthropic", "gemini")[turn % 3], stream=turn % 2 == 0)))
        status, body = await asyncio.wait_for(knock.answer(), 10)
        assert status == 200
        assert body.endswith(b"data: [DONE]\n\n") if turn % 2 == 0 else json.loads(body)["choices"]
    await knock.close()


async def test_a_request_sent_while_the_stream_still_runs_waits_its_turn(gate: Gate) -> None:
    knock = await Knock.at(gate.server.port)
    knock.send(
        request(gate, asked("openai", stream=True, text="long:300")) + request(gate, path="/v1/models")
    )
    status, stream = await knock.answer()
    assert status == 200 and stream.endswith(b"data: [DONE]\n\n")
    status, models = await asyncio.wait_for(knock.answer(), 10)
    assert status == 200 and json.loads(models)["object"] == "list"
    await knock.close()


async def test_a_huge_header_is_refused(gate: Gate) -> None:
    knock = await Knock.at(gate.server.port)
    knock.send(b"GET /v1/models HTTP/1.1\r\nhost: here\r\nx-huge: " + b"x" * 70_000 + b"\r\n\r\n")
    status, body = await knock.answer()
    assert (status, json.loads(body)["error"]["code"]) == (431, "headers_too_large")
    await knock.close()


async def test_a_huge_body_is_refused_before_it_is_read(gate: Gate) -> None:
    knock = await Knock.at(gate.server.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {gate.key}\r\n"
    knock.send(f"{head}content-length: 20000000\r\n\r\n".encode())
    status, body = await asyncio.wait_for(knock.answer(), 5)
    assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    await knock.close()


async def test_a_huge_body_that_does_not_say_its_length_is_cut_at_the_limit(gate: Gate) -> None:
    knock = await Knock.at(gate.server.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {gate.key}\r\n"
    knock.send(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
    answer = asyncio.ensure_future(knock.answer())
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    for _ in range(20):
        if answer.done():
            break
        knock.send(piece)
        with contextlib.suppress(ConnectionError):  # closed upon us: the answer has been read by then
            await knock.writer.drain()
    status, body = await asyncio.wait_for(answer, 10)
    assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    await knock.close()


async def test_a_slow_reader_slows_its_own_provider_and_nobody_else(gate: Gate) -> None:
    """Its provider is not read ahead without bound, and others are served meanwhile."""
    slow = await Knock.at(gate.server.port, limit=1024)
    slow.writer.transport.pause_reading()
    slow.send(request(gate, asked("openai", stream=True, text="long:70000")))
    until(lambda: gate.up.mock.seen and "long:70000" in str(gate.up.mock.seen[-1].body))
    mine = gate.up.mock.seen[-1]
    for _ in range(10):
        quick = await Knock.at(gate.server.port)
        quick.send(request(gate, asked("openai", stream=True)))
        assert (await asyncio.wait_for(quick.answer(), 5))[0] == 200
        await quick.close()
    assert not mine.ended.is_set()
    slow.writer.transport.resume_reading()
    status, body = await asyncio.wait_for(slow.answer(), 90)
    assert status == 200 and body.endswith(b"data: [DONE]\n\n") and b"word69999" in body
    await slow.close()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/"])
async def test_head_answers_without_a_body(gate: Gate, path: str) -> None:
    status, _, body = await asyncio.to_thread(gate.server.call, "HEAD", path, None, key="")
    assert (status, body) == (200, "")
