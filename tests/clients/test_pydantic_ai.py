"""pydantic-ai's models before every kind of provider: what its users do with agents, whole and streamed."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, AgentRunResultEvent, BinaryContent, NativeOutput, ToolOutput
from pydantic_ai.exceptions import AgentRunError, ModelHTTPError
from pydantic_ai.messages import PartDeltaEvent, PartEndEvent, TextPartDelta, ThinkingPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.models.google import GoogleModel, GoogleModelSettings
from pydantic_ai.models.openai import (
    OpenAIChatModel,
    OpenAIChatModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.gateway import KINDS, Gate, expected
from tests.upstream.script import CITIES, FORECAST, SIGNATURE, THOUGHTS

#: One loop for all: the frameworks keep their HTTP clients, which belong to one.
pytestmark = [pytest.mark.clients, pytest.mark.asyncio(loop_scope="module")]
every_kind = pytest.mark.parametrize("kind", KINDS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])

Making = Callable[..., Model[Any]]


class Forecast(BaseModel):
    """A forecast."""

    city: str
    temperature: float
    rainy: bool
    days: list[str]
    note: str


def by_chat(gate: Gate, name: str, key: str = "") -> Model[Any]:
    settings = OpenAIChatModelSettings(openai_reasoning_effort="high")
    provider = OpenAIProvider(f"{gate.server.url}/v1", key or gate.key)
    return OpenAIChatModel(name, provider=provider, settings=settings)


def by_responses(gate: Gate, name: str, key: str = "") -> Model[Any]:
    settings = OpenAIResponsesModelSettings(openai_reasoning_effort="high", openai_reasoning_summary="auto")
    provider = OpenAIProvider(f"{gate.server.url}/v1", key or gate.key)
    model = OpenAIResponsesModel(name, provider=provider, settings=settings)
    model.profile["openai_supports_encrypted_reasoning_content"] = True  # known by names of models
    return model


def by_messages(gate: Gate, name: str, key: str = "") -> Model[Any]:
    settings = AnthropicModelSettings(anthropic_thinking={"type": "adaptive", "display": "summarized"})
    provider = AnthropicProvider(api_key=key or gate.key, base_url=gate.server.url)
    return AnthropicModel(name, provider=provider, settings=settings)


def by_generate(gate: Gate, name: str, key: str = "") -> Model[Any]:
    settings = GoogleModelSettings(google_thinking_config={"include_thoughts": True})
    provider = GoogleProvider(api_key=key or gate.key, base_url=gate.server.url)
    return GoogleModel(name, provider=provider, settings=settings)


every_model = pytest.mark.parametrize(
    "make", [by_chat, by_responses, by_messages, by_generate], ids=lambda make: make.__name__
)


async def run(agent: Agent[None, Any], prompt: str | Sequence[Any], stream: bool) -> tuple[Any, list[Any]]:
    """What a run came to, and the events of its stream."""
    if not stream:
        return await agent.run(prompt), []
    async with agent.run_stream_events(prompt) as stream_of:
        events = [event async for event in stream_of]
    last = events.pop()
    assert isinstance(last, AgentRunResultEvent)
    return last.result, events


def told(make: Making, results: list[str]) -> str:
    """The mock's answer to these results. pydantic-ai wraps them for Google in an object of its own."""
    if make is by_generate:
        results = [
            json.dumps({"return_value": each}, ensure_ascii=False, separators=(",", ":")) for each in results
        ]
    return f"The tools said: {' | '.join(results)}."


def parts_of(result: Any, kind: type) -> list[Any]:
    return [part for turn in result.all_messages() for part in turn.parts if isinstance(part, kind)]


@every_kind
@every_model
@both_ways
async def test_pydantic_ai_hears_what_was_said_and_what_it_cost(
    gate: Gate, make: Making, kind: str, stream: bool
) -> None:
    result, events = await run(Agent(make(gate, f"{kind}-mock")), "cached", stream)
    script = expected("cached")
    assert result.output == script.text
    if stream:
        deltas = [event.delta for event in events if event.event_kind == "part_delta"]
        assert len([delta for delta in deltas if isinstance(delta, TextPartDelta)]) > 5
    usage = result.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (
        script.usage.input_tokens,
        script.usage.cache_read_tokens,
        script.usage.output_tokens,
    )


@every_kind
@every_model
@both_ways
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_pydantic_ai_runs_its_tools(
    gate: Gate, make: Making, kind: str, stream: bool, count: int
) -> None:
    asked: list[str] = []
    agent = Agent(make(gate, f"{kind}-mock"))

    @agent.tool_plain
    def get_weather(city: str, unit: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return f"sun in {city}"

    result, events = await run(agent, f"tools:{count}" if count else "hello", stream)
    assert sorted(asked) == sorted(CITIES[:count])  # they run side by side
    wanted = [{"city": city, "unit": "celsius"} for city in CITIES[:count]]
    assert [call.args_as_dict() for call in parts_of(result, ToolCallPart)] == wanted
    if stream:
        ended = [event.part for event in events if isinstance(event, PartEndEvent)]
        assert [part.args_as_dict() for part in ended if isinstance(part, ToolCallPart)] == wanted
    said = [f"sun in {city}" for city in CITIES[:count]]
    assert result.output == (told(make, said) if count else expected("hello").text)


@every_kind
@every_model
@both_ways
async def test_pydantic_ai_keeps_thoughts_and_sends_them_back_signed(
    gate: Gate, make: Making, kind: str, stream: bool
) -> None:
    """A provider of Chat Completions counts its thoughts and tells none."""
    mark = uuid4().hex
    agent = Agent(make(gate, f"{kind}-mock"))

    @agent.tool_plain
    def get_weather(city: str, unit: str) -> str:
        return f"sun {mark}"

    result, _ = await run(agent, "think-tools:2", stream)
    assert result.output == told(make, [f"sun {mark}"] * 2)
    thoughts = "".join(part.content for part in parts_of(result, ThinkingPart))
    assert thoughts == (THOUGHTS if kind != "openai" else "")
    sent = next(json.dumps(seen.body) for seen in gate.up.mock.seen if mark in json.dumps(seen.body))
    assert (SIGNATURE in sent) == (kind != "openai")


@every_kind
@every_model
@both_ways
async def test_pydantic_ai_makes_its_own_types_of_answers(
    gate: Gate, make: Making, kind: str, stream: bool
) -> None:
    """By the provider's structured output, and by a tool that takes the answer."""
    model = make(gate, f"{kind}-mock")
    model.profile["supports_json_schema_output"] = True  # known by names of models
    native: Agent[None, Forecast] = Agent(model, output_type=NativeOutput(Forecast))
    result, _ = await run(native, "json", stream)
    assert result.output == Forecast.model_validate(FORECAST)
    forced: Agent[None, Forecast] = Agent(model, output_type=ToolOutput(Forecast, name="forecast"))
    result, _ = await run(forced, f"calls {json.dumps([['forecast', FORECAST]])}", stream)
    assert result.output == Forecast.model_validate(FORECAST)


@every_kind
@every_model
@both_ways
async def test_pydantic_ai_shows_images_and_documents(
    gate: Gate, make: Making, kind: str, stream: bool
) -> None:
    agent = Agent(make(gate, f"{kind}-mock"))
    picture = BinaryContent(bytes.fromhex("89504e470d0a1a0a"), media_type="image/png")
    seen, _ = await run(agent, ["image", picture, picture], stream)
    assert seen.output == "I see 2 images in what you sent."
    document = BinaryContent(b"%PDF-1.7 " + uuid4().bytes, media_type="application/pdf")
    await run(agent, ["hello", document], stream)
    spellings = (
        document.base64,
        document.base64.replace("+", "-").replace("/", "_"),
    )  # Google's is the other
    assert any(each in json.dumps(seen.body) for seen in gate.up.mock.seen for each in spellings)


@every_kind
@every_model
@both_ways
async def test_pydantic_ai_is_told_of_failures(gate: Gate, make: Making, kind: str, stream: bool) -> None:
    for model, status in (
        (make(gate, f"{kind}-plain-fault-400"), 400),
        (make(gate, "no-such-model"), 404),
        (make(gate, f"{kind}-mock", "sk-gh-" + "x" * 43), 401),
    ):
        with pytest.raises(ModelHTTPError) as caught:
            await run(Agent(model), "hello", stream)
        assert caught.value.status_code == status and "request id: " in str(caught.value.body)


@every_kind
@every_model
async def test_pydantic_ai_takes_no_broken_stream_for_an_answer(gate: Gate, make: Making, kind: str) -> None:
    heard, model = "", make(gate, f"{kind}-pydantic-ai-{make.__name__}-fault-cut-interval-10")
    with pytest.raises(AgentRunError):
        async with Agent(model).run_stream_events("long:20") as events:
            async for event in events:
                if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    heard += event.delta.content_delta
    assert "word1" in heard
