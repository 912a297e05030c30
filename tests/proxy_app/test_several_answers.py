"""Several answers to one question (`n`): what all of them took is counted, or said to be an estimate."""

import json
from typing import Any

import httpx
import pytest

from tests.proxy_app.harness import asked, streamed

SAID = "word " * 40
USAGE = {"prompt_tokens": 12, "completion_tokens": 41, "total_tokens": 53}
TIMINGS = {"prompt_n": 12, "predicted_n": 41}


def whole(timings: bool, count: int = 2) -> dict[str, Any]:
    choices = [
        {"index": index, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}
        for index in range(count)
    ]
    told = {"id": "c", "model": "m", "choices": choices, "usage": USAGE}
    return told | ({"timings": TIMINGS} if timings else {})


def events(timings: bool) -> list[bytes]:
    """As llama.cpp ends each answer: with its own usage."""
    chunks: list[dict[str, Any]] = []
    for index in (0, 1):
        said = {"index": index, "delta": {"content": SAID}, "finish_reason": None}
        chunks += [{"id": "c", "choices": [said]}]
        chunks += [{"id": "c", "choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]}]
        chunks += [{"id": "c", "choices": [], "usage": USAGE} | ({"timings": TIMINGS} if timings else {})]
    return [*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n"]


@pytest.mark.parametrize(("timings", "source"), [(True, "estimate"), (False, "provider")])
async def test_a_count_of_one_of_them_is_not_taken_for_all(make_gateway, timings, source):
    async def script(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=whole(timings))

    gate = make_gateway(script)
    assert (await gate.ask(asked(n=2))).status == 200
    [end] = gate.ends
    assert (end.status, end.usage_source, end.tokens.input_tokens) == ("ok", source, 12)
    assert (end.tokens.output_tokens > 60) is timings


@pytest.mark.parametrize(("timings", "output"), [(True, 82), (False, 41)])
async def test_counts_that_each_answer_of_a_stream_has_are_added_up(make_gateway, timings, output):
    async def script(request: httpx.Request) -> httpx.Response:
        return streamed(events(timings))

    gate = make_gateway(script)
    assert (await gate.ask(asked(n=2, stream=True))).status == 200
    [end] = gate.ends
    assert (end.status, end.usage_source) == ("ok", "provider")
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (12, output)


async def test_a_single_answer_is_counted_by_the_server(make_gateway):
    async def script(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=whole(True, count=1))

    gate = make_gateway(script)
    await gate.ask(asked())
    [end] = gate.ends
    assert (end.usage_source, end.tokens.output_tokens) == ("provider", 41)
