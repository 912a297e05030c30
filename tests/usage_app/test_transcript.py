"""A kept stream as one reads it, in every format, and of what is no stream nothing."""

import json
from typing import Any

import pytest

from usage_app.transcript import transcript


def stream(*events: Any) -> str:
    return "".join(f"event: x\ndata: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def chat(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def call(**function: str) -> dict[str, Any]:
    return chat(tool_calls=[{"index": 0, "function": function}])


def block(**delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def parts(*parts: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}}]}


WORDS = {"thoughts": "Hm.", "text": "Hello", "calls": 'find{"a": 1}'}


@pytest.mark.parametrize(
    "events",
    [
        (
            chat(reasoning_content="Hm."),
            chat(content="Hel"),
            chat(content="lo"),
            call(name="find", arguments=""),
            call(arguments='{"a":'),
            call(arguments=" 1}"),
            {"choices": [], "usage": {"total_tokens": 3}},
        ),
        (
            block(type="thinking_delta", thinking="Hm."),
            block(type="text_delta", text="Hel"),
            block(type="text_delta", text="lo"),
            {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "find"}},
            block(type="input_json_delta", partial_json='{"a": 1}'),
        ),
        (
            {"type": "response.reasoning_summary_text.delta", "delta": "Hm."},
            {"type": "response.output_text.delta", "delta": "Hello"},
            {"type": "response.output_text.done", "text": "Hello"},
            {"type": "response.function_call_arguments.delta", "delta": 'find{"a": 1}'},
        ),
    ],
    ids=["chat", "messages", "responses"],
)
def test_the_words_of_a_stream_are_put_together(events: tuple[Any, ...]) -> None:
    assert transcript(stream(*events)) == WORDS


def test_gemini_says_its_words_in_parts() -> None:
    told = stream(parts({"text": "Hel"}), parts({"text": "lo"}, {"functionCall": {"name": "find"}}))
    assert transcript(told) == {"text": "Hello", "calls": '{"name": "find"}'}


@pytest.mark.parametrize("text", ["", '{"choices": []}', "data: {cut", "data: [1]", "plain words"])
def test_what_is_no_stream_has_none(text: str) -> None:
    assert transcript(text) == {}
