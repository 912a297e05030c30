"""Conversations of other formats on their way to a provider of Responses."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import UnsupportedContent, UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.openai_responses import UPSTREAM
from proxy_app.wire import (
    NOWHERE,
    Conversation,
    File,
    Image,
    Reasoning,
    Refusal,
    Signed,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)

TARGET = Target("openai_responses", "gpt-6-astra")
USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def from_chat(signed: Any = None, **body: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [USER], **body}
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    outgoing = exchange.build_outgoing("openai_chat", TARGET, b"", body, facts, signed)
    assert outgoing.path == "/responses"
    return orjson.loads(outgoing.body)


def built(*turns: Turn, **more: Any) -> dict[str, Any]:
    return orjson.loads(UPSTREAM.build_request(Conversation("m", list(turns), **more), TARGET).body)


def test_a_chat_becomes_items_and_nothing_is_stored() -> None:
    body = from_chat(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "And kind."},
            USER,
            {
                "role": "assistant",
                "content": "Look:",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
            {"role": "system", "content": "Now rhyme."},
            USER,
        ],
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
        max_completion_tokens=5,
        reasoning_effort="low",
        verbosity="high",
        service_tier="flex",
        stream=True,
    )
    assert body == {
        "model": "gpt-6-astra",
        "store": False,
        "instructions": "Be brief.\n\nAnd kind.",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Look:", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
            {
                "type": "message",
                "role": "developer",
                "content": [{"type": "input_text", "text": "Now rhyme."}],
            },
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
        "text": {"verbosity": "high"},
        "max_output_tokens": 16,
        "service_tier": "flex",
        "stream": True,
    }


def test_signed_thoughts_go_back_before_what_they_led_to() -> None:
    """Kept by the gateway for a format without a field, and given back."""
    kept = {"c1": Signed(None, (Thinking("hm", "gAAA", provider="openai", id="rs_1"),))}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = from_chat(
        kept,
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
        ],
        tools=[TOOL],
    )
    assert body["input"][1:3] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA",
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    ]
    assert body["include"] == ["reasoning.encrypted_content"]


def test_thoughts_of_others_bare_ones_and_those_that_led_nowhere_are_left_out() -> None:
    body = built(
        Turn("user", [Text("Hi")]),
        Turn(
            "assistant",
            [
                Thinking("a", "c2ln", provider="anthropic"),
                Thinking("b"),
                Text("so"),
                Refusal("No."),
                Thinking("c", "gAAA", provider="openai"),
            ],
        ),
        Turn("user", [Text("Go on")]),
    )
    assert [item["type"] for item in body["input"]] == ["message"] * 3
    assert [part["type"] for part in body["input"][1]["content"]] == ["output_text", "refusal"]


def test_media_and_results_with_media() -> None:
    body = built(
        Turn("assistant", [ToolCall("c1", "f", "{}")]),
        Turn(
            "user",
            [
                Image(url="https://x.test/a.png", detail="low"),
                ToolResult("c1", [Text("see"), Image(data="AA", media_type="image/png")]),
                File(data="AA", media_type="application/pdf"),
                File(url="https://x.test/a.pdf"),
                File(file_id="file-1"),
            ],
        ),
    )
    assert body["input"][1]["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "auto"},
    ]
    assert body["input"][2]["content"] == [
        {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
        {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,AA"},
        {"type": "input_file", "file_url": "https://x.test/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
    ]
    with pytest.raises(UnsupportedContent):
        built(Turn("user", [File(file_id="file_011", path="p")]))


@pytest.mark.parametrize(
    ("reasoning", "wanted", "signed"),
    [
        (None, None, False),
        (Reasoning("none"), {"effort": "none"}, False),
        (Reasoning("high", None, True), {"effort": "high", "summary": "auto"}, True),
        (Reasoning(None, 8192), {"effort": "medium"}, True),
        (Reasoning(None, 0, True), {"effort": "none"}, False),
    ],
)
def test_effort_and_the_wish_for_signed_thoughts(reasoning: Any, wanted: Any, signed: bool) -> None:
    body = built(Turn("user", [Text("Hi")]), reasoning=reasoning)
    assert body.get("reasoning") == wanted
    assert ("include" in body) == signed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop", ["\n"]),
        ("top_k", 5),
        ("n", 2),
        ("logprobs", True),
        ("frequency_penalty", 1),
        ("logit_bias", {"1": 2}),
    ],
)
def test_parameters_the_format_has_no_word_for_are_refused(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        from_chat(**{name: value})
    assert caught.value.param == name


def test_a_schema_and_an_allowed_subset() -> None:
    body = from_chat(
        tools=[TOOL],
        tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    )
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "f"}],
    }
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "n",
        "schema": {"type": "object"},
        "strict": False,
    }
