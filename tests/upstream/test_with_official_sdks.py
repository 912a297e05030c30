"""The official SDKs against the mock itself: what they accept and rebuild is what it may send."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors as genai_errors
from google.genai import types

from tests.upstream import CREDENTIALS, MockUpstream, script_for
from tests.upstream.script import FORECAST, REFUSAL, SIGNATURE, THOUGHTS, Asked
from tests.upstream.sdks import Place, anthropic_client, gemini_client, hear, openai_client

# google-genai subclasses aiohttp's session, which aiohttp frowns upon.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

PROVIDERS = ("openai", "anthropic", "gemini")
every_provider = pytest.mark.parametrize("provider", PROVIDERS)
every_format = pytest.mark.parametrize("provider", ["openai_responses", *PROVIDERS])
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
async def up() -> AsyncIterator[MockUpstream]:
    async with MockUpstream() as upstream:
        yield upstream


def place(up: MockUpstream, provider: str, key: str = "") -> Place:
    return Place(provider, up.urls[provider], key or CREDENTIALS[provider.removesuffix("_responses")])


def expected(text: str, **fields: Any) -> Any:
    return script_for(Asked(model="mock", last_text=text, **fields))


FINISHES = {
    "stop": {"openai": "stop", "openai_responses": "completed", "anthropic": "end_turn", "gemini": "STOP"},
    "tool_calls": {
        "openai": "tool_calls",
        "openai_responses": "completed",
        "anthropic": "tool_use",
        "gemini": "STOP",
    },
    "length": {
        "openai": "length",
        "openai_responses": "incomplete:max_output_tokens",
        "anthropic": "max_tokens",
        "gemini": "MAX_TOKENS",
    },
    "refusal": {
        "openai": "stop",
        "openai_responses": "completed",
        "anthropic": "refusal",
        "gemini": "SAFETY",
    },
}


@every_format
@both_ways
@pytest.mark.parametrize("text", ["hello", "cached", "think", "long:50", "json", "empty", "length"])
async def test_every_provider_tells_the_same_script(
    up: MockUpstream, provider: str, stream: bool, text: str
) -> None:
    script = expected(text)
    usage = script.usage
    heard = await hear(place(up, provider), text, stream)
    assert heard.text == script.text
    assert heard.usage == (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )
    assert heard.finish == FINISHES[script.finish][provider]


@every_format
@both_ways
@pytest.mark.parametrize("text", ["tool:1", "tools:3", "think-tools:2", "talk-tools:2"])
async def test_every_provider_makes_the_same_calls(
    up: MockUpstream, provider: str, stream: bool, text: str
) -> None:
    script = expected(text, tools=("get_weather",))
    heard = await hear(place(up, provider), text, stream, tools=True)
    assert heard.calls == [(call.name, call.arguments) for call in script.calls]
    assert heard.text == script.text
    assert heard.finish == FINISHES["tool_calls"][provider]
    assert heard.usage[2] == script.usage.output_tokens


@every_format
@both_ways
async def test_a_schema_is_answered_with_json(up: MockUpstream, provider: str, stream: bool) -> None:
    assert json.loads((await hear(place(up, provider), "json", stream, schema=True)).text) == FORECAST


@every_format
@both_ways
async def test_a_refusal_comes_as_each_provider_tells_it(
    up: MockUpstream, provider: str, stream: bool
) -> None:
    heard = await hear(place(up, provider), "refuse", stream)
    assert heard.finish == FINISHES["refusal"][provider]
    assert heard.text == (REFUSAL if provider.startswith("openai") else "")


@both_ways
async def test_a_blocked_prompt_has_no_candidates_at_gemini(up: MockUpstream, stream: bool) -> None:
    assert (await hear(place(up, "gemini"), "blocked", stream)).finish == "PROHIBITED_CONTENT"


@every_format
@both_ways
@pytest.mark.parametrize("manner", ["split", "crlf"])
async def test_bytes_cut_anywhere_and_both_line_ends_are_the_same_stream(
    up: MockUpstream, provider: str, stream: bool, manner: str
) -> None:
    assert (await hear(place(up, provider), "hello", stream, f"mock-{manner}")).text == expected("hello").text


async def test_thoughts_come_sealed_from_responses(up: MockUpstream) -> None:
    async with openai_client(place(up, "openai_responses")) as client:
        answer = await client.responses.create(model="mock", input="think")
    thought = answer.output[0]
    assert (thought.type, thought.summary[0].text, thought.encrypted_content) == (
        "reasoning",
        THOUGHTS,
        SIGNATURE,
    )


async def test_thoughts_and_signatures_come_from_anthropic_and_gemini(up: MockUpstream) -> None:
    async with (
        anthropic_client(place(up, "anthropic")) as client,
        client.messages.stream(
            model="mock", max_tokens=100, messages=[{"role": "user", "content": "think"}]
        ) as events,
    ):
        block = (await events.get_final_message()).content[0]
    assert (block.type, block.thinking, block.signature) == ("thinking", THOUGHTS, SIGNATURE)
    client = gemini_client(place(up, "gemini"))
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
        async with openai_client(place(up, provider, "wrong")) as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
    elif provider == "anthropic":
        async with anthropic_client(place(up, provider, "wrong")) as client:
            with pytest.raises(anthropic.AuthenticationError):
                await client.messages.create(
                    model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
                )
    else:
        client = gemini_client(place(up, provider, "wrong"))
        with pytest.raises(genai_errors.ClientError) as caught:
            await client.aio.models.generate_content(model="m", contents="hi")
        await client.aio.aclose()
        client.close()
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert up.seen[-1].authorised is False


async def test_models_are_listed_in_three_shapes(up: MockUpstream) -> None:
    async with openai_client(place(up, "openai")) as client:
        assert (await client.models.list()).data[0].id == "gpt-mock"
    async with anthropic_client(place(up, "anthropic")) as client:
        assert (await client.models.list()).data[0].id == "claude-mock"
    client = gemini_client(place(up, "gemini"))
    assert (await client.aio.models.list()).page[0].name == "models/gemini-mock"
    await client.aio.aclose()
    client.close()


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def test_openai_turns_are_understood(up: MockUpstream) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    async with openai_client(place(up, "openai")) as client:

        async def say(*turns: Any, **more: Any) -> str:
            answer = await client.chat.completions.create(model="mock", messages=list(turns), **more)
            return answer.choices[0].message.content or ""

        hello = {"role": "user", "content": "hello"}
        called = {"role": "assistant", "tool_calls": [call]}
        results = [{"role": "tool", "tool_call_id": "c1", "content": text} for text in ("sun", "비")]
        assert await say(hello, called, *results) == "The tools said: sun | 비."
        seen = {"role": "user", "content": [{"type": "text", "text": "image"}, picture, picture]}
        assert await say(seen) == "I see 2 images in what you sent."
        told = {"role": "developer", "content": "Be brief."}
        assert await say(told, {"role": "user", "content": "system"}) == "My instructions are: Be brief.."
        assert await say(hello, stop=[","]) == "Hello! 안녕하세요"
        assert await say(hello, max_completion_tokens=1) == "Hello!"


async def test_responses_items_are_understood(up: MockUpstream) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    async with openai_client(place(up, "openai_responses")) as client:

        async def say(given: Any, **more: Any) -> str:
            return (await client.responses.create(model="mock", input=given, **more)).output_text

        hello = {"role": "user", "content": "hello"}
        results = [
            {"type": "function_call_output", "call_id": "c1", "output": text} for text in ("sun", "비")
        ]
        assert await say([hello, call, *results]) == "The tools said: sun | 비."
        seen = {"role": "user", "content": [{"type": "input_text", "text": "image"}, picture, picture]}
        assert await say([seen]) == "I see 2 images in what you sent."
        assert await say("system", instructions="Be brief.") == "My instructions are: Be brief.."
        assert await say("hello", max_output_tokens=1) == "Hello!"


async def test_anthropic_turns_are_understood(up: MockUpstream) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    async with anthropic_client(place(up, "anthropic")) as client:

        async def say(*turns: Any, **more: Any) -> Any:
            asked = {"model": "mock", "max_tokens": 100, "messages": list(turns)} | more
            return await client.messages.create(**asked)

        hello = {"role": "user", "content": "hello"}
        called = {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}],
        }
        results = [
            {"type": "tool_result", "tool_use_id": "t1", "content": "sun"},
            {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "비"}]},
        ]
        answer = await say(hello, called, {"role": "user", "content": results})
        assert answer.content[0].text == "The tools said: sun | 비."
        seen = [{"type": "image", "source": source}] * 2 + [{"type": "text", "text": "image"}]
        answer = await say({"role": "user", "content": seen})
        assert answer.content[0].text == "I see 2 images in what you sent."
        answer = await say({"role": "user", "content": "system"}, system="Be brief.")
        assert answer.content[0].text == "My instructions are: Be brief.."
        answer = await say(hello, stop_sequences=["nothing", ","])
        assert (answer.content[0].text, answer.stop_reason, answer.stop_sequence) == (
            "Hello! 안녕하세요",
            "stop_sequence",
            ",",
        )


async def test_gemini_turns_are_understood(up: MockUpstream) -> None:
    client = gemini_client(place(up, "gemini"))

    async def say(*contents: Any, **config: Any) -> str:
        answer = await client.aio.models.generate_content(
            model="mock", contents=list(contents), config=types.GenerateContentConfig(**config)
        )
        return answer.text or ""

    hello = types.UserContent("hello")
    called = types.ModelContent([types.Part.from_function_call(name="f", args={})])
    results = [
        types.Part.from_function_response(name="f", response={"output": "sun"}),
        types.Part.from_function_response(name="f", response={"result": "비"}),
    ]
    picture = types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png")
    try:
        assert await say(hello, called, types.UserContent(results)) == "The tools said: sun | 비."
        assert await say(types.UserContent(["image", picture, picture])) == "I see 2 images in what you sent."
        assert await say(types.UserContent("system"), system_instruction="Be brief.") == (
            "My instructions are: Be brief.."
        )
        assert await say(hello, stop_sequences=[","]) == "Hello! 안녕하세요"
        assert await say(hello, max_output_tokens=1) == "Hello!"
    finally:
        await client.aio.aclose()
        client.close()
