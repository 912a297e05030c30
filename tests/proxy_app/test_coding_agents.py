"""Coding agents: bodies of another shape at `/chat/completions`, compaction, compressed bodies."""

import gzip
import json
import zlib

import httpx
import pytest
import zstandard

from proxy_app.formats.shapes import shape_of
from tests.proxy_app.harness import STREAM, asked, completion, deployment, message, model, response, streamed

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
RESPONSES_BODY = {
    "model": "gpt",
    "input": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
    ],
    "tools": [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}],
    "user": "alice",
}
MESSAGES_BODY = {
    "model": "gpt",
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "Sunny"}]},
    ],
    "tools": [{"name": "weather", "input_schema": WEATHER}],
    "user": "alice",
}


def recording(answer):
    seen: list[httpx.Request] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer(request)

    script.seen = seen
    return script


def chat(request: httpx.Request) -> httpx.Response:
    stream = json.loads(request.content).get("stream")
    return streamed(STREAM) if stream else httpx.Response(200, json=completion())


async def test_a_refusal_names_the_place_that_the_caller_knows(make_gateway):
    gate = make_gateway(recording(chat))
    messages = [{"role": "system", "content": "Be brief."}, *MESSAGES_BODY["messages"]]
    messages[1] = {"role": "user", "content": [{"type": "text", "text": "Weather?", "later": 1}]}
    answer = await gate.ask({**MESSAGES_BODY, "messages": messages})
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["param"] == "messages[1].content[0].later" and error["param"] in error["message"]


@pytest.mark.parametrize("body", [RESPONSES_BODY, MESSAGES_BODY], ids=["responses", "messages"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_body_of_another_shape_is_answered_as_a_chat_completion(make_gateway, body, stream):
    script = recording(chat)
    gate = make_gateway(script)
    answer = await gate.ask({**body, "stream": stream})
    assert answer.status == 200, answer.body
    if stream:
        assert answer.events[-1] == "[DONE]"
        said = "".join(event["choices"][0]["delta"].get("content") or "" for event in answer.events[:-1])
        assert said == "Hello"
        assert {event["object"] for event in answer.events[:-1]} == {"chat.completion.chunk"}
    else:
        assert answer.json()["choices"][0]["message"]["content"] == "Hello there"
    sent = json.loads(script.seen[0].content)
    assert sent["messages"][0]["content"] == "Be brief." and not {"input", "max_tokens"} & sent.keys()
    assert sent["tools"][0]["function"]["name"] == "weather"
    (end,) = gate.ends
    assert (end.endpoint, end.format, end.status) == ("chat.completions", "openai_chat", "ok")
    assert end.caller.end_user == "alice" and end.cost_nanodollars == 32000


@pytest.mark.parametrize(
    ("body", "wire", "answer", "path"),
    [
        (RESPONSES_BODY, "openai_responses", response(), "/responses"),
        (MESSAGES_BODY, "anthropic", message(), "/v1/messages"),
    ],
    ids=["responses", "messages"],
)
async def test_a_provider_of_the_bodys_own_shape_is_sent_it_as_it_is(make_gateway, body, wire, answer, path):
    script = recording(lambda _: httpx.Response(200, json=answer))
    gate = make_gateway(script, model("gpt", deployment("alpha", wire)))
    told = await gate.ask({**body, "stream_options": {"include_usage": True}})
    assert told.json()["choices"][0]["message"]["content"] == "Hello there"
    sent = json.loads(script.seen[0].content)
    assert script.seen[0].url.path == path
    assert sent["tools"] == body["tools"] and "stream_options" not in sent


async def test_the_usage_chunk_is_the_chat_callers_to_ask_for(make_gateway):
    gate = make_gateway(recording(chat))
    body = {**RESPONSES_BODY, "stream": True}
    silent = await gate.ask(body)
    assert not any(event.get("usage") for event in silent.events[:-1])
    told = await gate.ask({**body, "stream_options": {"include_usage": True}})
    assert told.events[-2]["usage"]["prompt_tokens"] == 12


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ({"messages": []}, "openai_chat"),
        ({"input": "x"}, "openai_responses"),
        ({"messages": [], "input": "x"}, "openai_chat"),
        ({"messages": [], "system": "x"}, "anthropic"),
        ({"messages": [], "system": None}, "openai_chat"),
        ({"messages": MESSAGES_BODY["messages"]}, "anthropic"),
        ({"messages": [], "tools": RESPONSES_BODY["tools"]}, "openai_chat"),
        ({"messages": [], "tools": [{"type": "custom", "name": "a", "input_schema": {}}]}, "anthropic"),
        ({"messages": [3, {"content": [4]}], "tools": 5}, "openai_chat"),
        ({}, "openai_chat"),
    ],
)
def test_a_shape_is_told_by_what_only_it_has(body, shape):
    assert shape_of(body) == shape


async def test_a_chat_body_with_its_own_tool_calls_stays_a_chat_body(make_gateway):
    script = recording(chat)
    gate = make_gateway(script)
    body = asked(tools=[{"type": "function", "function": {"name": "tool_use", "parameters": WEATHER}}])
    body["messages"].append({"role": "user", "content": [{"type": "text", "text": '"tool_result"'}]})
    assert (await gate.ask(body)).status == 200
    assert json.loads(script.seen[0].content) == {**body, "model": "gpt-test"}


async def test_a_chat_body_with_flat_tools_reaches_its_provider_in_chat_words(make_gateway):
    script = recording(chat)
    body = asked(tools=RESPONSES_BODY["tools"], tool_choice={"type": "auto"})
    assert (await make_gateway(script).ask(body)).status == 200
    sent = json.loads(script.seen[0].content)
    assert sent["tools"][0]["function"]["name"] == "weather" and sent["tool_choice"] == "auto"


async def test_an_error_is_a_chat_error_whatever_the_body_looks_like(make_gateway):
    gate = make_gateway(recording(chat))
    answer = await gate.ask({**MESSAGES_BODY, "mcp_servers": [{"name": "x"}]})
    assert answer.status == 400 and set(answer.json()["error"]) == {"message", "type", "param", "code"}


# ---------------------------------------------------------------- compaction

COMPACTED = {
    "id": "cmp_1",
    "object": "response.compaction",
    "output": [{"type": "compaction", "encrypted_content": "abc"}],
    "usage": {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17},
}


async def test_a_provider_that_compacts_is_asked_and_its_answer_passed_on(make_gateway):
    script = recording(lambda _: httpx.Response(200, json=COMPACTED))
    gate = make_gateway(
        script,
        model("gpt", deployment("chatty", order=1), deployment("alpha", "openai_responses", order=2)),
    )
    answer = await gate.ask({"model": "gpt", "input": "long"}, path="/v1/responses/compact")
    assert answer.json() == COMPACTED
    assert [(request.url.host, request.url.path) for request in script.seen] == [
        ("alpha.test", "/responses/compact")
    ]
    (end,) = gate.ends
    assert (end.endpoint, end.status, end.cost_nanodollars) == ("responses.compact", "ok", 32000)
    left_out = {entry["deployment"]: entry["reason"] for entry in end.decision["candidates"]}
    assert "does not have this endpoint" in left_out["chatty/gpt-test"]


async def test_compaction_is_never_translated(make_gateway):
    script = recording(chat)
    gate = make_gateway(script)
    answer = await gate.ask({"model": "gpt", "input": "long"}, path="/v1/responses/compact")
    assert answer.status == 404 and answer.json()["error"]["code"] == "endpoint_not_served"
    assert not script.seen and gate.ends[0].status == "refused"


# ---------------------------------------------------------------- compressed bodies


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "GZIP": lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:]),
    "deflate": zlib.compress,
    " deflate": raw_deflate,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", list(PACKERS))
async def test_a_compressed_body_is_unpacked(make_gateway, encoding):
    gate = make_gateway(recording(chat))
    packed = PACKERS[encoding](json.dumps(asked()).encode())
    answer = await gate.ask(packed, headers={"content-encoding": encoding})
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("encoding", ["gzip", "deflate", " deflate", "zstd"])
async def test_a_small_body_cannot_become_a_large_one(make_gateway, encoding):
    gate = make_gateway(recording(chat))
    bomb = PACKERS[encoding](b" " * (64 * 1024 * 1024))
    assert len(bomb) < 100_000
    answer = await gate.ask(bomb, headers={"content-encoding": encoding})
    assert answer.status == 413 and answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "nonsense", "empty"])
async def test_a_damaged_body_is_a_400(make_gateway, encoding, damage):
    packed = PACKERS[encoding](json.dumps(asked()).encode())
    broken = {"cut": packed[:-6], "nonsense": b"\x00\xffnonsense", "empty": b""}[damage]
    answer = await make_gateway(recording(chat)).ask(broken, headers={"content-encoding": encoding})
    assert answer.status == 400, answer.body
    said = "not valid JSON" if damage == "empty" else f"not valid {encoding} data, or breaks off"
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
async def test_a_body_whose_second_half_was_lost_is_not_read_as_though_it_were_whole(make_gateway, encoding):
    """All of the JSON has come, but for blanks at its end."""
    raw, packer = json.dumps(asked()).encode(), PACKERS[encoding]
    cut = packer(raw) + packer(b" " * 40)[:-5] if encoding != "deflate" else packer(raw)[:-2]
    seen = recording(chat)
    answer = await make_gateway(seen).ask(cut, headers={"content-encoding": encoding})
    assert answer.status == 400, answer.body
    assert f"not valid {encoding} data, or breaks off" in answer.json()["error"]["message"]


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "x"])
async def test_another_encoding_is_refused_with_what_would_do(make_gateway, encoding):
    answer = await make_gateway(recording(chat)).ask(asked(), headers={"content-encoding": encoding})
    assert answer.status == 415
    assert "gzip, deflate" in answer.json()["error"]["message"]
