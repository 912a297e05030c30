"""A provider that answers whole where a stream was asked for, in the caller's own format: the official SDKs
rebuild that answer, field by field, from the stream that is made of it."""

import json
from typing import Any

import anthropic
import httpx2
import openai
import orjson
import pytest

from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.sse import Decoder
from proxy_app.wire import CallFacts, Target

OPTIONS = RenderOptions("m", "ours", 1)
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "seal"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rain"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [
                {
                    "type": "web_search_result",
                    "url": "https://x.test",
                    "title": "T",
                    "encrypted_content": "e",
                    "page_age": None,
                }
            ],
        },
        {
            "type": "text",
            "text": "Rain.",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": "https://x.test",
                    "title": "T",
                    "encrypted_index": "i",
                    "cited_text": "It rains.",
                }
            ],
        },
        {"type": "text", "text": "", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "A"}},
        {"type": "tool_use", "id": "toolu_2", "name": "wait", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "stop_details": None,
    "container": {"id": "c1", "expires_at": "2026-10-01T00:00:00Z"},
    "usage": {
        "input_tokens": 5,
        "cache_creation_input_tokens": 1,
        "cache_read_input_tokens": 2,
        "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 3},
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "service_tier": "standard",
    },
}
NOTE = {"type": "url_citation", "url": "https://x.test", "title": "T", "start_index": 0, "end_index": 5}
TEXT = {"type": "output_text", "text": "Rain.", "annotations": [NOTE], "logprobs": []}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1.0,
    "completed_at": 2.0,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "gpt-test",
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Hm"}],
            "content": [{"type": "reasoning_text", "text": "Hm, hm"}],
            "encrypted_content": "seal",
            "status": "completed",
        },
        {
            "id": "ws_1",
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": "rain"},
        },
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [TEXT, {"type": "refusal", "refusal": "No more."}],
        },
        {
            "id": "fc_1",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_1",
            "name": "look",
            "arguments": '{"city": "A"}',
        },
        {
            "id": "ctc_1",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "call_2",
            "name": "write",
            "input": "A",
        },
    ],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "usage": {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 14,
    },
}


def relayed(format: str, body: Any, facts: CallFacts | None = None) -> bytes:
    """What a caller is sent of a whole answer that came in two pieces."""
    raw = orjson.dumps(body)
    pipe = exchange.open_pipe(format, Target(format, "m"), facts or CallFacts("m", stream=True), OPTIONS)
    sent = pipe.feed(raw[:50]) + pipe.feed(raw[50:]) + pipe.finish()
    assert pipe.observed.ended and pipe.observed.content_started
    return sent


def transport(sent: bytes) -> httpx2.Client:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=sent)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def test_the_sdk_of_anthropic_rebuilds_a_message() -> None:
    http = transport(relayed("anthropic", MESSAGE))
    asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    with (
        anthropic.Anthropic(base_url="http://g.test", api_key="k", http_client=http, max_retries=0) as client,
        client.messages.stream(**asked) as stream,
    ):
        message = stream.get_final_message()
    assert message.to_dict(mode="json") == MESSAGE


def test_what_only_betas_of_messages_tell_is_told() -> None:
    applied = {"applied_edits": []}
    sent = relayed("anthropic", MESSAGE | {"context_management": applied})
    ends = [json.loads(event.data) for event in Decoder().feed(sent) if event.event == "message_delta"]
    assert [end["context_management"] for end in ends] == [applied]


@pytest.mark.parametrize("more", [{}, {"status": "incomplete", "incomplete_details": {"reason": "steered"}}])
def test_the_sdk_of_openai_reads_every_event_of_a_response(more: dict[str, Any]) -> None:
    body = RESPONSE | more
    http = transport(relayed("openai_responses", body))
    with openai.OpenAI(base_url="http://g.test/v1", api_key="k", http_client=http, max_retries=0) as client:
        events = list(client.responses.create(model="m", input="Hi", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == f"response.{body['status']}"
    assert events[-1].response.to_dict(mode="json") == body
    done = [event.item.to_dict(mode="json") for event in events if event.type == "response.output_item.done"]
    assert done == body["output"]
    grown = {event.type: event.delta for event in events if event.type.endswith(".delta")}
    assert grown == {
        "response.reasoning_summary_text.delta": "Hm",
        "response.reasoning_text.delta": "Hm, hm",
        "response.output_text.delta": "Rain.",
        "response.refusal.delta": "No more.",
        "response.function_call_arguments.delta": '{"city": "A"}',
        "response.custom_tool_call_input.delta": "A",
    }


def test_the_helper_of_openais_sdk_rebuilds_a_response() -> None:
    http = transport(relayed("openai_responses", RESPONSE))
    made = openai.OpenAI(base_url="http://g.test/v1", api_key="k", http_client=http, max_retries=0)
    with made as client, client.responses.stream(model="m", input="Hi") as stream:
        response = stream.get_final_response()
    assert response.output_text == "Rain." and response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 9)


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_whole_text_is_one_piece_of_completions(wants_usage: bool) -> None:
    choice = {"index": 0, "text": " world", "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    facts = CallFacts("m", stream=True, wants_usage=wants_usage)
    sent = relayed("openai_completions", {**head, "choices": [choice], "usage": usage}, facts)
    *pieces, end = [event.data for event in Decoder().feed(sent)]
    wanted = [{**head, "choices": [choice]}, {**head, "choices": [], "usage": usage}]
    assert [json.loads(piece) for piece in pieces] == wanted[: 1 + wants_usage]
    assert end == b"[DONE]"


def test_an_error_told_whole_is_one() -> None:
    for format in ("anthropic", "openai_responses"):
        facts = CallFacts("m", stream=True)
        pipe = exchange.open_pipe(format, Target(format, "m"), facts, OPTIONS)
        pipe.feed(orjson.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Full"}}))
        with pytest.raises(exchange.UpstreamFailed, match="Full"):
            pipe.finish()
