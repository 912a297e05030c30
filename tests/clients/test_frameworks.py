"""The frameworks most applications call models through: LangChain and pydantic-ai, before every kind of
provider. Each does what its users do with it: a chat, a stream, tools, a schema, an image, a failure."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.gateway import KINDS, Gate, expected
from tests.clients.test_matrix import PIXEL
from tests.upstream.script import CITIES, FORECAST, HELLO, TOOL_SCHEMA

#: One loop for all: the frameworks keep their HTTP clients, which belong to one.
pytestmark = [pytest.mark.clients, pytest.mark.asyncio(loop_scope="module")]
every_kind = pytest.mark.parametrize("kind", KINDS)


class Forecast(BaseModel):
    """A forecast."""

    city: str
    temperature: float
    rainy: bool
    days: list[str]
    note: str


# ---------------------------------------------------------------- LangChain


def by_chat(gate: Gate, model: str) -> Any:
    return ChatOpenAI(
        model=model, base_url=f"{gate.server.url}/v1", api_key=gate.key, max_retries=0, stream_usage=True
    )


def by_responses(gate: Gate, model: str) -> Any:
    return ChatOpenAI(
        model=model,
        base_url=f"{gate.server.url}/v1",
        api_key=gate.key,
        max_retries=0,
        use_responses_api=True,
    )


def by_messages(gate: Gate, model: str) -> Any:
    return ChatAnthropic(
        model=model,
        anthropic_api_url=gate.server.url,
        anthropic_api_key=gate.key,
        max_retries=0,
        max_tokens=1000,
    )


def by_generate(gate: Gate, model: str) -> Any:
    return ChatGoogleGenerativeAI(
        model=model, base_url=gate.server.url, google_api_key=gate.key, max_retries=1
    )


Making = Callable[[Gate, str], Any]
LANGCHAIN: list[Making] = [by_chat, by_responses, by_messages, by_generate]
every_langchain = pytest.mark.parametrize("make", LANGCHAIN, ids=lambda make: make.__name__)


@every_kind
@every_langchain
async def test_langchain_hears_and_streams(gate: Gate, make: Making, kind: str) -> None:
    model = make(gate, f"{kind}-mock")
    plain = await model.ainvoke("hello")
    assert plain.text == HELLO
    assert plain.usage_metadata["output_tokens"] == expected("hello").usage.output_tokens
    whole: Any = None
    async for chunk in model.astream("hello"):
        whole = chunk if whole is None else whole + chunk
    assert whole.text == HELLO
    assert whole.usage_metadata["input_tokens"] == plain.usage_metadata["input_tokens"]


@every_kind
@every_langchain
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_langchain_calls_tools_and_answers_them(
    gate: Gate, make: Making, kind: str, count: int
) -> None:
    tool = {"title": "get_weather", "description": "The weather in a city.", **TOOL_SCHEMA}
    model = make(gate, f"{kind}-mock").bind_tools([tool])
    turns: list[Any] = [HumanMessage(f"tools:{count}" if count else "hello")]
    first = await model.ainvoke(turns)
    assert [call["args"]["city"] for call in first.tool_calls] == list(CITIES[:count])
    if count:
        results = [
            ToolMessage("sun", tool_call_id=call["id"], name=call["name"]) for call in first.tool_calls
        ]
        last = await model.ainvoke([*turns, first, *results])
        assert last.text == f"The tools said: {' | '.join(['sun'] * count)}."


@every_kind
@every_langchain
async def test_langchain_reads_a_schema_and_shows_an_image(gate: Gate, make: Making, kind: str) -> None:
    model = make(gate, f"{kind}-mock")
    parsed = await model.with_structured_output(Forecast, method="json_schema").ainvoke("json")
    assert parsed == Forecast.model_validate(FORECAST)
    picture = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    seen = await model.ainvoke([HumanMessage([{"type": "text", "text": "image"}, picture])])
    assert seen.text == "I see 1 images in what you sent."


@every_kind
@every_langchain
async def test_langchain_is_told_of_a_failure(gate: Gate, make: Making, kind: str) -> None:
    with pytest.raises(Exception, match=r"400|Invalid|invalid") as caught:
        await make(gate, f"{kind}-plain-fault-400").ainvoke("hello")
    assert type(caught.value).__module__.startswith(("openai", "anthropic", "langchain_"))


# ---------------------------------------------------------------- pydantic-ai


def chat_model(gate: Gate, name: str) -> Model[Any]:
    return OpenAIChatModel(name, provider=OpenAIProvider(f"{gate.server.url}/v1", gate.key))


def responses_model(gate: Gate, name: str) -> Model[Any]:
    return OpenAIResponsesModel(name, provider=OpenAIProvider(f"{gate.server.url}/v1", gate.key))


def messages_model(gate: Gate, name: str) -> Model[Any]:
    return AnthropicModel(name, provider=AnthropicProvider(api_key=gate.key, base_url=gate.server.url))


def generate_model(gate: Gate, name: str) -> Model[Any]:
    return GoogleModel(name, provider=GoogleProvider(api_key=gate.key, base_url=gate.server.url))


PYDANTIC_AI: list[Callable[[Gate, str], Model[Any]]] = [
    chat_model,
    responses_model,
    messages_model,
    generate_model,
]
every_model = pytest.mark.parametrize("make", PYDANTIC_AI, ids=lambda make: make.__name__)


@every_kind
@every_model
async def test_pydantic_ai_hears_and_streams(
    gate: Gate, make: Callable[[Gate, str], Model[Any]], kind: str
) -> None:
    agent = Agent(make(gate, f"{kind}-mock"))
    plain = await agent.run("hello")
    assert plain.output == HELLO
    assert plain.usage.output_tokens == expected("hello").usage.output_tokens
    async with agent.run_stream("hello") as stream:
        assert await stream.get_output() == HELLO


@every_kind
@every_model
async def test_pydantic_ai_runs_its_tools(
    gate: Gate, make: Callable[[Gate, str], Model[Any]], kind: str
) -> None:
    asked: list[str] = []
    agent = Agent(make(gate, f"{kind}-mock"))

    @agent.tool_plain
    def get_weather(city: str, unit: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sun"

    done = await agent.run("think-tools:3")
    assert sorted(asked) == sorted(CITIES[:3])  # they run side by side
    assert done.output.startswith("The tools said: ") and done.output.count("sun") == 3


@every_kind
@every_model
async def test_pydantic_ai_shows_an_image_and_is_told_of_a_failure(
    gate: Gate, make: Callable[[Gate, str], Model[Any]], kind: str
) -> None:
    picture = BinaryContent(bytes.fromhex("89504e470d0a1a0a"), media_type="image/png")
    seen = await Agent(make(gate, f"{kind}-mock")).run(["image", picture])
    assert seen.output == "I see 1 images in what you sent."
    with pytest.raises(ModelHTTPError) as caught:
        await Agent(make(gate, f"{kind}-plain-fault-400")).run("hello")
    assert caught.value.status_code == 400
