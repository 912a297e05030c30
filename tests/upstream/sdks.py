"""The official SDKs pointed at one place, and what they rebuild of an answer in one shape for all."""

import json
import ssl
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

from tests.upstream.script import FORECAST_SCHEMA, TOOL_SCHEMA


@dataclass(frozen=True)
class Place:
    """Where an SDK calls: the wire format it speaks, the base address it is given, and the key."""

    format: str
    base_url: str
    key: str


@dataclass
class Heard:
    """What an SDK rebuilt, in one shape for all three."""

    text: str
    calls: list[tuple[str, dict[str, Any]]]
    finish: str
    usage: tuple[int, int, int, int] | None
    """Input, cache reads, output, reasoning."""


async def hear(place: Place, text: str, stream: bool, model: str = "mock", **how: Any) -> Heard:
    ask = {
        "openai": hear_openai,
        "openai_responses": hear_responses,
        "anthropic": hear_anthropic,
        "gemini": hear_gemini,
    }[place.format]
    return await ask(place, text, stream, model, **how)


#: Made once: reading the certificates takes 20 ms a client.
TLS = ssl.create_default_context()


def openai_client(place: Place, **options: Any) -> openai.AsyncOpenAI:
    http_client = openai.DefaultAsyncHttpxClient(verify=TLS)
    settings = {"base_url": place.base_url, "api_key": place.key, "max_retries": 0, **options}
    return openai.AsyncOpenAI(http_client=http_client, **settings)


def anthropic_client(place: Place) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=place.base_url, api_key=place.key, max_retries=0)


def gemini_client(place: Place) -> genai.Client:
    return genai.Client(api_key=place.key, http_options={"base_url": place.base_url, "api_version": "v1beta"})


async def hear_openai(
    place: Place, text: str, stream: bool, model: str, tools: bool = False, schema: bool = False
) -> Heard:
    more: dict[str, Any] = {}
    if tools:
        function = {"name": "get_weather", "parameters": TOOL_SCHEMA, "strict": True}
        more["tools"] = [{"type": "function", "function": function}]
    if schema:
        wanted = {"name": "forecast", "schema": FORECAST_SCHEMA, "strict": True}
        more["response_format"] = {"type": "json_schema", "json_schema": wanted}
    asked = {"model": model, "messages": [{"role": "user", "content": text}]} | more
    async with openai_client(place) as client:
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


async def hear_responses(
    place: Place, text: str, stream: bool, model: str, tools: bool = False, schema: bool = False
) -> Heard:
    """`finish` is the status, with the reason of an early end after a colon."""
    asked: dict[str, Any] = {"model": model, "input": text}
    if tools:
        function = {"name": "get_weather", "parameters": TOOL_SCHEMA, "strict": True}
        asked["tools"] = [{"type": "function"} | function]
    if schema:
        wanted = {"type": "json_schema", "name": "forecast", "schema": FORECAST_SCHEMA, "strict": True}
        asked["text"] = {"format": wanted}
    async with openai_client(place) as client:
        if stream:
            # What the helper ends with is the last event: it knows no final answer of an incomplete one.
            async with client.responses.stream(**asked) as events:
                told = [event async for event in events]
            answer = told[-1].response
        else:
            answer = await client.responses.create(**asked)
    said = [part for item in answer.output if item.type == "message" for part in item.content]
    calls = [
        (item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"
    ]
    usage = answer.usage
    counted = usage and (
        usage.input_tokens,
        usage.input_tokens_details.cached_tokens,
        usage.output_tokens,
        usage.output_tokens_details.reasoning_tokens,
    )
    words = "".join(part.text if part.type == "output_text" else part.refusal for part in said)
    reason = answer.incomplete_details and answer.incomplete_details.reason
    return Heard(words, calls, f"{answer.status}:{reason}" if reason else answer.status, counted)


async def hear_anthropic(
    place: Place, text: str, stream: bool, model: str, tools: bool = False, schema: bool = False
) -> Heard:
    more: dict[str, Any] = {}
    if tools:
        more["tools"] = [{"name": "get_weather", "input_schema": TOOL_SCHEMA}]
    if schema:
        more["output_config"] = {"format": {"type": "json_schema", "schema": FORECAST_SCHEMA}}
    asked = {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": text}]} | more
    async with anthropic_client(place) as client:
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
    place: Place, text: str, stream: bool, model: str, tools: bool = False, schema: bool = False
) -> Heard:
    config: dict[str, Any] = {}
    if tools:
        declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema=TOOL_SCHEMA)
        config["tools"] = [types.Tool(function_declarations=[declared])]
    if schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": FORECAST_SCHEMA}
    asked = {"model": model, "contents": text, "config": types.GenerateContentConfig(**config)}
    client = gemini_client(place)
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
