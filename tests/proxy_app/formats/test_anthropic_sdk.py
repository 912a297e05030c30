"""The official SDK reads what we send: its accumulator rebuilds the source, its types accept all of it."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from gateway_project.errors import CallStopped
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.wire import NOWHERE, CallFacts, Finish, Target
from tests.proxy_app.formats.test_answers import ANSWERS
from tests.proxy_app.formats.test_anthropic_streams import events_of, pipe_for
from tests.proxy_app.formats.wire_bytes import STREAMS, WITHOUT_FULL_USAGE, read, run

QUESTION: Any = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
OPTIONS = RenderOptions("public-model", "msg_ours", 1_790_000_001, input_estimate=7)
REASONS = {
    Finish.STOP: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL_CALLS: "tool_use",
    Finish.CONTENT_FILTER: "refusal",
}
STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


@pytest.fixture
def client() -> Iterator[Any]:
    clients: list[anthropic.Anthropic] = []

    def reading(content: bytes, status: int = 200, **headers: str) -> anthropic.Anthropic:
        def answer(_request: httpx2.Request) -> httpx2.Response:
            kind = "text/event-stream" if content.startswith(b"event:") else "application/json"
            return httpx2.Response(status, headers={"content-type": kind, **headers}, content=content)

        http = httpx2.Client(transport=httpx2.MockTransport(answer))
        made = anthropic.Anthropic(
            base_url="http://gateway.test", api_key="sk-test", http_client=http, max_retries=0
        )
        clients.append(made)
        return made

    yield reading
    for made in clients:
        made.close()


def final_message(client: anthropic.Anthropic) -> Any:
    with client.messages.stream(**QUESTION) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("name", STREAMS)
def test_the_sdk_rebuilds_what_the_provider_said(name: str, client: Any) -> None:
    message = final_message(client(run(pipe_for(name), read(name))))
    wanted = STREAMS[name]
    texts = "".join(block.text for block in message.content if block.type == "text")
    thoughts = "".join(block.thinking for block in message.content if block.type == "thinking")
    calls = [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"]
    own = name.startswith("anthropic/")
    assert texts == (wanted.text if own else wanted.text + wanted.refusal)
    assert (thoughts, calls) == (wanted.thoughts, wanted.calls)
    refused = bool(wanted.refusal)
    assert message.stop_reason == ("refusal" if refused else REASONS[wanted.finish])
    if refused:
        assert message.stop_details.explanation == wanted.refusal
    if name not in WITHOUT_FULL_USAGE:
        usage = message.usage
        assert usage.output_tokens == 48 and usage.output_tokens_details.thinking_tokens == 32
        total = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        assert total == 1200


@pytest.mark.parametrize("name", ["openai_chat/tool_three", "anthropic/reasoning", "gemini/text"])
def test_the_sdk_s_beta_client_rebuilds_the_same(name: str, client: Any) -> None:
    sent = run(pipe_for(name), read(name))
    with client(sent).beta.messages.stream(**QUESTION) as stream:
        message = stream.get_final_message()
    plain = final_message(client(sent))
    assert [block.model_dump() for block in message.content] == [
        block.model_dump() for block in plain.content
    ]
    assert message.usage.output_tokens == plain.usage.output_tokens


@pytest.mark.parametrize("name", [name for name in STREAMS if not name.startswith("anthropic/")])
def test_every_event_is_of_the_sdk_s_types(name: str) -> None:
    for event in events_of(run(pipe_for(name), read(name))):
        STREAM_EVENT.validate_python(event)


@pytest.mark.parametrize("wire", ANSWERS)
def test_the_sdk_reads_a_whole_answer(wire: str, client: Any) -> None:
    raw = orjson.dumps(ANSWERS[wire][0])
    sent, _ = exchange.convert_answer("anthropic", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)
    Message.model_validate_json(sent)
    message = client(sent).messages.create(**QUESTION)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].input == {"city": "Seoul"}
    assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 48)


@pytest.mark.parametrize("name", ["openai_chat/text", "anthropic/text", "gemini/text"])
def test_the_sdk_raises_for_a_stream_we_ended(name: str, client: Any) -> None:
    pipe = pipe_for(name)
    sent = pipe.feed(read(name)[:900]) + pipe.error(CallStopped(), "req-1")
    with pytest.raises(anthropic.APIStatusError, match="request id: req-1"):
        final_message(client(sent))


def test_the_sdk_raises_for_a_refusal_and_knows_the_id_of_the_call(client: Any) -> None:
    rendered = exchange.render_error("anthropic", CallStopped(), "req-1")
    refused = client(orjson.dumps(rendered.body), rendered.status, **rendered.headers)
    with pytest.raises(anthropic.APIStatusError) as caught:
        refused.messages.create(**QUESTION)
    assert (caught.value.request_id, caught.value.status_code) == ("req-1", rendered.status)


def test_pings_are_not_seen(client: Any) -> None:
    ping = exchange.keep_alive("anthropic")
    sent = run(pipe_for("openai_chat/text"), read("openai_chat/text")).replace(b"\n\n", b"\n\n" + ping)
    assert final_message(client(sent)).stop_reason == "end_turn"


@pytest.mark.parametrize("wire", ["openai_chat", "gemini"])
def test_an_answer_goes_back_into_the_next_request(wire: str, client: Any) -> None:
    """A tool loop: what the SDK rebuilt is sent back, thoughts and all, and every provider can take it."""
    name = f"{wire}/tool_three"
    message = final_message(client(run(pipe_for(name), read(name))))
    said = {"role": "assistant", "content": [block.model_dump(mode="json") for block in message.content]}
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"} for block in said["content"]
    ]
    body = {**QUESTION, "messages": [*QUESTION["messages"], said, {"role": "user", "content": results}]}
    facts = exchange.read_call("anthropic", body, NOWHERE)
    for target in ("openai_chat", "gemini", "anthropic"):
        raw = orjson.dumps(body)
        outgoing = exchange.build_outgoing("anthropic", Target(target, "up"), raw, body, facts)
        assert all(block["id"].encode() in outgoing.body for block in said["content"])
