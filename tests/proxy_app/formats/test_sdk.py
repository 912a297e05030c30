"""The official SDK reads what we send: its own accumulators rebuild the source."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from gateway_project.errors import CallStopped
from proxy_app.formats import exchange
from proxy_app.wire import NOWHERE, CallFacts, Finish, Target
from tests.proxy_app.formats.test_answers import ANSWERS
from tests.proxy_app.formats.wire_bytes import OPTIONS, STREAMS, open_pipe, read, run

QUESTION: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
WORDS = {Finish.STOP_SEQUENCE: "stop"}


def client_reading(content: bytes, content_type: str = "text/event-stream") -> openai.OpenAI:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": content_type}, content=content)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(
        base_url="http://gateway.test/v1", api_key="sk-test", http_client=http, max_retries=0
    )


@pytest.fixture
def closing() -> Iterator[list[openai.OpenAI]]:
    clients: list[openai.OpenAI] = []
    yield clients
    for client in clients:
        client.close()


UNINDEXED = {"openai_chat/tool_no_index", "openai_chat/tool_all_index_zero"}  # relayed as they are
CUT_SHORT = {name for name, told in STREAMS.items() if told.finish in (Finish.LENGTH, Finish.CONTENT_FILTER)}


@pytest.mark.parametrize("name", sorted(STREAMS.keys() - UNINDEXED - CUT_SHORT))
def test_the_sdk_rebuilds_what_the_provider_said(name: str, closing: list[openai.OpenAI]) -> None:
    closing.append(client_reading(run(open_pipe(name), read(name))))
    with closing[0].chat.completions.stream(**QUESTION, stream_options={"include_usage": True}) as stream:
        completion = stream.get_final_completion()
    wanted = STREAMS[name]
    (choice,) = completion.choices
    message = choice.message
    assert (message.content or "") == wanted.text
    assert (message.refusal or "") == wanted.refusal
    assert (message.model_extra or {}).get("reasoning_content", "") == wanted.thoughts
    calls = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or ()]
    assert calls == wanted.calls
    assert choice.finish_reason == WORDS.get(wanted.finish, wanted.finish.value)
    if name != "openai_chat/text_no_done":
        assert completion.usage is not None
        assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (1200, 48)


@pytest.mark.parametrize("name", sorted(CUT_SHORT))
def test_the_sdk_is_told_of_an_answer_cut_short(name: str, closing: list[openai.OpenAI]) -> None:
    closing.append(client_reading(run(open_pipe(name), read(name))))
    chunks = list(closing[0].chat.completions.create(**QUESTION, stream=True))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    wanted = STREAMS[name]
    assert "".join(choice.delta.content or "" for choice in choices) == wanted.text
    assert "".join(choice.delta.refusal or "" for choice in choices) == wanted.refusal
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == [wanted.finish.value]


@pytest.mark.parametrize("wire", ANSWERS)
def test_the_sdk_reads_a_whole_answer(wire: str, closing: list[openai.OpenAI]) -> None:
    raw = json.dumps(ANSWERS[wire][0]).encode()
    sent, _ = exchange.convert_answer("openai_chat", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)
    closing.append(client_reading(sent, "application/json"))
    completion = closing[0].chat.completions.create(**QUESTION)
    message = completion.choices[0].message
    assert message.content == "Let me look."
    assert message.tool_calls is not None and message.tool_calls[0].id == "c1"
    assert completion.usage is not None and completion.usage.total_tokens == 1248


def test_an_answer_goes_back_into_the_next_request_with_its_signature(closing: list[openai.OpenAI]) -> None:
    """The SDK keeps fields it does not know, so a tool loop keeps Google's signature."""
    closing.append(client_reading(run(open_pipe("gemini/x"), read("gemini/tool_one"))))
    with closing[0].chat.completions.stream(**QUESTION) as stream:
        message = stream.get_final_completion().choices[0].message
    said = message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in said["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "sunny"}
    body = {"model": "m", "messages": [*QUESTION["messages"], said, result]}
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    outgoing = exchange.build_outgoing("openai_chat", Target("gemini", "gemini-3-pro"), b"", body, facts)
    parts = json.loads(outgoing.body)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts if "functionCall" in part] == ["c2ln"]


@pytest.mark.parametrize("name", ["openai_chat/text", "anthropic/text", "gemini/text"])
def test_the_sdk_raises_for_a_stream_we_ended(name: str, closing: list[openai.OpenAI]) -> None:
    pipe = open_pipe(name)
    sent = pipe.feed(read(name)[:900]) + pipe.error(CallStopped(), "req-1")
    closing.append(client_reading(sent))
    with (
        pytest.raises(openai.APIError, match="request id: req-1"),
        closing[0].chat.completions.stream(**QUESTION) as stream,
    ):
        stream.get_final_completion()


def test_a_keep_alive_is_not_seen(closing: list[openai.OpenAI]) -> None:
    sent = exchange.keep_alive("openai_chat") + run(open_pipe("anthropic/text"), read("anthropic/text"))
    closing.append(client_reading(sent))
    chunks = list(closing[0].chat.completions.create(**QUESTION, stream=True))
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
