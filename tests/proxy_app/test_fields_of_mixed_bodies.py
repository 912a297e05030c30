"""Fields of bodies that mix two formats' words: carried or refused by their place, and never lost on the way
into the shape's own words."""

import json
from typing import Any

import pytest

from gateway_project.errors import BadRequest
from proxy_app.formats.registry import UPSTREAM
from proxy_app.formats.shapes import rewritten, shape_of
from proxy_app.wire import JSON
from tests.proxy_app.formats.test_unknown_fields import Path, at, named, objects, own_copy
from tests.proxy_app.test_mixed_bodies import (
    ADDRESS,
    CHAT_CALL,
    CHAT_IMAGE,
    CHAT_TALK,
    CHAT_TOOL,
    CLAUDE_IMAGE,
    CLAUDE_TALK,
    CLAUDE_TOOL,
    MIXTURES,
    send,
)

SHORT = {"type": "ephemeral"}
CHOSEN = {"type": "function", "function": {"name": "look"}}
THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "s"}
FILE = {"type": "file", "file": {"file_data": "data:application/pdf;base64,iVBORw0KGgo=", "filename": "a"}}
PICTURED = [{"type": "text", "text": "Rain"}, CHAT_IMAGE]
ALL: dict[str, JSON] = {
    **{name: body for name, (body, _) in MIXTURES.items()},
    "rich Chat messages with a Messages tool": {
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [CHAT_IMAGE, FILE]},
            {"role": "assistant", "content": "So", "thinking_blocks": [THOUGHT], "tool_calls": [CHAT_CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": PICTURED},
            {"role": "developer", "content": "Please."},
        ],
        "tools": [CLAUDE_TOOL, {**CHAT_TOOL, "function": {**CHAT_TOOL["function"], "name": "more"}}],
        "tool_choice": CHOSEN,
    },
    "pictures of both as input": {
        "input": [
            {"role": "user", "content": [CHAT_IMAGE, CLAUDE_IMAGE]},
            CLAUDE_TALK[1],
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [CLAUDE_IMAGE]}],
            },
        ],
        "system": [{"type": "text", "text": "Be brief."}],
        "tools": [CHAT_TOOL],
        "tool_choice": CHOSEN,
    },
}
PLACES = [(name, path) for name, body in ALL.items() for path in objects(body)]


def with_unknown(name: str, path: Path) -> JSON:
    body: JSON = own_copy(ALL[name])
    at(body, path)["later"] = "mark-of-the-unknown"
    return body


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_one_that_nobody_knows_is_refused_by_the_callers_own_place_and_never_lost(place: int) -> None:
    name, path = PLACES[place]
    body = with_unknown(name, path)
    for upstream in UPSTREAM:
        try:
            sent = send(body, upstream)
        except BadRequest as refused:
            assert refused.param == named((*path, "later")), upstream
            assert f"'{refused.param}'" in refused.detail
        else:
            assert upstream == shape_of(body) and "mark-of-the-unknown" in json.dumps(sent), named(path)


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_what_is_refused_before_the_rewriting_is_named_by_the_callers_own_place(place: int) -> None:
    name, path = PLACES[place]
    body = with_unknown(name, path)
    try:
        rewritten(body, shape_of(body))
    except BadRequest as refused:
        assert refused.param == named((*path, "later"))


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"messages": [*CHAT_TALK[:3], {**CHAT_TALK[3], "is_error": True}]}, "messages[3].is_error"),
        ({"messages": [CHAT_TALK[1], {**CHAT_TALK[2], "audio": {"id": "a"}}]}, "messages[1].audio"),
        ({"messages": [CHAT_TALK[1], {**CHAT_TALK[2], "name": "ann"}]}, "messages.name"),
        ({"messages": [CHAT_TALK[1], {**CHAT_TALK[2], "tool_calls": "x"}]}, "messages[1].tool_calls"),
        ({"messages": [{**CHAT_TALK[0], "content": {"a": 1}}, CHAT_TALK[1]]}, "messages[0].content"),
        ({"system": {"type": "text", "text": "x"}}, "system"),
        ({"response_format": {"type": "json_schema", "json_schema": "x"}}, "response_format.json_schema"),
        ({"input": [{**CHAT_TALK[2], "thinking_blocks": [THOUGHT]}]}, "input[0].thinking_blocks"),
        ({"input": [{**CHAT_TALK[2], "reasoning_content": "Hm"}]}, "input[0].reasoning_content"),
        (
            {"input": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]},
            "input[0].content[0]",
        ),
        ({"input": CHAT_TALK, "system": [CLAUDE_IMAGE]}, "system[0]"),
    ],
)
def test_what_a_shape_has_no_words_for_is_refused_by_its_place(changed: JSON, param: str) -> None:
    body = {"model": "m", "messages": CHAT_TALK, "tools": [CLAUDE_TOOL], **changed}
    if "input" in changed:
        del body["messages"]
    with pytest.raises(BadRequest) as refused:
        rewritten(body, shape_of(body))
    assert refused.value.param == param


ODD = {"type": "odd"}


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        # behind a system message at the head
        ({"messages": [*CHAT_TALK[:2], {"role": "user", "content": [ODD]}]}, "messages[2].content[0]"),
        ({"messages": [*CHAT_TALK[:2], {"role": "odd", "content": "x"}]}, "messages[2].role"),
        ({"messages": [{"role": "system", "content": [ODD]}, CHAT_TALK[1]]}, "messages[0].content[0]"),
        # behind two results, which are one message there
        (
            {"messages": [*CHAT_TALK, CHAT_TALK[3], {"role": "user", "content": [CHAT_IMAGE, ODD]}]},
            "messages[5].content[1]",
        ),
        (
            {"messages": [*CHAT_TALK, {**CHAT_TALK[3], "content": ["x", CHAT_IMAGE, ODD]}]},
            "messages[4].content[0]",
        ),
        ({"messages": [CHAT_TALK[1], {**CHAT_TALK[3], "tool_call_id": "c9"}]}, "messages[1].tool_call_id"),
        # behind what else one message said
        (
            {"messages": [CHAT_TALK[1], {**CHAT_TALK[2], "thinking_blocks": [THOUGHT, ODD]}, CHAT_TALK[3]]},
            "messages[1].thinking_blocks[1]",
        ),
        (
            {"messages": [CHAT_TALK[1], {**CHAT_TALK[2], "reasoning_content": "Hm", "content": [ODD]}]},
            "messages[1].content[0]",
        ),
        # behind what one item became
        ({"input": [*CHAT_TALK, {"role": "user", "content": [ODD]}]}, "input[4].content[0]"),
        (
            {"input": [CHAT_TALK[1], {**CHAT_TALK[2], "content": "So"}, {**CHAT_TALK[3], "content": [ODD]}]},
            "input[2].content[0]",
        ),
        (
            {
                "input": [
                    *CLAUDE_TALK[:2],
                    {"role": "user", "content": [*CLAUDE_TALK[2]["content"], CLAUDE_IMAGE, ODD]},
                ]
            },
            "input[2].content[2]",
        ),
        ({"input": [*CHAT_TALK[:2], {**CHAT_TALK[3], "tool_call_id": "c9"}]}, "input[2].tool_call_id"),
        (
            {"input": [CLAUDE_TALK[0], {"role": "user", "content": CLAUDE_TALK[2]["content"]}]},
            "input[1].content[0].tool_use_id",
        ),
    ],
)
def test_what_is_refused_after_the_rewriting_is_named_by_the_callers_own_place(
    changed: JSON, param: str
) -> None:
    body = {"messages": CHAT_TALK, "tools": [CLAUDE_TOOL], **changed}
    if "input" in changed:
        del body["messages"]
    with pytest.raises(BadRequest) as refused:
        send(body, "gemini")
    assert refused.value.param == param
    assert refused.value.detail.startswith(f"'{param}'")


def marked(holder: Any) -> Any:
    return {**holder, "cache_control": SHORT}


def test_marks_for_the_cache_come_along() -> None:
    system, asked, called, given = CHAT_TALK
    body = {
        "messages": [
            marked(system),
            {**asked, "content": [marked(CHAT_IMAGE)]},
            {**called, "tool_calls": [marked(CHAT_CALL)]},
            marked(given),
        ],
        "tools": [CLAUDE_TOOL, {"type": "function", "function": marked(CHAT_TOOL["function"])}],
    }
    sent = send(body, "anthropic")
    marks = [sent["system"][0], *(message["content"][0] for message in sent["messages"]), sent["tools"][1]]
    assert [each.get("cache_control") for each in marks] == [SHORT] * 5


def test_a_result_that_tells_of_a_failure_does_so_wherever_there_is_a_word_for_it() -> None:
    def asked(**told: Any) -> JSON:
        given = {**CLAUDE_TALK[2]["content"][0], **told}
        return {"input": [*CLAUDE_TALK[:2], {"role": "user", "content": [given]}], "tools": [CHAT_TOOL]}

    sent = send(asked(is_error=True), "anthropic")
    assert sent["messages"][2]["content"][0]["is_error"] is True
    [given] = send(asked(is_error=True), "gemini")["contents"][2]["parts"]
    assert given["functionResponse"]["response"] == {"error": "Rain"}
    for nothing in ({}, {"is_error": False}, {"is_error": None}):
        assert "is_error" not in send(asked(**nothing), "anthropic")["messages"][2]["content"][0]
    for word in (True, False):  # Responses have none
        assert send(asked(is_error=word), "openai_responses") == send(asked(), "openai_responses")
    with pytest.raises(BadRequest) as refused:
        send(asked(is_error="yes"), "openai_responses")
    assert refused.value.param == "input[2].content[0].is_error"


def test_a_thought_that_nobody_signed_goes_where_it_is_read_and_not_to_claude() -> None:
    body = {
        "messages": [CHAT_TALK[1], {**CHAT_TALK[2], "reasoning_content": "Hm"}, CHAT_TALK[3]],
        "tools": [CLAUDE_TOOL],
    }
    assert "Hm" in json.dumps(rewritten(body, "anthropic")[0])
    assert "Hm" not in json.dumps(send(body, "anthropic"))


def test_the_detail_of_a_picture_a_refusal_and_one_call_at_a_time_are_told_to_responses() -> None:
    picture = {"type": "image_url", "image_url": {"url": ADDRESS, "detail": "high"}}
    said = {**CHAT_TALK[2], "content": "So", "refusal": "No"}
    body = {
        "input": [{"role": "user", "content": [picture]}, said, CHAT_TALK[3]],
        "tools": [CLAUDE_TOOL],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    }
    sent = send(body, "openai_responses")
    assert sent["input"][0]["content"][0]["detail"] == "high" and sent["parallel_tool_calls"] is False
    assert sent["input"][1]["content"] == [
        {"type": "output_text", "text": "So"},
        {"type": "refusal", "refusal": "No"},
    ]
