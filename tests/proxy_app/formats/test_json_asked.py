"""JSON mode and strict tools as OpenAI wants to be asked for them, whatever the caller's format has."""

from typing import Any

import orjson
import pytest

from proxy_app.formats.carrying import JSON_INSTRUCTION
from proxy_app.formats.exchange import build_outgoing
from proxy_app.formats.registry import INBOUND
from proxy_app.formats.strictness import can_be_strict
from proxy_app.wire import Address, Outgoing, Target


def build(caller: str, provider: str, body: dict[str, Any]) -> Outgoing:
    body = {"model": "public", **body}
    facts = INBOUND[caller].read_call(body, Address("public"))
    return build_outgoing(caller, Target(provider, "m"), orjson.dumps(body), body, facts)


def sent(caller: str, provider: str, body: dict[str, Any]) -> dict[str, Any]:
    return orjson.loads(build(caller, provider, body).body)


def json_mode(caller: str, text: str, system: str = "") -> dict[str, Any]:
    told = [{"role": "system", "content": system}] if system else []
    form = {"type": "json_object"}
    match caller:
        case "openai_chat":
            return {"messages": [*told, {"role": "user", "content": text}], "response_format": form}
        case "openai_responses":
            return {"input": text, "text": {"format": form}} | ({"instructions": system} if system else {})
    body = {"contents": [{"parts": [{"text": text}]}]}
    body |= {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
    return {**body, "generationConfig": {"responseMimeType": "application/json"}}


@pytest.mark.parametrize("provider", ["openai_chat", "cohere"])
@pytest.mark.parametrize("caller", ["gemini", "openai_responses"])
def test_a_conversation_without_the_word_asks_for_json_in_words(caller: str, provider: str) -> None:
    body = sent(caller, provider, json_mode(caller, "List three colours"))
    assert body["messages"][0] == {"role": "system", "content": JSON_INSTRUCTION}
    body = sent(caller, provider, json_mode(caller, "List three colours", "Be brief."))
    first, second = body["messages"]
    assert first["content"] == f"Be brief.\n{JSON_INSTRUCTION}" and second["content"] == "List three colours"


@pytest.mark.parametrize("caller", ["gemini", "openai_responses"])
@pytest.mark.parametrize(("text", "system"), [("Three colours as json", ""), ("Three colours", "Say JSON.")])
def test_where_the_word_is_said_nothing_is_added(caller: str, text: str, system: str) -> None:
    assert JSON_INSTRUCTION not in str(sent(caller, "openai_chat", json_mode(caller, text, system)))


@pytest.mark.parametrize("caller", ["gemini", "openai_chat"])
@pytest.mark.parametrize("system", ["", "Answer in JSON."])
def test_responses_are_asked_in_the_input_since_instructions_do_not_count(caller: str, system: str) -> None:
    body = sent(caller, "openai_responses", json_mode(caller, "List three colours", system))
    asking, question = body["input"]
    assert asking["role"] == "developer" and asking["content"][0]["text"] == JSON_INSTRUCTION
    assert question["role"] == "user" and body.get("instructions", "") == system
    assert len(sent(caller, "openai_responses", json_mode(caller, "Colours in JSON", system))["input"]) == 1


@pytest.mark.parametrize("caller", ["openai_chat", "openai_responses"])
def test_the_same_format_is_relayed_without_the_word(caller: str) -> None:
    assert JSON_INSTRUCTION not in str(sent(caller, caller, json_mode(caller, "List three colours")))


# ---------------------------------------------------------------- strict tools

CITY = {"city": {"type": "string"}, "unit": {"type": "string"}}
CLOSED = {"type": "object", "properties": CITY, "required": ["city", "unit"], "additionalProperties": False}
LOOSE = {**CLOSED, "required": ["city"]}


def with_tool(caller: str, schema: dict[str, Any]) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hi"}]
    function = {"name": "look", "strict": True}
    match caller:
        case "anthropic":
            tool = {**function, "input_schema": schema}
            return {"messages": messages, "max_tokens": 9, "tools": [tool]}
        case "openai_chat":
            return {
                "messages": messages,
                "tools": [{"type": "function", "function": {**function, "parameters": schema}}],
            }
    return {"input": "Hi", "tools": [{"type": "function", **function, "parameters": schema}]}


@pytest.mark.parametrize(
    ("caller", "provider"),
    [
        ("anthropic", "openai_chat"),
        ("anthropic", "openai_responses"),
        ("openai_chat", "openai_responses"),
        ("openai_responses", "openai_chat"),
    ],
)
def test_a_tool_that_openai_cannot_be_strict_about_is_offered_loosely_and_told(
    caller: str, provider: str
) -> None:
    loose, strict = (build(caller, provider, with_tool(caller, schema)) for schema in (LOOSE, CLOSED))
    assert loose.dropped == ("tools.strict",) and strict.dropped == ()
    assert b'"strict":true' not in loose.body and b'"strict":true' in strict.body


def test_a_tool_goes_to_claude_as_strict_as_it_is() -> None:
    outgoing = build("openai_chat", "anthropic", with_tool("openai_chat", LOOSE))
    assert b'"strict":true' in outgoing.body and outgoing.dropped == ()


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "object"},
        {"type": ["object", "null"], "properties": {}},
        {"type": "array", "items": LOOSE},
        {"anyOf": [{"type": "string"}, LOOSE]},
        {"oneOf": [{"type": "string"}]},
        {"allOf": [{"type": "string"}]},
        {"type": "string", "default": "x"},
    ],
)
def test_what_openai_refuses_deep_in_a_strict_schema_is_found(inner: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": inner}, "required": ["a"], "additionalProperties": False}
    assert not can_be_strict(schema)
    assert not can_be_strict({**CLOSED, "$defs": {"A": inner}})


def test_words_of_a_schema_may_be_names_of_properties() -> None:
    named = {name: {"type": "string"} for name in ("default", "not", "allOf", "properties")}
    assert can_be_strict({**CLOSED, "properties": named, "required": [*named]})
    assert can_be_strict({**CLOSED, "$defs": {"A": CLOSED}})
    assert not can_be_strict({"anyOf": [CLOSED], **CLOSED})
