"""Bodies of Chat Completions with single objects in Messages' or Responses' words."""

import json
from typing import Any

import pytest

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.chat_mixtures import in_chat_words
from proxy_app.wire import JSON, NOWHERE, Target
from tests.proxy_app.test_mixed_bodies import ADDRESS, CHAT_IMAGE, CHAT_TALK, CHAT_TOOL, FLAT_TOOL

PLAIN: JSON = {"model": "m", "messages": CHAT_TALK, "tools": [CHAT_TOOL]}
NAMED = {"type": "function", "function": {"name": "look"}}


def rewritten(body: JSON) -> JSON:
    told, raw = in_chat_words(body, json.dumps(body).encode())
    assert json.loads(raw) == told
    return told


def test_a_plain_body_keeps_its_bytes() -> None:
    raw = json.dumps({**PLAIN, "tool_choice": NAMED, "stop": ["input_text"]}).encode()
    assert in_chat_words(json.loads(raw), raw)[1] is raw


def test_flat_tools_are_tools() -> None:
    assert rewritten({**PLAIN, "tools": [FLAT_TOOL, CHAT_TOOL]})["tools"] == [CHAT_TOOL, CHAT_TOOL]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look"}, NAMED),
        ({"type": "function", "name": "look"}, NAMED),
        ({"type": "auto", "later": 1}, {"type": "auto", "later": 1}),
    ],
)
def test_a_choice_of_another_format_is_one_and_loses_nothing(choice: JSON, wanted: Any) -> None:
    assert rewritten({**PLAIN, "tool_choice": choice})["tool_choice"] == wanted


def test_one_call_at_a_time_is_told_besides() -> None:
    told = rewritten({**PLAIN, "tool_choice": {"type": "any", "disable_parallel_tool_use": True}})
    assert told["tool_choice"] == "required" and told["parallel_tool_calls"] is False


def test_parts_of_responses_are_parts() -> None:
    picture = {"type": "input_image", "image_url": ADDRESS, "detail": "low"}
    content = [{"type": "input_text", "text": "Weather?"}, picture, CHAT_IMAGE]
    [asked] = rewritten({**PLAIN, "messages": [{"role": "user", "content": content}]})["messages"]
    told = {"type": "image_url", "image_url": {"url": ADDRESS, "detail": "low"}}
    assert asked["content"] == [{"type": "text", "text": "Weather?"}, told, CHAT_IMAGE]


@pytest.mark.parametrize(
    "changed",
    [
        {"tools": [{**FLAT_TOOL, "later": 1}]},
        {"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x", "later": 1}]}]},
    ],
)
def test_a_field_that_nobody_knows_is_refused_as_ever(changed: JSON) -> None:
    told = rewritten(PLAIN | changed)
    facts = exchange.read_call("openai_chat", told, NOWHERE)
    with pytest.raises(UnsupportedParameter, match="later"):
        exchange.build_outgoing("openai_chat", Target("gemini", "m"), b"", told, facts)
