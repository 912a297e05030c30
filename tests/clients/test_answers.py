"""The official SDK through Gatehouse: three kinds of provider, plain and streamed, say the same."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.clients.gateway import KINDS, Gate, expected, user
from tests.upstream.script import FORECAST, REFUSAL, TOOL_SCHEMA, Script
from tests.upstream.sdks import Heard, hear

every_kind = pytest.mark.parametrize("kind", KINDS)
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": TOOL_SCHEMA, "strict": True}}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FINISH = {"stop_sequence": "stop", "refusal": "content_filter", "blocked": "content_filter"}


class Forecast(BaseModel):
    city: str
    temperature: float
    rainy: bool
    days: list[str]
    note: str


async def both(gate: Gate, model: str, text: str, **how: Any) -> tuple[Heard, Heard]:
    """The same call, whole and streamed."""
    plain, streamed = await asyncio.gather(
        hear(gate.place, text, False, model, **how), hear(gate.place, text, True, model, **how)
    )
    return plain, streamed


def told(script: Script) -> Heard:
    usage = script.usage
    return Heard(
        script.text or script.refusal,
        [(call.name, call.arguments) for call in script.calls],
        FINISH.get(script.finish, script.finish),
        (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens),
    )


@every_kind
@pytest.mark.parametrize("text", ["hello", "cached", "think", "long:50", "json", "length", "empty"])
async def test_the_sdk_rebuilds_the_same_answer_from_a_stream(gate: Gate, kind: str, text: str) -> None:
    plain, streamed = await both(gate, f"{kind}-mock", text)
    assert plain == streamed == told(expected(text))


@every_kind
@pytest.mark.parametrize("text", ["tool:1", "tools:3", "think-tools:2", "talk-tools:2"])
async def test_tool_calls_keep_names_arguments_and_order(gate: Gate, kind: str, text: str) -> None:
    plain, streamed = await both(gate, f"{kind}-mock", text, tools=True)
    assert plain == streamed == told(expected(text, tools=("get_weather",)))
    assert len(plain.calls) == int(text[-1])


@every_kind
@pytest.mark.parametrize("way", ["split", "comments"])
async def test_a_providers_strange_ways_change_nothing(gate: Gate, kind: str, way: str) -> None:
    plain, streamed = await both(gate, f"{kind}-mock-{way}", "tools:3", tools=True)
    assert plain == streamed == told(expected("tools:3", tools=("get_weather",)))


@every_kind
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_tool_results_travel_back_to_the_calls_they_answer(gate: Gate, kind: str, stream: bool) -> None:
    model = f"{kind}-mock"
    async with gate.client() as client:
        turns: list[Any] = [user("tools:2")]
        first = await client.chat.completions.create(model=model, messages=turns, tools=TOOLS)
        turns.append(first.choices[0].message.model_dump(exclude_none=True))
        for call, result in zip(first.choices[0].message.tool_calls, ("sun", "비"), strict=True):
            turns.append({"role": "tool", "tool_call_id": call.id, "content": result})
        if stream:
            async with client.chat.completions.stream(model=model, messages=turns, tools=TOOLS) as events:
                last: Any = await events.get_final_completion()
        else:
            last = await client.chat.completions.create(model=model, messages=turns, tools=TOOLS)
    assert last.choices[0].message.content == "The tools said: sun | 비."


@every_kind
async def test_a_schema_is_parsed_into_the_callers_own_type(gate: Gate, kind: str) -> None:
    asked: Any = {"model": f"{kind}-mock", "messages": [user("json")], "response_format": Forecast}
    async with gate.client() as client:
        plain = await client.chat.completions.parse(**asked)
        async with client.chat.completions.stream(**asked) as events:
            streamed = await events.get_final_completion()
    wanted = Forecast.model_validate(FORECAST)
    assert plain.choices[0].message.parsed == streamed.choices[0].message.parsed == wanted


@every_kind
async def test_a_forced_tool_and_no_tool_are_the_callers_choice(gate: Gate, kind: str) -> None:
    asked: Any = {"model": f"{kind}-mock", "tools": TOOLS}
    named = {"type": "function", "function": {"name": "get_weather"}}
    async with gate.client() as client:
        forced = await client.chat.completions.create(messages=[user("hi")], tool_choice=named, **asked)
        none = await client.chat.completions.create(messages=[user("tool:1")], tool_choice="none", **asked)
        single: Any = {**asked, "messages": [user("tools:3")], "parallel_tool_calls": False}
        if kind == "gemini":  # has no such switch, so the wish is refused rather than ignored
            with pytest.raises(openai.BadRequestError, match="parallel_tool_calls"):
                await client.chat.completions.create(**single)
        else:
            [choice] = (await client.chat.completions.create(**single)).choices
            assert len(choice.message.tool_calls) == 1
    assert [call.function.name for call in forced.choices[0].message.tool_calls] == ["get_weather"]
    assert not none.choices[0].message.tool_calls


@every_kind
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_images_instructions_stop_and_length_reach_every_provider(
    gate: Gate, kind: str, stream: bool
) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    brief = {"role": "developer", "content": "Be brief."}
    async with gate.client() as client:

        async def say(*turns: Any, **more: Any) -> tuple[str, str]:
            asked: Any = {"model": f"{kind}-mock", "messages": list(turns), **more}
            if not stream:
                [choice] = (await client.chat.completions.create(**asked)).choices
                return choice.message.content or "", choice.finish_reason
            text, finish = "", ""
            async for chunk in await client.chat.completions.create(stream=True, **asked):
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
            return text, finish

        seen = await say(user([{"type": "text", "text": "image"}, picture, picture]))
        assert seen == ("I see 2 images in what you sent.", "stop")
        assert await say(brief, user("system")) == ("My instructions are: Be brief..", "stop")
        assert await say(user("hello"), stop=[","]) == ("Hello! 안녕하세요", "stop")
        assert await say(user("hello"), max_completion_tokens=1) == ("Hello!", "length")


async def test_a_provider_that_says_no_done_is_completed(gate: Gate) -> None:
    _, streamed = await both(gate, "openai-mock-no-done", "hello")
    assert streamed == told(expected("hello"))


@every_kind
@pytest.mark.parametrize("text", ["refuse", "blocked"])
async def test_a_refusal_is_never_a_finished_answer(gate: Gate, kind: str, text: str) -> None:
    """OpenAI's own refusal is a `refusal` with stop; everything else ends as content_filter."""
    asked: Any = {"model": f"{kind}-mock", "messages": [user(text)]}
    async with gate.client() as client:
        [plain] = (await client.chat.completions.create(**asked)).choices
        choices = [
            choice
            async for chunk in await client.chat.completions.create(stream=True, **asked)
            for choice in chunk.choices
        ]
        if plain.finish_reason == "content_filter":
            with pytest.raises(openai.ContentFilterFinishReasonError):
                async with client.chat.completions.stream(**asked) as events:
                    await events.get_final_completion()
    refusal = "".join(choice.delta.refusal or "" for choice in choices)
    assert choices[-1].finish_reason == plain.finish_reason
    assert refusal == (plain.message.refusal or "")
    if kind == "openai" and text == "refuse":
        assert (plain.finish_reason, refusal) == ("stop", REFUSAL)
    else:
        assert plain.finish_reason == "content_filter"


@every_kind
def test_the_blocking_client_hears_the_same(gate: Gate, kind: str) -> None:
    asked: Any = {"model": f"{kind}-mock", "messages": [user("hello")]}
    with gate.blocking_client() as client:
        plain = client.chat.completions.create(**asked)
        with client.chat.completions.create(stream=True, **asked) as chunks:
            streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert plain.choices[0].message.content == streamed == expected("hello").text


@every_kind
async def test_a_stream_is_well_formed(gate: Gate, kind: str) -> None:
    """One role, indices from 0, ids and names once each, one finish at the end, nothing after [DONE]."""
    body = {"model": f"{kind}-mock", "messages": [user("talk-tools:3")], "tools": TOOLS, "stream": True}
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{gate.server.url}/v1/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {gate.key}"},
        )
    lines = [line for line in answer.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines) and lines[-1] == "data: [DONE]"
    chunks = [json.loads(line[6:]) for line in lines[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == len({chunk["model"] for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [bool(choice["delta"].get("role")) for choice in choices] == [True] + [False] * (len(choices) - 1)
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["tool_calls"]
    deltas = [delta for choice in choices for delta in choice["delta"].get("tool_calls", ())]
    assert [delta["index"] for delta in deltas] == sorted(delta["index"] for delta in deltas)
    for index in range(3):
        mine = [delta for delta in deltas if delta["index"] == index]
        assert mine[0]["id"] and mine[0]["type"] == "function" and mine[0]["function"]["name"]
        assert not any(delta.get("id") or delta["function"].get("name") for delta in mine[1:])
    assert not any(chunk.get("usage") for chunk in chunks)


async def test_an_unknown_part_is_refused_for_a_provider_that_cannot_take_it(gate: Gate) -> None:
    part = {"type": "hologram", "hologram": {"url": "data:…"}}
    async with gate.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="anthropic-mock", messages=[user([part])])  # type: ignore[list-item]
    assert "hologram" in str(caught.value)
