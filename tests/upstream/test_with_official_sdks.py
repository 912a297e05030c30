"""The official SDKs against the mock itself: what they accept and rebuild is what it may send."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from tests.upstream import CREDENTIALS, FORECAST_SCHEMA, TOOL_SCHEMA, MockUpstream, script_for
from tests.upstream.script import FORECAST, REFUSAL, SIGNATURE, THOUGHTS, Asked

# google-genai subclasses aiohttp's session, which aiohttp frowns upon.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

PROVIDERS = ("openai", "anthropic", "gemini")
every_provider = pytest.mark.parametrize("provider", PROVIDERS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@dataclass
class Heard:
    """What an SDK rebuilt, in one shape for all three."""

    text: str
    calls: list[tuple[str, dict[str, Any]]]
    finish: str
    usage: tuple[int, int, int, int] | None
    """Input, cache reads, output, reasoning."""


@pytest.fixture
async def up() -> AsyncIterator[MockUpstream]:
    async with MockUpstream() as upstream:
        yield upstream


async def hear(
    up: MockUpstream, provider: str, text: str, stream: bool, model: str = "mock", **how: Any
) -> Heard:
    ask = {"openai": hear_openai, "anthropic": hear_anthropic, "gemini": hear_gemini}[provider]
    return await ask(up, text, stream, model, **how)


def openai_client(up: MockUpstream, key: str = CREDENTIALS["openai"]) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=up.urls["openai"], api_key=key, max_retries=0)


def anthropic_client(up: MockUpstream, key: str = CREDENTIALS["anthropic"]) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=up.urls["anthropic"], api_key=key, max_retries=0)


def gemini_client(up: MockUpstream, key: str = CREDENTIALS["gemini"]) -> genai.Client:
    return genai.Client(api_key=key, http_options={"base_url": up.urls["gemini"], "api_version": "v1beta"})


async def hear_openai(
    up: MockUpstream, text: str, stream: bool, model: str, tools: bool = False, schema: bool = False
) -> Heard:
    more: dict[str, Any] = {}
    if tools:
        function = {"name": "get_weather", "parameters": TOOL_SCHEMA, "strict": True}
        more["tools"] = [{"type": "function", "function": function}]
    if schema:
        wanted = {"name": "forecast", "schema": FORECAST_SCHEMA, "strict": True}
        more["response_format"] = {"type": "json_schema", "json_schema": wanted}
    asked = {"model": model, "messages": [{"role": "user", "content": text}]} | more
    async with openai_client(up) as client:
        if stream:
            # The helper raises on an answer that ran out of tokens; what it rebuilt is in the error.
            try:
                async with client.chat.completions.stream(
                    **asked, stream_options={"include_usage": True}
                ) as events:
                    answer = await events.get_final_completion()
            except openai.LengthFinishReasonError as error:
                answer = error.completion
        else:
            answer = await client.chat.completions.create(**asked)
    [choice] = answer.choices
    calls = [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls or ()]
    usage = answer.usage
    counted = usage and (
        usage.prompt_tokens,
        usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens,
        usage.completion_tokens_details.reasoning_tokens,
    )
    return Heard(choice.message.content or choice.message.refusal or "", calls, choice.finish_reason, counted)


async def hear_anthropic(
    up: MockUpstream, text: str, stream: bool, model: str, tools: bool = False, schema: bool = False
) -> Heard:
    more: dict[str, Any] = {}
    if tools:
        more["tools"] = [{"name": "get_weather", "input_schema": TOOL_SCHEMA}]
    if schema:
        more["output_config"] = {"format": {"type": "json_schema", "schema": FORECAST_SCHEMA}}
    asked = {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": text}]} | more
    async with anthropic_client(up) as client:
        if stream:
            async with client.messages.stream(**asked) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(**asked)
    usage = answer.usage
    counted = (
        usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
        usage.output_tokens,
        usage.output_tokens_details.thinking_tokens,
    )
    said = "".join(block.text for block in answer.content if block.type == "text")
    calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
    return Heard(said, calls, answer.stop_reason, counted)


async def hear_gemini(
    up: MockUpstream, text: str, stream: bool, model: str, tools: bool = False, schema: bool = False
) -> Heard:
    config: dict[str, Any] = {}
    if tools:
        declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema=TOOL_SCHEMA)
        config["tools"] = [types.Tool(function_declarations=[declared])]
    if schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": FORECAST_SCHEMA}
    asked = {"model": model, "contents": text, "config": types.GenerateContentConfig(**config)}
    client = gemini_client(up)
    try:
        if stream:
            answers = [chunk async for chunk in await client.aio.models.generate_content_stream(**asked)]
        else:
            answers = [await client.aio.models.generate_content(**asked)]
    finally:
        await client.aio.aclose()
        client.close()
    contents = [answer.candidates[0].content for answer in answers if answer.candidates]
    parts = [part for content in contents if content for part in content.parts or ()]
    usage = answers[-1].usage_metadata
    thoughts = usage.thoughts_token_count or 0
    counted = (
        usage.prompt_token_count,
        usage.cached_content_token_count,
        usage.candidates_token_count + thoughts,
        thoughts,
    )
    said = "".join(part.text for part in parts if part.text and not part.thought)
    calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
    last = answers[-1].candidates
    finish = last[0].finish_reason.value if last else answers[-1].prompt_feedback.block_reason.value
    return Heard(said, calls, finish, counted)


def expected(text: str, **fields: Any) -> Any:
    return script_for(Asked(model="mock", last_text=text, **fields))


FINISHES = {
    "stop": {"openai": "stop", "anthropic": "end_turn", "gemini": "STOP"},
    "tool_calls": {"openai": "tool_calls", "anthropic": "tool_use", "gemini": "STOP"},
    "length": {"openai": "length", "anthropic": "max_tokens", "gemini": "MAX_TOKENS"},
    "refusal": {"openai": "stop", "anthropic": "refusal", "gemini": "SAFETY"},
}


@every_provider
@both_ways
@pytest.mark.parametrize("text", ["hello", "cached", "think", "long:50", "json", "empty", "length"])
async def test_every_provider_tells_the_same_script(
    up: MockUpstream, provider: str, stream: bool, text: str
) -> None:
    script = expected(text)
    usage = script.usage
    heard = await hear(up, provider, text, stream)
    assert heard.text == script.text
    assert heard.usage == (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )
    assert heard.finish == FINISHES[script.finish][provider]


@every_provider
@both_ways
@pytest.mark.parametrize("text", ["tool:1", "tools:3", "think-tools:2", "talk-tools:2"])
async def test_every_provider_makes_the_same_calls(
    up: MockUpstream, provider: str, stream: bool, text: str
) -> None:
    script = expected(text, tools=("get_weather",))
    heard = await hear(up, provider, text, stream, tools=True)
    assert heard.calls == [(call.name, call.arguments) for call in script.calls]
    assert heard.text == script.text
    assert heard.finish == FINISHES["tool_calls"][provider]
    assert heard.usage[2] == script.usage.output_tokens


@every_provider
@both_ways
async def test_a_schema_is_answered_with_json(up: MockUpstream, provider: str, stream: bool) -> None:
    assert json.loads((await hear(up, provider, "json", stream, schema=True)).text) == FORECAST


@every_provider
@both_ways
async def test_a_refusal_comes_as_each_provider_tells_it(
    up: MockUpstream, provider: str, stream: bool
) -> None:
    heard = await hear(up, provider, "refuse", stream)
    assert heard.finish == FINISHES["refusal"][provider]
    assert heard.text == (REFUSAL if provider == "openai" else "")


@both_ways
async def test_a_blocked_prompt_has_no_candidates_at_gemini(up: MockUpstream, stream: bool) -> None:
    assert (await hear(up, "gemini", "blocked", stream)).finish == "PROHIBITED_CONTENT"


@every_provider
@both_ways
@pytest.mark.parametrize("manner", ["split", "crlf"])
async def test_bytes_cut_anywhere_and_both_line_ends_are_the_same_stream(
    up: MockUpstream, provider: str, stream: bool, manner: str
) -> None:
    assert (await hear(up, provider, "hello", stream, f"mock-{manner}")).text == expected("hello").text


async def test_thoughts_and_signatures_come_from_anthropic_and_gemini(up: MockUpstream) -> None:
    async with (
        anthropic_client(up) as client,
        client.messages.stream(
            model="mock", max_tokens=100, messages=[{"role": "user", "content": "think"}]
        ) as events,
    ):
        block = (await events.get_final_message()).content[0]
    assert (block.type, block.thinking, block.signature) == ("thinking", THOUGHTS, SIGNATURE)
    client = gemini_client(up)
    answer = await client.aio.models.generate_content(model="mock", contents="think")
    await client.aio.aclose()
    client.close()
    thought, said = answer.candidates[0].content.parts
    assert (thought.thought, thought.text) == (True, THOUGHTS)
    assert said.thought_signature


@every_provider
async def test_a_wrong_credential_is_refused_in_the_providers_own_way(
    up: MockUpstream, provider: str
) -> None:
    if provider == "openai":
        async with openai_client(up, "wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
    elif provider == "anthropic":
        async with anthropic_client(up, "wrong") as client:
            with pytest.raises(anthropic.AuthenticationError):
                await client.messages.create(
                    model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
                )
    else:
        client = gemini_client(up, "wrong")
        with pytest.raises(genai_errors.ClientError) as caught:
            await client.aio.models.generate_content(model="m", contents="hi")
        await client.aio.aclose()
        client.close()
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert up.seen[-1].authorised is False


async def test_models_are_listed_in_three_shapes(up: MockUpstream) -> None:
    async with openai_client(up) as client:
        assert (await client.models.list()).data[0].id == "gpt-mock"
    async with anthropic_client(up) as client:
        assert (await client.models.list()).data[0].id == "claude-mock"
    client = gemini_client(up)
    assert (await client.aio.models.list()).page[0].name == "models/gemini-mock"
    await client.aio.aclose()
    client.close()
