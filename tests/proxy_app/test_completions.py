"""OpenAI's older completions: relayed where a provider has them, translated for every other one."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.proxy_app.harness import STREAM, completion, deployment, model, streamed

PATH = "/v1/completions"
TOLD = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": 0, "text": " world", "logprobs": None, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
}


def completing(quirk: Any = True):
    own = deployment("alpha")
    return model("gpt", replace(own, provider=replace(own.provider, quirks={"completions": quirk})))


def answering(seen: list[httpx.Request], body: Any):
    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=body)

    return script


@pytest.mark.parametrize("quirk", [True, ["gpt-t"]])
async def test_completions_are_relayed_to_a_provider_that_has_them(make_gateway, quirk):
    seen: list[httpx.Request] = []
    gate = make_gateway(answering(seen, TOLD), completing(quirk))
    body = {"model": "gpt", "prompt": ["a", [1, 2]], "suffix": "!", "logprobs": 2, "unknown": 1}
    answer = await gate.ask(body, path=PATH)
    assert answer.json() == TOLD
    assert seen[0].url.path == PATH
    assert json.loads(seen[0].content) == {**body, "model": "gpt-test"}
    (end,) = gate.ends
    assert (end.endpoint, end.finish_reason) == ("completions", "length")
    assert end.cost_nanodollars == (2 * 1 + 3 * 4) * 1_000


async def test_a_single_text_is_asked_as_a_conversation_of_any_other_provider(make_gateway):
    seen: list[httpx.Request] = []
    gate = make_gateway(answering(seen, completion("there")))
    asked = {"model": "gpt", "prompt": "hello", "max_tokens": 7, "temperature": 0.5, "stop": "x"}
    answer = await gate.ask(asked, path=PATH)
    sent = json.loads(seen[0].content)
    assert sent["messages"] == [{"role": "user", "content": "hello"}]
    assert (sent["max_completion_tokens"], sent["temperature"], sent["stop"]) == (7, 0.5, ["x"])
    body = answer.json()
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"index": 0, "text": "there", "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"] == {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


@pytest.mark.parametrize("wants_usage", [True, False])
async def test_a_translated_stream_is_pieces_of_text(make_gateway, wants_usage):
    async def script(request: httpx.Request) -> httpx.Response:
        return streamed(STREAM)

    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    gate = make_gateway(script)
    answer = await gate.ask({"model": "gpt", "prompt": "hi", "stream": True, **options}, path=PATH)
    *pieces, done = answer.events
    assert done == "[DONE]"
    texts = [choice["text"] for piece in pieces for choice in piece["choices"]]
    assert "".join(texts) == "Hello"
    assert (pieces[-1].get("usage") is not None) is wants_usage
    assert gate.ends[0].tokens.output_tokens == 5


@pytest.mark.parametrize("wants_usage", [True, False])
async def test_a_relayed_stream_passes_as_it_is_but_for_usage_not_asked_for(make_gateway, wants_usage):
    first = {**TOLD, "usage": None, "choices": [{**TOLD["choices"][0], "finish_reason": None}]}
    last = {**TOLD, "usage": None, "choices": [{**TOLD["choices"][0], "text": ""}]}
    usage = {**TOLD, "choices": []}
    events = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in (first, last, usage)]
    raw = b"".join([*events, b"data: [DONE]\n\n"])

    async def script(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content)["stream_options"] == {"include_usage": True}
        return streamed([raw[:97], raw[97:]])

    gate = make_gateway(script, completing())
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    answer = await gate.ask({"model": "gpt", "prompt": "hi", "stream": True, **options}, path=PATH)
    assert answer.body == (raw if wants_usage else raw.replace(events[2], b""))
    assert gate.ends[0].tokens.output_tokens == 3


async def test_a_cut_stream_ends_in_an_error_and_without_a_false_end(make_gateway):
    first = {**TOLD, "usage": None, "choices": [{**TOLD["choices"][0], "finish_reason": None}]}

    async def script(request: httpx.Request) -> httpx.Response:
        return streamed([b"data: " + json.dumps(first).encode() + b"\n\n"])

    gate = make_gateway(script, completing())
    answer = await gate.ask({"model": "gpt", "prompt": "hi", "stream": True}, path=PATH)
    assert answer.events[-1]["error"]["code"] == "upstream_cut"
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize("ending", ["", "\n\n"])
async def test_a_whole_answer_is_told_as_a_stream(make_gateway, ending):
    async def script(request: httpx.Request) -> httpx.Response:
        return streamed([json.dumps(TOLD).encode() + ending.encode()])

    gate = make_gateway(script, completing())
    answer = await gate.ask({"model": "gpt", "prompt": "hi", "stream": True}, path=PATH)
    wanted = {name: value for name, value in TOLD.items() if name != "usage"}
    assert answer.events == [wanted, "[DONE]"]
    assert gate.ends[0].cost_nanodollars == (2 * 1 + 3 * 4) * 1_000


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (json.dumps(TOLD)[:40], 502, "upstream_cut"),
        (json.dumps({"error": {"message": "It sleeps.", "code": 503}}), 503, "upstream_refused"),
        ("data: [DONE]\n\n", 502, "upstream_cut"),
    ],
)
async def test_what_is_no_stream_is_no_answer_either(make_gateway, sent, status, code):
    async def script(request: httpx.Request) -> httpx.Response:
        return streamed([sent.encode()])

    gate = make_gateway(script, completing())
    answer = await gate.ask({"model": "gpt", "prompt": "hi", "stream": True}, path=PATH)
    assert (answer.status, gate.ends[0].error_code) == (status, code)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "logprobs": 3}, "logprobs"),
        ({"prompt": "a", "best_of": 3}, "best_of"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"prompt": ["a"], "n": 500}, "n"),
        ({}, "prompt"),
    ],
)
async def test_what_cannot_be_carried_is_named(make_gateway, fields, param):
    gate = make_gateway(answering([], completion()))
    answer = await gate.ask({"model": "gpt", **fields}, path=PATH)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)
