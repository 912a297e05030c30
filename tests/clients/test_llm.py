"""The `llm` command's own models, Chat and Responses, through Gatehouse before every kind of provider."""

import json
from typing import Any
from uuid import uuid4

import llm
import openai
import pytest
from llm.default_plugins.openai_models import Chat, Responses
from llm.parts import ReasoningPart

from tests.clients.gateway import KINDS, Gate, expected
from tests.upstream.script import CITIES, FORECAST, FORECAST_SCHEMA, SIGNATURE, THOUGHTS

pytestmark = [
    pytest.mark.clients,
    pytest.mark.parametrize("kind", KINDS),
    pytest.mark.parametrize("making", [Chat, Responses], ids=["chat", "responses"]),
]
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


def model_of(gate: Gate, making: Any, kind: str, word: str = "mock", key: str = "") -> Any:
    return making(
        f"gatehouse-{kind}",
        key=key or gate.key,
        model_name=f"{kind}-{word}",
        api_base=f"{gate.server.url}/v1",
        vision=True,
        reasoning=True,
        supports_tools=True,
        supports_schema=True,
    )


def get_weather(city: str, unit: str) -> str:
    """The weather in a city."""
    return f"sun in {city}"


WEATHER = [llm.Tool.function(get_weather)]


@both_ways
def test_llm_hears_what_was_said_and_what_it_cost(gate: Gate, making: Any, kind: str, stream: bool) -> None:
    answer = model_of(gate, making, kind).prompt("cached", stream=stream)
    script = expected("cached")
    assert "".join(answer) == script.text
    usage = answer.usage()
    assert (usage.input, usage.output) == (script.usage.input_tokens, script.usage.output_tokens)
    details = usage.details.get("prompt_tokens_details") or usage.details["input_tokens_details"]
    assert details["cached_tokens"] == script.usage.cache_read_tokens


@both_ways
@pytest.mark.parametrize("count", [0, 1, 3])
def test_llm_calls_tools_and_hands_back_their_results(
    gate: Gate, making: Any, kind: str, stream: bool, count: int
) -> None:
    prompt = f"tools:{count}" if count else "hello"
    chain = model_of(gate, making, kind).chain(prompt, tools=WEATHER, stream=stream)
    events = list(chain.stream_events())
    assert "".join(event.chunk for event in events if event.type == "tool_call_name") == "get_weather" * count
    first, *rest = chain._responses
    asked = [(call.name, call.arguments) for call in first.tool_calls()]
    assert asked == [("get_weather", {"city": city, "unit": "celsius"}) for city in CITIES[:count]]
    for call in first.tool_calls():
        told = "".join(
            event.chunk
            for event in events
            if event.type == "tool_call_args" and event.tool_call_id == call.tool_call_id
        )
        assert json.loads(told) == call.arguments
    results = " | ".join(f"sun in {city}" for city in CITIES[:count])
    assert [answer.text() for answer in rest] == ([f"The tools said: {results}."] if count else [])


@both_ways
def test_llm_is_shown_thoughts_where_its_api_has_a_place_for_them(
    gate: Gate, making: Any, kind: str, stream: bool
) -> None:
    answer = model_of(gate, making, kind).prompt("think", reasoning_effort="high", stream=stream)
    script = expected("think")
    assert answer.text() == script.text
    thoughts = [part for turn in answer.messages() for part in turn.parts if isinstance(part, ReasoningPart)]
    details = answer.usage().details
    counted = details.get("completion_tokens_details") or details["output_tokens_details"]
    assert counted["reasoning_tokens"] == script.usage.reasoning_tokens
    if making is Responses and kind != "openai":  # which tells a number of tokens and no words
        assert "".join(thought.text for thought in thoughts) == THOUGHTS
    else:
        assert not any(thought.text for thought in thoughts)


@both_ways
def test_llm_sends_sealed_thoughts_back_with_the_results(
    gate: Gate, making: Any, kind: str, stream: bool
) -> None:
    mark = uuid4().hex

    def get_weather(city: str, unit: str) -> str:
        return f"sun {mark}"

    model = model_of(gate, making, kind)
    tools = [llm.Tool.function(get_weather)]
    options = {"reasoning_effort": "high"}
    chain = model.chain("think-tools:2", tools=tools, options=options, stream=stream)
    assert chain.text() == f"The tools said: sun {mark} | sun {mark}."
    sent = next(json.dumps(seen.body) for seen in gate.up.mock.seen if mark in json.dumps(seen.body))
    assert (SIGNATURE in sent) == (kind != "openai")


@both_ways
def test_llm_gets_json_of_its_schema(gate: Gate, making: Any, kind: str, stream: bool) -> None:
    answer = model_of(gate, making, kind).prompt("json", schema=FORECAST_SCHEMA, stream=stream)
    assert json.loads(answer.text()) == FORECAST


@both_ways
def test_llm_shows_images_and_documents(gate: Gate, making: Any, kind: str, stream: bool) -> None:
    model, image = model_of(gate, making, kind), bytes.fromhex("89504e470d0a1a0a")
    pictures = [llm.Attachment(type="image/png", content=image + bytes([at])) for at in range(2)]
    seen = model.prompt("image", attachments=pictures, stream=stream)
    assert seen.text() == "I see 2 images in what you sent."
    document = llm.Attachment(type="application/pdf", content=b"%PDF-1.7 " + uuid4().bytes)
    assert model.prompt("hello", attachments=[document], stream=stream).text() == expected("hello").text
    assert any(document.base64_content() in json.dumps(seen.body) for seen in gate.up.mock.seen)


@both_ways
def test_llm_is_told_of_failures_by_the_sdks_own_classes(
    gate: Gate, making: Any, kind: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError, match="request id: ") as caught:
        model_of(gate, making, kind, "plain-fault-400").prompt("hello", stream=stream).text()
    assert caught.value.status_code == 400
    with pytest.raises(openai.NotFoundError, match="no-such-model"):
        model_of(gate, making, "no-such", "model").prompt("hello", stream=stream).text()
    with pytest.raises(openai.AuthenticationError):
        model_of(gate, making, kind, key="sk-gh-" + "x" * 43).prompt("hello", stream=stream).text()


def test_llm_takes_no_broken_stream_for_an_answer(gate: Gate, making: Any, kind: str) -> None:
    model, heard = model_of(gate, making, kind, f"llm-{making.__name__}-fault-cut-interval-10"), ""
    with pytest.raises(openai.APIError, match="before it was complete"):
        for word in model.prompt("long:20"):
            heard += word
    assert heard.startswith("word0") and "word19" not in heard
