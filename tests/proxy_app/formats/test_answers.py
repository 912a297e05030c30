"""Whole answers: what each provider says is what the caller reads, tokens included."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import UpstreamFailed, UpstreamInvalid
from proxy_app.formats import anthropic, exchange, gemini, openai_chat, openai_responses
from proxy_app.formats.anthropic import response as anthropic_response
from proxy_app.formats.gemini import response as gemini_response
from proxy_app.formats.openai_chat import response as openai_response
from proxy_app.wire import Answer, CallFacts, Finish, Target, Text, Thinking, ToolCall, Usage
from tests.proxy_app.formats.wire_bytes import (
    CLAUDE_USAGE,
    GEMINI_USAGE,
    OPTIONS,
    RESPONSES_USAGE,
    SEARCH,
    USAGE,
    WEATHER,
)

OPENAI_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 48,
    "total_tokens": 1248,
    "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 32, "audio_tokens": 0},
}
OPENAI = {
    "id": "chatcmpl-F1",
    "object": "chat.completion",
    "created": 1790000000,
    "model": "gpt-6-mini-2026-08-01",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "hm",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Seoul"}'},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": OPENAI_USAGE,
}
RESPONSES = {
    "id": "resp_F1",
    "object": "response",
    "created_at": 1790000000,
    "status": "completed",
    "model": "gpt-6-mini-2026-08-01",
    "error": None,
    "incomplete_details": None,
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "c2ln",
        },
        {"id": "ws_1", "type": "web_search_call", "status": "completed"},
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
        },
        {
            "id": "fc_1",
            "type": "function_call",
            "status": "completed",
            "call_id": "c1",
            "name": "weather",
            "arguments": '{"city": "Seoul"}',
        },
    ],
    "tool_usage": {"web_search": {"num_requests": 0}},
    "usage": {
        "input_tokens": 1200,
        "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 100},
        "output_tokens": 48,
        "output_tokens_details": {"reasoning_tokens": 32},
        "total_tokens": 1248,
    },
}
ANTHROPIC = {
    "id": "msg_F1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Seoul"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 76,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1024,
        "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
        "output_tokens": 48,
        "output_tokens_details": {"thinking_tokens": 32},
    },
}
GEMINI = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "Let me look."},
                    {
                        "functionCall": {"id": "c1", "name": "weather", "args": {"city": "Seoul"}},
                        "thoughtSignature": "c2ln",
                    },
                ],
            },
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 1190,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 16,
        "thoughtsTokenCount": 32,
        "cachedContentTokenCount": 1024,
        "totalTokenCount": 1248,
    },
    "modelVersion": "gemini-3-pro",
    "responseId": "rF1",
}
ANSWERS: dict[str, tuple[dict[str, Any], Usage]] = {
    "openai_chat": (OPENAI, USAGE),
    "openai_responses": (RESPONSES, RESPONSES_USAGE),
    "anthropic": (ANTHROPIC, CLAUDE_USAGE),
    "gemini": (GEMINI, GEMINI_USAGE),
}


def convert(wire: str, body: Any) -> tuple[Any, Any]:
    raw = orjson.dumps(body)
    sent, observed = exchange.convert_answer("openai_chat", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)
    if wire == "openai_chat":
        assert sent == raw
    return orjson.loads(sent), observed


@pytest.mark.parametrize("wire", ANSWERS)
def test_an_answer_says_to_the_caller_what_the_provider_said(wire: str) -> None:
    body, usage = ANSWERS[wire]
    sent, observed = convert(wire, body)
    (choice,) = sent["choices"]
    message = choice["message"]
    assert (message["content"], message["reasoning_content"]) == ("Let me look.", "hm")
    assert message["tool_calls"][0]["id"] == "c1"
    assert message["tool_calls"][0]["function"]["name"] == "weather"
    assert orjson.loads(message["tool_calls"][0]["function"]["arguments"]) == {"city": "Seoul"}
    assert choice["finish_reason"] == "tool_calls"
    assert sent["object"] == "chat.completion"
    assert (sent["usage"]["prompt_tokens"], sent["usage"]["completion_tokens"]) == (1200, 48)
    assert sent["usage"]["prompt_tokens_details"]["cached_tokens"] == 1024
    assert sent["usage"]["completion_tokens_details"]["reasoning_tokens"] == 32
    assert observed.usage == usage
    assert (observed.finish, observed.ended, observed.content_started) == (Finish.TOOL_CALLS, True, True)
    assert observed.upstream_id == body.get("id", "rF1")


@pytest.mark.parametrize("wire", ["anthropic", "gemini"])
def test_a_translated_answer_bears_the_public_name_and_its_signatures(wire: str) -> None:
    sent, _ = convert(wire, ANSWERS[wire][0])
    assert sent["model"] == "public-model" and sent["created"] == OPTIONS.created
    assert b"c2ln" in orjson.dumps(sent)


def _cut_short(reason: str) -> dict[str, Any]:
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


@pytest.mark.parametrize(
    ("wire", "change", "finish", "word"),
    [
        ("anthropic", {"stop_reason": "end_turn"}, Finish.STOP, "stop"),
        ("anthropic", {"stop_reason": "max_tokens"}, Finish.LENGTH, "length"),
        ("anthropic", {"stop_reason": "model_context_window_exceeded"}, Finish.LENGTH, "length"),
        ("anthropic", {"stop_reason": "stop_sequence"}, Finish.STOP_SEQUENCE, "stop"),
        ("anthropic", {"stop_reason": "refusal"}, Finish.CONTENT_FILTER, "content_filter"),
        ("anthropic", {"stop_reason": "pause_turn"}, Finish.PAUSE, "stop"),
        ("anthropic", {"stop_reason": "something_new"}, Finish.STOP, "stop"),
        ("gemini", {"candidates": [{"finishReason": "MAX_TOKENS"}]}, Finish.LENGTH, "length"),
        ("gemini", {"candidates": [{"finishReason": "SAFETY"}]}, Finish.CONTENT_FILTER, "content_filter"),
        ("gemini", {"candidates": [{"finishReason": "STOP"}]}, Finish.STOP, "stop"),
        ("openai_responses", _cut_short("max_output_tokens"), Finish.LENGTH, "length"),
        ("openai_responses", _cut_short("content_filter"), Finish.CONTENT_FILTER, "content_filter"),
        ("openai_responses", _cut_short("something_new"), Finish.LENGTH, "length"),
        ("openai_responses", {"output": RESPONSES["output"][:3]}, Finish.STOP, "stop"),
        (
            "gemini",
            {"candidates": [], "promptFeedback": {"blockReason": "SAFETY"}},
            Finish.CONTENT_FILTER,
            "content_filter",
        ),
    ],
)
def test_finish_reasons(wire: str, change: dict[str, Any], finish: Finish, word: str) -> None:
    sent, observed = convert(wire, {**ANSWERS[wire][0], **change})
    assert (observed.finish, sent["choices"][0]["finish_reason"]) == (finish, word)


@pytest.mark.parametrize(
    "reason", ["MALFORMED_FUNCTION_CALL", "OTHER", "MISSING_THOUGHT_SIGNATURE", "PUP_LIMITED_DISABLED"]
)
def test_a_model_that_broke_off_is_a_failure(reason: str) -> None:
    with pytest.raises(UpstreamInvalid, match=reason):
        convert("gemini", {**GEMINI, "candidates": [{"finishReason": reason}]})


def test_an_image_nobody_asked_for_is_not_dropped_silently() -> None:
    parts = {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]}
    with pytest.raises(UpstreamInvalid, match="inlineData"):
        convert("gemini", {**GEMINI, "candidates": [{"content": parts, "finishReason": "STOP"}]})


@pytest.mark.parametrize("wire", ANSWERS)
@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{}", b"<html>", b'{"error": {"message": "oh"}}'])
def test_a_success_that_is_none_is_a_failure(wire: str, raw: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        exchange.convert_answer("openai_chat", Target(wire, "m"), raw, CallFacts("m"), OPTIONS)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 7}, (5, 7, None, None)),
        ({"prompt_tokens": -5, "completion_tokens": 7.0}, (0, 7, None, None)),
        ({"prompt_tokens": "5"}, None),
        ({}, None),
        ([], None),
        (None, None),
        ({"prompt_tokens": 5, "completion_tokens": 7, "prompt_cache_hit_tokens": 3}, (5, 7, 3, None)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 21,
                "completion_tokens_details": {"reasoning_tokens": 9},
            },
            (5, 16, None, 9),
        ),
    ],
)
def test_usage_of_compatible_servers(usage: Any, expected: Any) -> None:
    _, observed = convert("openai_chat", {**OPENAI, "usage": usage})
    told = observed.usage
    found = told and (told.input_tokens, told.output_tokens, told.cache_read_tokens, told.reasoning_tokens)
    assert found == expected


def test_unknown_usage_is_unknown_and_not_zero() -> None:
    for wire, key in (
        ("anthropic", "usage"),
        ("gemini", "usageMetadata"),
        ("openai_chat", "usage"),
        ("openai_responses", "usage"),
    ):
        body = {name: value for name, value in ANSWERS[wire][0].items() if name != key}
        sent, observed = convert(wire, body)
        assert observed.usage is None and "usage" not in sent


CALLS = st.builds(
    ToolCall,
    id=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    name=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    arguments=st.sampled_from([orjson.dumps(value).decode() for value in ({}, WEATHER, SEARCH)]),
)
COUNTS = st.integers(0, 1000)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    parts: list[Any] = []
    if draw(st.booleans()):
        parts.append(Thinking(draw(st.text(min_size=1)), None))
    if draw(st.booleans()):
        parts.append(Text(draw(st.text(min_size=1))))
    parts += draw(st.lists(CALLS, max_size=3))
    fresh, read, write, out, thought = (draw(COUNTS) for _ in range(5))
    usage = Usage(fresh + read + write, read, write, 0, out + thought, thought)
    finish = Finish.TOOL_CALLS if any(isinstance(part, ToolCall) for part in parts) else Finish.STOP
    return Answer("id-1", "public-model", parts, finish, usage)


@given(answers())
def test_what_a_format_renders_it_reads_again(answer: Answer) -> None:
    for render, parse in (
        (openai_response.render_answer, openai_response.parse_answer),
        (openai_responses.INBOUND.render_answer, openai_responses.UPSTREAM.parse_answer),
        (anthropic_response.render_answer, anthropic_response.parse_answer),
        (gemini_response.render_answer, gemini_response.parse_answer),
    ):
        rendered = orjson.loads(orjson.dumps(render(answer, OPTIONS)))
        again = parse(rendered)
        plain = [
            (type(part), getattr(part, "text", None) or getattr(part, "arguments", None))
            for part in again.parts
        ]
        assert plain == [
            (type(p), getattr(p, "text", None) or getattr(p, "arguments", None)) for p in answer.parts
        ]
        assert again.finish is answer.finish
        assert again.usage is not None and answer.usage is not None
        assert (again.usage.input_tokens, again.usage.output_tokens) == (
            answer.usage.input_tokens,
            answer.usage.output_tokens,
        )
        assert (again.usage.cache_read_tokens or 0) == answer.usage.cache_read_tokens
        assert (again.usage.reasoning_tokens or 0) == answer.usage.reasoning_tokens


def test_every_way_to_finish_has_its_word_in_every_format() -> None:
    from proxy_app.formats.anthropic import usage as claude
    from proxy_app.formats.gemini import usage as google
    from proxy_app.formats.openai_chat import usage as chat

    for words in (chat.FINISH_WORDS, claude.FINISH_WORDS, google.FINISH_WORDS):
        assert set(words) == set(Finish)
    assert {openai_chat.NAME, openai_responses.NAME, anthropic.NAME, gemini.NAME} == set(ANSWERS)
