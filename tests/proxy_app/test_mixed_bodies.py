"""Bodies that mix two formats' words, posted to `/chat/completions` by agents: each is understood whole, and
a provider of the shape's own format is sent that format's words alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import BadRequest, UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.own_places import in_own_places
from proxy_app.formats.registry import INBOUND
from proxy_app.formats.shapes import read_facts, rewritten, shape_of
from proxy_app.wire import JSON, NOWHERE, Target
from tests.proxy_app.formats.saying import VALUES

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CHAT_TOOL = {"type": "function", "function": {"name": "look", "description": "d", "parameters": SCHEMA}}
FLAT_TOOL = {"type": "function", "name": "look", "description": "d", "parameters": SCHEMA}
CLAUDE_TOOL = {"name": "look", "description": "d", "input_schema": SCHEMA}
DATA = "iVBORw0KGgo="
ADDRESS = f"data:image/png;base64,{DATA}"
CHAT_IMAGE = {"type": "image_url", "image_url": {"url": ADDRESS}}
CLAUDE_IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}

CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Seoul"}'}}
CHAT_TALK: list[JSON] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}, CHAT_IMAGE]},
    {"role": "assistant", "content": None, "refusal": None, "tool_calls": [CHAT_CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "Rain"},
]
CLAUDE_CALL = {"type": "tool_use", "id": "c1", "name": "look", "input": {"city": "Seoul"}}
CLAUDE_TALK: list[JSON] = [
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}, CLAUDE_IMAGE]},
    {"role": "assistant", "content": [CLAUDE_CALL]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "Rain"}]},
]
FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
OPTIONS: JSON = {"tool_choice": "required", "response_format": FORM, "reasoning_effort": "low"}

#: What is mixed, each with the shape it is taken for.
MIXTURES: dict[str, tuple[JSON, str]] = {
    "Messages with Chat tools": (
        {"system": "Be brief.", "messages": CLAUDE_TALK, "tools": [CHAT_TOOL], **OPTIONS},
        "anthropic",
    ),
    "blocks alone with Chat tools": (
        {"messages": [CHAT_TALK[0], *CLAUDE_TALK], "tools": [CHAT_TOOL], **OPTIONS},
        "anthropic",
    ),
    "Chat messages with Messages tools": (
        {"messages": CHAT_TALK, "tools": [CLAUDE_TOOL], **OPTIONS},
        "anthropic",
    ),
    "Chat messages under a system": (
        {"system": [{"type": "text", "text": "Be brief."}], "messages": CHAT_TALK[1:], "tools": [CHAT_TOOL]}
        | OPTIONS,
        "anthropic",
    ),
    "Chat and Messages turns": (
        {"messages": [*CHAT_TALK[:2], *CLAUDE_TALK[1:]], "tools": [FLAT_TOOL], **OPTIONS},
        "anthropic",
    ),
    "Responses with Chat tools": (
        {
            "input": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Weather?"},
                        {"type": "input_image", "image_url": ADDRESS, "detail": "auto"},
                    ],
                },
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"city": "Seoul"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "Rain"},
            ],
            "tools": [CHAT_TOOL],
        }
        | OPTIONS,
        "openai_responses",
    ),
    "Chat messages as input": ({"input": CHAT_TALK, "tools": [CHAT_TOOL], **OPTIONS}, "openai_responses"),
    "Messages turns as input": (
        {"system": "Be brief.", "input": CLAUDE_TALK, "tools": [CLAUDE_TOOL], **OPTIONS},
        "openai_responses",
    ),
}


def send(body: JSON, upstream: str) -> JSON:
    body = {"model": "m", **body}
    shape = shape_of(body)
    told, raw = rewritten(body, shape)
    try:
        facts = read_facts(shape, told, NOWHERE)
        sent = exchange.build_outgoing(shape, Target(upstream, "m"), raw, told, facts).body
    except BadRequest as refused:
        raise in_own_places(refused, body, shape) from None
    assert isinstance(sent, bytes)
    read: JSON = json.loads(sent)
    return read


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_is_understood_whole(name: str) -> None:
    body, shape = MIXTURES[name]
    assert shape_of(body) == shape
    sent = send(body, "gemini")
    assert sent["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    asked, called, given = sent["contents"]
    assert asked["parts"][0] == {"text": "Weather?"}
    assert asked["parts"][1]["inlineData"] == {"mimeType": "image/png", "data": DATA}
    call = called["parts"][0]["functionCall"]
    assert (call["name"], call["args"]) == ("look", {"city": "Seoul"})
    assert given["parts"][0]["functionResponse"]["response"] == {"output": "Rain"}
    [tool] = sent["tools"][0]["functionDeclarations"]
    assert (tool["name"], tool["description"], tool["parametersJsonSchema"]) == ("look", "d", SCHEMA)
    assert sent["toolConfig"]["functionCallingConfig"]["mode"] == "ANY"
    assert sent["generationConfig"]["responseJsonSchema"] == SCHEMA
    assert sent["generationConfig"]["thinkingConfig"]


@pytest.mark.parametrize("name", [name for name, (_, shape) in MIXTURES.items() if shape == "anthropic"])
def test_a_provider_of_messages_is_sent_messages_alone(name: str) -> None:
    sent = send(MIXTURES[name][0], "anthropic")
    system = sent["system"]
    assert system == "Be brief." or [block["text"] for block in system] == ["Be brief."]
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][0]["content"][1] == CLAUDE_IMAGE
    assert sent["messages"][1]["content"] == [CLAUDE_CALL]
    assert sent["messages"][2]["content"] == CLAUDE_TALK[2]["content"]
    assert sent["tools"] == [CLAUDE_TOOL] and sent["tool_choice"] == {"type": "any"}
    assert sent["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert not {"response_format", "reasoning_effort"} & sent.keys() and sent["max_tokens"] == 32000


@pytest.mark.parametrize("name", [name for name, (_, shape) in MIXTURES.items() if shape != "anthropic"])
def test_a_provider_of_responses_is_sent_responses_alone(name: str) -> None:
    sent = send(MIXTURES[name][0], "openai_responses")
    items = sent["input"]
    assert sent.get("instructions") == "Be brief." or items.pop(0)["content"] == "Be brief."
    asked, call, output = items
    assert [part["type"] for part in asked["content"]] == ["input_text", "input_image"]
    assert asked["content"][1]["image_url"] == ADDRESS
    assert (call["type"], call["call_id"], json.loads(call["arguments"])) == (
        "function_call",
        "c1",
        {"city": "Seoul"},
    )
    assert output == {"type": "function_call_output", "call_id": "c1", "output": "Rain"}
    assert sent["tools"] == [FLAT_TOOL] and sent["tool_choice"] == "required"
    assert sent["text"]["format"] == {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    assert sent["reasoning"] == {"effort": "low"} and "response_format" not in sent


@pytest.mark.parametrize(
    ("shape", "choice", "wanted"),
    [
        ("anthropic", "none", {"type": "none"}),
        ("anthropic", {"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}),
        ("anthropic", {"type": "any"}, {"type": "any"}),
        ("openai_responses", {"type": "tool", "name": "look"}, {"type": "function", "name": "look"}),
        (
            "openai_responses",
            {"type": "function", "function": {"name": "f"}},
            {"type": "function", "name": "f"},
        ),
        ("openai_responses", {"type": "any"}, "required"),
        ("openai_responses", {"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
    ],
)
def test_a_choice_is_told_in_the_words_of_the_shape(shape: str, choice: Any, wanted: Any) -> None:
    body = {"model": "m", "messages": [], "input": [], "tools": [CHAT_TOOL], "tool_choice": choice}
    assert rewritten(body, shape)[0]["tool_choice"] == wanted


def test_the_smaller_words_of_chat_have_their_counterparts_in_messages() -> None:
    body = {"system": "x", "messages": CHAT_TALK[1:2], "tools": [CHAT_TOOL], "stop": "END"}
    told, _ = rewritten({**body, "parallel_tool_calls": False, "reasoning_effort": "none"}, "anthropic")
    assert told["stop_sequences"] == ["END"] and told["thinking"] == {"type": "disabled"}
    assert told["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert rewritten({**body, "reasoning_effort": "minimal"}, "anthropic")[0]["output_config"] == {
        "effort": "low"
    }


def test_results_in_a_row_are_one_users_turn() -> None:
    calls = [{**CHAT_CALL, "id": call_id} for call_id in ("c1", "c2")]
    results = [{"role": "tool", "tool_call_id": call_id, "content": "Rain"} for call_id in ("c1", "c2")]
    body = {"system": "x", "messages": [CHAT_TALK[1], {"role": "assistant", "tool_calls": calls}, *results]}
    [*_, last] = rewritten(body, "anthropic")[0]["messages"]
    assert [block["tool_use_id"] for block in last["content"]] == ["c1", "c2"]


def test_arguments_that_are_no_object_are_kept_as_the_text_they_are() -> None:
    call = {**CHAT_CALL, "function": {"name": "look", "arguments": "{oops"}}
    body = {"system": "x", "messages": [CHAT_TALK[1], {"role": "assistant", "tool_calls": [call]}]}
    [_, said] = rewritten(body, "anthropic")[0]["messages"]
    assert said["content"][0]["input"] == {"invalid_json": "{oops"}


@pytest.mark.parametrize("name", MIXTURES)
def test_several_answers_are_refused_by_name_and_one_is_what_is_given(name: str) -> None:
    body, shape = MIXTURES[name]
    with pytest.raises(UnsupportedParameter) as refused:
        rewritten({**body, "n": 3}, shape)
    assert refused.value.param == "n"
    for one in (None, 1):
        assert rewritten({**body, "n": one}, shape) == rewritten(body, shape)


@pytest.mark.parametrize("name", [name for name, (_, shape) in MIXTURES.items() if shape == "anthropic"])
@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses", "gemini", "bedrock_converse"])
def test_a_limit_that_nobody_named_is_made_up_for_a_provider_of_messages_alone(
    name: str, upstream: str
) -> None:
    body = MIXTURES[name][0]
    assert '"max' not in json.dumps(send(body, upstream)).lower()
    assert send({**body, "max_completion_tokens": 77}, "anthropic")["max_tokens"] == 77
    assert "77" in json.dumps(send({**body, "max_tokens": 77}, upstream))


def test_how_long_openai_keeps_a_prompt_is_told_to_responses_too() -> None:
    body = MIXTURES["Chat messages as input"][0]
    sent = send({**body, "prompt_cache_retention": "24h"}, "openai_responses")
    assert sent["prompt_cache_retention"] == "24h"


HINTS: JSON = dict.fromkeys(INBOUND["openai_chat"].known.body.hints, "mark") | {
    "store": False,
    "safety_identifier": "alice",
    "verbosity": "low",
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logprobs": False,
    "logit_bias": {},
    "modalities": ["text"],
}


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("hint", HINTS)
def test_what_changes_no_plain_chat_is_taken_in_every_shape(name: str, hint: str) -> None:
    body, shape = MIXTURES[name]
    assert send({**body, hint: HINTS[hint]}, "gemini") == send(body, "gemini")
    if shape == "anthropic":
        sent = send({**body, hint: HINTS[hint]}, shape)
        told = {"metadata": {"user_id": "alice"}} if hint == "safety_identifier" else {}
        assert sent == send(body, shape) | told


@pytest.mark.parametrize("name", MIXTURES)
def test_a_penalty_or_probabilities_that_are_wanted_are_refused_by_name(name: str) -> None:
    for asked in ({"frequency_penalty": 0.5}, {"logprobs": True}):
        with pytest.raises(UnsupportedParameter) as refused:
            send(MIXTURES[name][0] | asked, "bedrock_converse")
        assert refused.value.param in asked


PLACES = ("messages", "input", "tools", "tool_choice", "system", "text")
OTHERS = ("response_format", "reasoning_effort", "output_config", "stop", "parallel_tool_calls")


@given(
    name=st.sampled_from(sorted(MIXTURES)),
    places=st.dictionaries(st.sampled_from(PLACES + OTHERS), VALUES, max_size=3),
    role=VALUES,
)
def test_whatever_stands_there_is_understood_or_refused(name: str, places: JSON, role: Any) -> None:
    body = json.loads(json.dumps(MIXTURES[name][0])) | places
    for message in body.get("messages") or body.get("input") or ():
        if isinstance(message, dict):
            message["content"] = role
    try:
        shape = shape_of(body)
        if shape != "openai_chat":
            send(body, "gemini")
    except BadRequest as refused:
        assert refused.detail
