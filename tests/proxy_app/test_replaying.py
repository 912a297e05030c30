"""What was asked in a call, to be asked again: the same words from each format; what is missing is said."""

import json
from typing import Any

import pytest

from gateway_project.errors import BadRequest
from proxy_app.masking import masked
from proxy_app.replaying import replay_of

QUESTION = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Why?"},
]
IMAGE = "iVBORw0KGgo" + "A" * 2000

FORMS: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "x", "messages": QUESTION, "temperature": 0.5, "max_completion_tokens": 9},
    "openai_responses": {
        "model": "x",
        "instructions": "Be short.",
        "input": "Why?",
        "temperature": 0.5,
        "max_output_tokens": 9,
    },
    "anthropic": {
        "model": "x",
        "system": "Be short.",
        "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 0.5,
        "max_tokens": 9,
        "top_k": 4,
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": "Be short."}]},
        "contents": [{"role": "user", "parts": [{"text": "Why?"}]}],
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 9},
    },
}

PICTURES: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
                ],
            }
        ]
    },
    "openai_responses": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is it?"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}"},
                ],
            }
        ]
    },
    "anthropic": {
        "max_tokens": 5,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": IMAGE},
                    },
                ],
            }
        ],
    },
    "gemini": {
        "contents": [
            {
                "role": "user",
                "parts": [{"text": "What is it?"}, {"inlineData": {"mimeType": "image/png", "data": IMAGE}}],
            }
        ]
    },
}


def words_of(turn: dict[str, Any]) -> str:
    content = turn["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("format_name", FORMS)
def test_the_same_question_comes_from_every_format(format_name: str) -> None:
    replay = replay_of(format_name, "x", json.dumps(FORMS[format_name]))
    turns = [(turn["role"], words_of(turn)) for turn in replay.body["messages"]]
    assert turns == [("system", "Be short."), ("user", "Why?")]
    assert replay.body["temperature"] == 0.5
    assert replay.body["max_completion_tokens"] == 9
    assert not {"model", "stream", "top_k"} & replay.body.keys()
    assert replay.left_out == (["top_k"] if format_name == "anthropic" else [])


@pytest.mark.parametrize("format_name", PICTURES)
def test_an_image_is_not_kept_and_that_is_said(format_name: str) -> None:
    kept = masked(json.dumps({"model": "x", **PICTURES[format_name]}))
    assert IMAGE not in kept
    replay = replay_of(format_name, "x", kept)
    assert [words_of(turn) for turn in replay.body["messages"]] == ["What is it?"]
    assert replay.left_out == ["media"]


def test_an_agents_other_shape_at_the_chat_address_is_read_as_what_it_is() -> None:
    replay = replay_of("openai_chat", "x", json.dumps(FORMS["openai_responses"]))
    assert [words_of(turn) for turn in replay.body["messages"]] == ["Be short.", "Why?"]


LATER = {"type": "later", "x": 1}


@pytest.mark.parametrize(
    ("format_name", "body", "place"),
    [
        # Results in a row become one message of Messages, and system messages leave their list.
        (
            "openai_chat",
            {
                "messages": [
                    {"role": "system", "content": "Be short."},
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}],
                    },
                    {"role": "user", "content": [{"type": "text", "text": "hi", "later": 1}]},
                ]
            },
            "messages[2].content[0].later",
        ),
        # What was masked is taken out, and what comes after it moves up.
        (
            "anthropic",
            {
                "max_tokens": 5,
                "messages": [
                    {"role": "user", "content": [*PICTURES["anthropic"]["messages"][0]["content"], LATER]}
                ],
            },
            "messages[0].content[2]",
        ),
        (
            "gemini",
            {
                "contents": [
                    PICTURES["gemini"]["contents"][0],
                    {"role": "user", "parts": [*PICTURES["gemini"]["contents"][0]["parts"], {"later": 1}]},
                ]
            },
            "contents[1].parts[2]",
        ),
    ],
)
def test_what_cannot_be_asked_again_is_named_by_its_place_in_what_is_kept(
    format_name: str, body: dict[str, Any], place: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        replay_of(format_name, "x", masked(json.dumps({"model": "x", **body})))
    assert (refused.value.param or "").startswith(place) and f"'{place}" in refused.value.detail


def test_tools_and_their_results_come_along() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "sea"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "blue"}
    body = {
        "model": "x",
        "max_tokens": 5,
        "tools": [{"name": "find", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Which colour?"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
    }
    replay = replay_of("anthropic", "x", json.dumps(body))
    assert [turn["role"] for turn in replay.body["messages"]] == ["user", "assistant", "tool"]
    assert replay.body["tools"][0]["function"]["name"] == "find"


@pytest.mark.parametrize(
    "kept", ['{"model": "x", "messages": [{"role"', "[1]", '"x"', "{}", "[" * 3000 + "]" * 3000]
)
def test_what_was_cut_or_is_no_conversation_is_refused_with_a_sentence(kept: str) -> None:
    with pytest.raises(BadRequest) as refused:
        replay_of("openai_chat", "x", kept)
    assert refused.value.detail
