"""A body whose small words have the wrong type is refused in its caller's dialect, and is no failure."""

from typing import Any

import httpx
import pytest

from tests.proxy_app.harness import completion, deployment, model

ODD: list[Any] = [[], {}, [[]], 0, True, None, 1.5]


async def answered(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=completion())


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("wire", ["openai_chat", "anthropic"])
async def test_a_block_of_an_odd_type_is_never_a_500(make_gateway, odd, wire):
    gate = make_gateway(answered, model("gpt", deployment("alpha", wire)))
    block = {"type": odd, "text": "hi"}
    turn = {"role": "user", "content": [block]}
    bodies = {
        "/v1/messages": {"model": "gpt", "max_tokens": 9, "messages": [turn]},
        "/v1/chat/completions": {"model": "gpt", "messages": [turn], "system": "x"},
        "/v1/responses": {"model": "gpt", "input": [turn, {"type": odd}]},
        "/v1beta/models/gpt:generateContent": {"contents": [{"role": odd, "parts": [block]}]},
    }
    for path, body in bodies.items():
        answer = await gate.ask(body, path=path)
        assert answer.status in (200, 400, 502), (path, answer.status, answer.body)
