"""LangChain's chat models before every kind of provider: what its users do with them, whole and streamed."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import anthropic
import openai
import pytest
from google.genai import errors as google_errors
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import ModelAuthenticationError, ModelInvalidRequestError, ModelNotFoundError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from tests.clients.gateway import KINDS, Gate, expected
from tests.clients.test_matrix import PIXEL
from tests.upstream.script import CITIES, FORECAST, SIGNATURE, THOUGHTS, TOOL_SCHEMA

#: One loop for all: the models keep their HTTP clients, which belong to one.
pytestmark = [pytest.mark.clients, pytest.mark.asyncio(loop_scope="module")]
every_kind = pytest.mark.parametrize("kind", KINDS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
WEATHER = {"title": "get_weather", "description": "The weather in a city.", **TOOL_SCHEMA}

Making = Callable[..., Any]


class Forecast(BaseModel):
    """A forecast."""

    city: str
    temperature: float
    rainy: bool
    days: list[str]
    note: str


def by_chat(gate: Gate, model: str, key: str = "") -> Any:
    return ChatOpenAI(
        model=model,
        base_url=f"{gate.server.url}/v1",
        api_key=key or gate.key,
        max_retries=0,
        stream_usage=True,
        reasoning_effort="high",
    )


def by_responses(gate: Gate, model: str, key: str = "") -> Any:
    return ChatOpenAI(
        model=model,
        base_url=f"{gate.server.url}/v1",
        api_key=key or gate.key,
        max_retries=0,
        use_responses_api=True,
        reasoning={"effort": "high", "summary": "auto"},
        include=["reasoning.encrypted_content"],
        store=False,
    )


def by_messages(gate: Gate, model: str, key: str = "") -> Any:
    return ChatAnthropic(
        model=model,
        anthropic_api_url=gate.server.url,
        anthropic_api_key=key or gate.key,
        max_retries=0,
        max_tokens=1000,
        thinking={"type": "adaptive", "display": "summarized"},
    )


def by_generate(gate: Gate, model: str, key: str = "") -> Any:
    return ChatGoogleGenerativeAI(
        model=model,
        base_url=gate.server.url,
        google_api_key=key or gate.key,
        max_retries=1,
        include_thoughts=True,
    )


every_model = pytest.mark.parametrize(
    "make", [by_chat, by_responses, by_messages, by_generate], ids=lambda make: make.__name__
)


async def ask(model: Any, turns: list[Any], stream: bool) -> tuple[AIMessage, list[AIMessageChunk]]:
    """The answer, added up by LangChain where it came as chunks, and these."""
    if not stream:
        return await model.ainvoke(turns), []
    chunks = [chunk async for chunk in model.astream(turns)]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole, chunks


@every_kind
@every_model
@both_ways
async def test_langchain_hears_what_was_said_and_what_it_cost(
    gate: Gate, make: Making, kind: str, stream: bool
) -> None:
    answer, chunks = await ask(make(gate, f"{kind}-mock"), [HumanMessage("cached")], stream)
    script = expected("cached")
    assert answer.text == script.text
    assert not stream or len([chunk for chunk in chunks if chunk.text]) > 5
    usage = answer.usage_metadata
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"]) == (
        script.usage.input_tokens,
        script.usage.output_tokens,
    )
    assert usage["input_token_details"]["cache_read"] == script.usage.cache_read_tokens


@every_kind
@every_model
@both_ways
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_langchain_calls_tools_and_answers_them(
    gate: Gate, make: Making, kind: str, stream: bool, count: int
) -> None:
    model = make(gate, f"{kind}-mock").bind_tools([WEATHER])
    turns: list[Any] = [HumanMessage(f"tools:{count}" if count else "hello")]
    first, chunks = await ask(model, turns, stream)
    wanted = [{"city": city, "unit": "celsius"} for city in CITIES[:count]]
    assert [call["args"] for call in first.tool_calls] == wanted
    if stream:
        told: dict[Any, str] = {}
        for piece in (piece for chunk in chunks for piece in chunk.tool_call_chunks):
            place = piece["id"] if piece["index"] is None else piece["index"]
            told[place] = told.get(place, "") + piece["args"]
        assert [json.loads(arguments) for arguments in told.values()] == wanted
    if count:
        results = [
            ToolMessage(f"sun in {call['args']['city']}", tool_call_id=call["id"], name=call["name"])
            for call in first.tool_calls
        ]
        last, _ = await ask(model, [*turns, first, *results], stream)
        said = " | ".join(f"sun in {city}" for city in CITIES[:count])
        assert last.text == f"The tools said: {said}."


@every_kind
@every_model
@both_ways
async def test_langchain_keeps_thoughts_and_sends_them_back_signed(
    gate: Gate, make: Making, kind: str, stream: bool
) -> None:
    """LangChain's Chat Completions has no place for thoughts, and a provider of that format tells none."""
    mark = uuid4().hex
    model = make(gate, f"{kind}-mock").bind_tools([WEATHER])
    question = HumanMessage("think-tools:2")
    first, _ = await ask(model, [question], stream)
    thoughts = "".join(
        block.get("reasoning", "") for block in first.content_blocks if block["type"] == "reasoning"
    )
    assert thoughts == (THOUGHTS if kind != "openai" and make is not by_chat else "")
    results = [
        ToolMessage(f"sun {mark}", tool_call_id=call["id"], name=call["name"]) for call in first.tool_calls
    ]
    last, _ = await ask(model, [question, first, *results], stream)
    assert last.text == f"The tools said: sun {mark} | sun {mark}."
    sent = next(json.dumps(seen.body) for seen in gate.up.mock.seen if mark in json.dumps(seen.body))
    assert (SIGNATURE in sent) == (kind != "openai")


@pytest.mark.filterwarnings(
    "ignore:Pydantic serializer warnings:UserWarning"
)  # what it parsed, it dumps again
@every_kind
@every_model
async def test_langchain_reads_a_schema_and_shows_an_image(gate: Gate, make: Making, kind: str) -> None:
    model = make(gate, f"{kind}-mock")
    structured = model.with_structured_output(Forecast, method="json_schema")
    assert await structured.ainvoke("json") == Forecast.model_validate(FORECAST)
    streamed = [answer async for answer in structured.astream("json")]
    assert streamed[-1] == Forecast.model_validate(FORECAST)
    picture = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    question = HumanMessage([{"type": "text", "text": "image"}, picture, picture])
    for stream in (False, True):
        seen, _ = await ask(model, [question], stream)
        assert seen.text == "I see 2 images in what you sent."


@pytest.mark.filterwarnings("ignore:You are attempting to use structured output via forced:UserWarning")
@every_kind
@every_model
async def test_langchain_reads_a_schema_by_a_tool(gate: Gate, make: Making, kind: str) -> None:
    """ChatOpenAI asks for one call at a time, which Gemini has no switch for: the gateway keeps to it."""
    structured = make(gate, f"{kind}-mock").with_structured_output(Forecast, method="function_calling")
    prompt = f"calls {json.dumps([['Forecast', FORECAST]])}"
    assert await structured.ainvoke(prompt) == Forecast.model_validate(FORECAST)


def status_of(error: Any) -> int:
    """As the SDK beneath has it, whose error this is or comes from."""
    if isinstance(error, openai.APIStatusError | anthropic.APIStatusError):
        return error.status_code
    google = error.__cause__
    assert isinstance(google, google_errors.APIError)
    return google.code


@every_kind
@every_model
@both_ways
async def test_langchain_is_told_of_failures_by_class_and_status(
    gate: Gate, make: Making, kind: str, stream: bool
) -> None:
    for model, error, status in (
        (make(gate, f"{kind}-plain-fault-400"), ModelInvalidRequestError, 400),
        (make(gate, "no-such-model"), ModelNotFoundError, 404),
        (make(gate, f"{kind}-mock", "sk-gh-" + "x" * 43), ModelAuthenticationError, 401),
    ):
        with pytest.raises(error, match="request id: ") as caught:
            await ask(model, [HumanMessage("hello")], stream)
        assert status_of(caught.value) == status


@every_kind
@every_model
async def test_langchain_takes_no_broken_stream_for_an_answer(gate: Gate, make: Making, kind: str) -> None:
    """Its own class for Responses is ValueError."""
    heard, model = "", make(gate, f"{kind}-langchain-{make.__name__}-fault-cut-interval-10")
    errors = (openai.APIError, anthropic.APIError, google_errors.APIError, ValueError)
    with pytest.raises(errors, match="before it was complete"):
        async for chunk in model.astream("long:20"):
            heard += chunk.text
    assert heard.startswith("word0")
