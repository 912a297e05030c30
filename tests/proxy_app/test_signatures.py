"""Signed thoughts: kept by owner, provider, model and call; given back to that provider and no other."""

import json

import httpx
import pytest

from proxy_app import signatures
from proxy_app.formats.signing import latest_call_ids
from proxy_app.signatures import MemorySignatures, Place
from proxy_app.wire import Signed, Thinking
from tests.proxy_app.harness import deployment, message, model, streamed

HERE = Place("service:1", "provider-1", "claude-test")
SIGNED = Signed("sig", (Thinking("Hmm.", "signature-1", provider="anthropic"),))


async def test_what_is_kept_is_recalled_by_its_owner_from_its_provider_and_model_only():
    store = MemorySignatures()
    await store.keep(HERE, {"call_1": SIGNED, "call_2": Signed("other")})
    assert await store.recall(HERE, ["call_2", "call_0", "call_1"]) == {
        "call_1": SIGNED,
        "call_2": Signed("other"),
    }
    for place in (
        Place("service:2", "provider-1", "claude-test"),
        Place("service:1", "provider-2", "claude-test"),
        Place("service:1", "provider-1", "claude-other"),
    ):
        assert await store.recall(place, ["call_1"]) == {}


async def test_nothing_of_a_thought_is_held_in_clear():
    store = MemorySignatures()
    await store.keep(HERE, {"call_1": SIGNED})
    held = repr(vars(store))
    assert not any(word in held for word in ("Hmm", "signature-1", "call_1", "service:1"))


async def test_the_oldest_go_when_there_is_too_much():
    store = MemorySignatures(most_bytes=3000)
    for number in range(20):
        await store.keep(HERE, {f"call_{number}": SIGNED})
    kept = await store.recall(HERE, [f"call_{number}" for number in range(20)])
    assert "call_19" in kept and "call_0" not in kept
    assert store._bytes <= 3000


async def test_a_day_later_it_is_forgotten(monkeypatch):
    store = MemorySignatures()
    await store.keep(HERE, {"call_1": SIGNED})
    later = signatures.time.monotonic() + signatures.KEPT_S + 1
    monkeypatch.setattr(signatures.time, "monotonic", lambda: later)
    assert await store.recall(HERE, ["call_1"]) == {}
    assert not store._by_key and store._bytes == 0


async def test_an_answer_too_large_to_keep_is_not():
    store = MemorySignatures()
    await store.keep(HERE, {"call_1": Signed(None, (Thinking("x" * 600_000, "s"),))})
    assert await store.recall(HERE, ["call_1"]) == {}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}, {"role": "tool"}]},
        {"input": [{"type": "function_call", "call_id": "a"}, {"type": "custom_tool_call", "call_id": "b"}]},
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a"}, {"type": "text"}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "z"}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "b"}]},
            ]
        },
        {
            "contents": [
                {"role": "model", "parts": [{"functionCall": {"id": "a"}}, {"function_call": {"id": "b"}}]}
            ]
        },
    ],
)
def test_the_calls_of_a_body_are_found_in_every_format(body):
    assert sorted(latest_call_ids(body)) == ["a", "b"]


@pytest.mark.parametrize("body", [{}, {"messages": 7}, {"input": "x"}, {"messages": ["x", {"content": 3}]}])
def test_a_body_without_calls_has_none(body):
    assert latest_call_ids(body) == []


def test_only_the_latest_calls_are_looked_for():
    body = {"input": [{"type": "function_call", "call_id": f"c{number}"} for number in range(500)]}
    assert latest_call_ids(body, limit=2) == ["c499", "c498"]


# ---------------------------------------------------------------- through the pipeline

THOUGHT = {"type": "thinking", "thinking": "Hmm.", "signature": "signature-1"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Seoul"}}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def claude(thought: bool = True):
    seen: list[dict] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        if len(seen) == 1:
            return httpx.Response(200, json=message(*([THOUGHT] if thought else []), USE, stop="tool_use"))
        return httpx.Response(200, json=message())

    script.seen = seen
    return script


def first_turn() -> dict:
    return {
        "model": "gpt",
        "messages": [{"role": "user", "content": "Weather in Seoul?"}],
        "tools": TOOLS,
        "reasoning_effort": "medium",
    }


def second_turn(answer: dict) -> dict:
    """As a client that knows nothing of thoughts goes on."""
    said = answer["choices"][0]["message"]
    call = {name: said["tool_calls"][0][name] for name in ("id", "type", "function")}
    body = first_turn()
    body["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "Sunny"},
    ]
    return body


async def test_a_chat_client_that_drops_thoughts_still_returns_them_to_their_provider(make_gateway):
    script = claude()
    gate = make_gateway(script, model("gpt", deployment("alpha", "anthropic")))
    answer = await gate.ask(first_turn())
    again = await gate.ask(second_turn(answer.json()))
    assert again.status == 200 and "x-gatehouse-thinking" not in again.headers
    assert script.seen[1]["messages"][1]["content"] == [THOUGHT, USE]
    assert script.seen[1]["thinking"]["type"] != "disabled"


async def test_thoughts_that_are_lost_turn_thinking_off_for_the_call_and_say_so(make_gateway):
    script = claude()
    gate = make_gateway(script, model("gpt", deployment("alpha", "anthropic")))
    answer = await gate.ask(first_turn())
    gate.services.signatures = MemorySignatures()
    again = await gate.ask(second_turn(answer.json()))
    assert again.status == 200 and again.headers["x-gatehouse-thinking"] == "off"
    assert script.seen[1]["thinking"] == {"type": "disabled"}
    assert script.seen[1]["messages"][1]["content"] == [USE]


async def test_another_provider_is_never_sent_the_thoughts(make_gateway):
    script = claude()
    gate = make_gateway(script, model("gpt", deployment("alpha", "anthropic")))
    answer = await gate.ask(first_turn())
    from tests.proxy_app.harness import snapshot

    gate.keeper.current = snapshot([model("gpt", deployment("beta", "anthropic"))])
    again = await gate.ask(second_turn(answer.json()))
    assert again.headers["x-gatehouse-thinking"] == "off"
    assert "signature-1" not in json.dumps(script.seen[1])


async def test_another_owner_is_never_sent_the_thoughts(make_gateway):
    from dataclasses import replace

    script = claude()
    gate = make_gateway(script, model("gpt", deployment("alpha", "anthropic")))
    answer = await gate.ask(first_turn())
    picture = gate.keeper.current
    keys = {secret: replace(key, service_id="") for secret, key in picture.keys.items()}
    gate.keeper.current = replace(picture, keys=keys)
    await gate.ask(second_turn(answer.json()))
    assert "signature-1" not in json.dumps(script.seen[1])


@pytest.mark.parametrize("stream", [True, False])
async def test_a_signed_call_of_gemini_goes_back_signed_also_from_a_client_that_drops_it(
    make_gateway, stream
):
    signed_call = {"functionCall": {"name": "weather", "args": {"city": "Seoul"}}, "thoughtSignature": "c2ln"}
    answer = {
        "candidates": [{"content": {"role": "model", "parts": [signed_call]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 5, "totalTokenCount": 17},
        "modelVersion": "gemini-3-test",
        "responseId": "r1",
    }
    seen: list[dict] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        if "alt=sse" in str(request.url):
            return streamed([b"data: " + json.dumps(answer).encode() + b"\n\n"])
        return httpx.Response(200, json=answer)

    gate = make_gateway(script, model("gpt", deployment("alpha", "gemini")))
    told = await gate.ask({**first_turn(), "stream": stream})
    if stream:
        calls = [
            call
            for event in told.events[:-1]
            for call in event["choices"][0]["delta"].get("tool_calls", ())
            if call.get("id")
        ]
        function = {"name": "weather", "arguments": '{"city": "Seoul"}'}
        call = {"id": calls[0]["id"], "type": "function", "function": function}
        said = {"choices": [{"message": {"tool_calls": [call]}}]}
    else:
        said = told.json()
    await gate.ask(second_turn(said))
    parts = [part for content in seen[1]["contents"] for part in content["parts"]]
    assert [part["thoughtSignature"] for part in parts if "functionCall" in part] == ["c2ln"]
