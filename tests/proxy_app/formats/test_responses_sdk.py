"""The official SDK reads what we send to callers of Responses: its accumulator rebuilds the source, its
types accept all of it, and what it read may be sent back."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from gateway_project.errors import CallStopped, RateLimited
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.wire import NOWHERE, CallFacts, Finish, Target
from tests.proxy_app.formats.test_answers import ANSWERS
from tests.proxy_app.formats.wire_bytes import STREAMS, open_pipe, read, run

QUESTION: Any = {"model": "m", "input": "Hi"}
OPTIONS = RenderOptions("public-model", "ours", 1_790_000_001, request=QUESTION)
CUT_SHORT = {name for name, told in STREAMS.items() if told.finish in (Finish.LENGTH, Finish.CONTENT_FILTER)}
LEFT_OUT = {"openai_responses/unusual"}  # relayed as it is: an item that no event announced


@pytest.fixture
def client() -> Iterator[Any]:
    clients: list[openai.OpenAI] = []

    def reading(content: bytes, status: int = 200) -> openai.OpenAI:
        def answer(_request: httpx2.Request) -> httpx2.Response:
            is_stream = content.startswith((b"event:", b":"))
            kind = "text/event-stream" if is_stream else "application/json"
            return httpx2.Response(status, headers={"content-type": kind}, content=content)

        http = httpx2.Client(transport=httpx2.MockTransport(answer))
        made = openai.OpenAI(base_url="http://g.test/v1", api_key="k", http_client=http, max_retries=0)
        clients.append(made)
        return made

    yield reading
    for made in clients:
        made.close()


def streamed(name: str) -> bytes:
    return run(open_pipe(name, inbound="openai_responses"), read(name))


def words(response: Response) -> tuple[str, str, str, list[tuple[str, str, Any]]]:
    """(text, refusal, thoughts, calls) of an answer."""
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    text = "".join(part.text for part in parts if part.type == "output_text")
    refusal = "".join(part.refusal for part in parts if part.type == "refusal")
    thoughts = "".join(s.text for item in response.output if item.type == "reasoning" for s in item.summary)
    calls = [
        (item.call_id, item.name, json.loads(item.arguments))
        for item in response.output
        if item.type == "function_call"
    ]
    return text, refusal, thoughts, calls


@pytest.mark.parametrize("name", sorted(STREAMS.keys() - CUT_SHORT - LEFT_OUT))
def test_the_sdk_rebuilds_what_the_provider_said(name: str, client: Any) -> None:
    with client(streamed(name)).responses.stream(**QUESTION) as stream:
        response = stream.get_final_response()
    told = STREAMS[name]
    assert words(response) == (told.text, told.refusal, told.thoughts, told.calls)
    assert (response.status, response.object) == ("completed", "response")
    if response.usage is not None:
        assert (response.usage.input_tokens, response.usage.output_tokens) == (1200, 48)
        assert response.usage.input_tokens_details.cached_tokens == 1024
        assert response.usage.output_tokens_details.reasoning_tokens == 32


@pytest.mark.parametrize("name", sorted(CUT_SHORT))
def test_the_sdk_is_told_of_an_answer_cut_short(name: str, client: Any) -> None:
    events = list(client(streamed(name)).responses.create(**QUESTION, stream=True))
    assert events[-1].type == "response.incomplete"
    response, told = events[-1].response, STREAMS[name]
    assert words(response)[:2] == (told.text, told.refusal)
    wanted = "max_output_tokens" if told.finish is Finish.LENGTH else "content_filter"
    assert response.incomplete_details.reason == wanted


@pytest.mark.parametrize("wire", ANSWERS)
def test_the_sdk_reads_a_whole_answer(wire: str, client: Any) -> None:
    raw = json.dumps(ANSWERS[wire][0]).encode()
    sent, _ = exchange.convert_answer("openai_responses", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)
    if wire != "openai_responses":
        Response.model_validate_json(sent)
    response = client(sent).responses.create(**QUESTION)
    assert response.output_text == "Let me look."
    assert words(response)[3] == [("c1", "weather", {"city": "Seoul"})]
    assert response.usage.total_tokens == 1248


def test_a_structured_answer_is_parsed(client: Any) -> None:
    class Forecast(BaseModel):
        city: str

    body = {**ANSWERS["anthropic"][0], "content": [{"type": "text", "text": '{"city": "Seoul"}'}]}
    raw = json.dumps(body | {"stop_reason": "end_turn"}).encode()
    sent, _ = exchange.convert_answer(
        "openai_responses", Target("anthropic", "m"), raw, CallFacts("m"), OPTIONS
    )
    assert client(sent).responses.parse(**QUESTION, text_format=Forecast).output_parsed == Forecast(
        city="Seoul"
    )


def test_an_answer_goes_back_into_the_next_request_with_its_signatures(client: Any) -> None:
    """A tool loop as the SDK's documentation shows it: the output items are added to the input."""
    raw = json.dumps(ANSWERS["anthropic"][0]).encode()
    sent, _ = exchange.convert_answer(
        "openai_responses", Target("anthropic", "m"), raw, CallFacts("m"), OPTIONS
    )
    response = client(sent).responses.create(**QUESTION)
    items = [item.model_dump(exclude_none=True) for item in response.output]
    result = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
    body = {
        "model": "m",
        "input": [{"role": "user", "content": "Hi"}, *items, result],
        "reasoning": {"effort": "low"},
    }
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    target = Target("anthropic", "claude-opus-5")
    outgoing = json.loads(exchange.build_outgoing("openai_responses", target, b"", body, facts).body)
    assert outgoing["messages"][1]["content"] == ANSWERS["anthropic"][0]["content"]
    assert outgoing["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize("name", ["openai_responses/text", "anthropic/text", "gemini/text"])
def test_the_sdk_is_told_of_a_stream_we_ended(name: str, client: Any) -> None:
    pipe = open_pipe(name, inbound="openai_responses")
    raw = read(name)
    sent = pipe.feed(raw[: len(raw) // 2]) + pipe.error(CallStopped(), "req-1")
    seen = []
    with pytest.raises(openai.APIError, match="request id: req-1") as caught:
        seen.extend(event.type for event in client(sent).responses.create(**QUESTION, stream=True))
    assert caught.value.code == "call_stopped"
    assert seen[0] == "response.created" and "response.completed" not in seen


def test_an_error_before_the_answer_raises_by_its_status(client: Any) -> None:
    rendered = exchange.render_error("openai_responses", RateLimited("Slow down."), "req-1")
    with pytest.raises(openai.RateLimitError, match="Slow down") as caught:
        client(json.dumps(rendered.body).encode(), rendered.status).responses.create(**QUESTION)
    assert caught.value.code == "rate_limit_exceeded"


def test_a_keep_alive_is_not_seen(client: Any) -> None:
    sent = exchange.keep_alive("openai_responses") + streamed("anthropic/text")
    events = list(client(sent).responses.create(**QUESTION, stream=True))
    assert events[0].type == "response.created"
