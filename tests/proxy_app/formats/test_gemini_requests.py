"""Gemini bodies: what is read of them, relayed byte for byte, carried to each provider or refused by name."""

import base64
from typing import Any

import orjson
import pytest

from gateway_project.errors import InvalidBody
from proxy_app.formats import exchange
from proxy_app.formats.gemini.conversation import parse_request
from proxy_app.formats.gemini.schemas import json_schema
from proxy_app.formats.gemini.signatures import UNSIGNED
from proxy_app.wire import (
    NOWHERE,
    Address,
    Audio,
    Conversation,
    File,
    Image,
    Reasoning,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

HERE = Address("gemini-3-pro", False, {})
PNG = base64.b64encode(b"\xfb\xff\x89PNG").decode()
HI: Any = {"role": "user", "parts": [{"text": "Hi"}]}
WEATHER = {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
NOW = {"name": "now", "description": "The time", "parametersJsonSchema": {"type": "object"}}
TOOLS = [{"functionDeclarations": [WEATHER, NOW]}]


def parse(address: Address = HERE, **body: Any) -> Conversation:
    body = {"contents": [HI], **body}
    return parse_request(body, exchange.read_call("gemini", body, address))


def parts(*wire: Any, role: str = "user") -> list[Any]:
    return parse(contents=[{"role": role, "parts": list(wire)}]).turns[-1].parts


def build(wire: str, **body: Any) -> Any:
    body = {"contents": [HI], **body}
    raw = orjson.dumps(body)
    facts = exchange.read_call("gemini", body, HERE)
    return orjson.loads(exchange.build_outgoing("gemini", Target(wire, "up"), raw, body, facts).body)


def test_facts_of_a_call() -> None:
    body = {
        "contents": "Hi",
        "generation_config": {"maxOutputTokens": 9.0, "candidate_count": 2},
        "labels": {"user_id": "eve", "session": "s1", "team": "red", "n": 7},
    }
    facts = exchange.read_call("gemini", body, Address("models/gemini-3-pro", True, {"alt": "sse"}))
    assert (facts.model, facts.stream, facts.framing, facts.wants_usage) == (
        "gemini-3-pro",
        True,
        "sse",
        True,
    )
    assert (facts.max_output_tokens, facts.candidates) == (9, 2)
    assert (facts.end_user, facts.session, facts.tags) == ("eve", "s1", ("team:red",))


@pytest.mark.parametrize(
    ("stream", "alt", "framing", "kind"),
    [
        (True, "sse", "sse", "text/event-stream"),
        (True, "json", "array", "application/json; charset=utf-8"),
        (True, None, "array", "application/json; charset=utf-8"),
        (False, None, "sse", "text/event-stream"),
    ],
)
def test_without_alt_sse_a_stream_is_one_array(
    stream: bool, alt: str | None, framing: str, kind: str
) -> None:
    address = Address("m", stream, {} if alt is None else {"alt": alt})
    facts = exchange.read_call("gemini", {"contents": [HI]}, address)
    assert facts.framing == framing
    assert exchange.stream_content_type("gemini", facts) == kind


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": [HI], "generationConfig": []}, "generationConfig"),
        ({"contents": [HI], "generationConfig": {"maxOutputTokens": -1}}, "generationConfig.maxOutputTokens"),
        ({"contents": [HI], "generationConfig": {"candidateCount": 999}}, "generationConfig.candidateCount"),
        ({"contents": [HI], "labels": 7}, "labels"),
        ({"contents": [HI], "generationConfig": {"topP": 1, "top_p": 1}}, None),
    ],
)
def test_wrong_types_are_named_whatever_the_provider(body: Any, param: str | None) -> None:
    with pytest.raises(InvalidBody) as caught:
        exchange.read_call("gemini", body, HERE)
    assert caught.value.param == (param or "generationConfig.topP")
    with pytest.raises(InvalidBody):
        exchange.read_call("gemini", {"contents": [HI]}, NOWHERE)


RAW = (
    b'{ "contents": [{"role": "user", "parts": [{"text": "\\u00e9", "new": 1.10}]}],\n'
    b'"generation_config": {"topK": 4.0, "big": 12345678901234567890123}, "x": {"a": 1, "a": 2}}'
)


@pytest.mark.parametrize(
    ("address", "quirks", "path"),
    [
        (HERE, {}, "/v1beta/models/up:generateContent"),
        (Address("m", True, {"alt": "sse"}), {}, "/v1beta/models/up:streamGenerateContent?alt=sse"),
        (Address("m", True), {"api_version": "v1"}, "/v1/models/up:streamGenerateContent?alt=sse"),
    ],
)
def test_the_same_format_is_relayed_byte_for_byte(address: Address, quirks: Any, path: str) -> None:
    body = orjson.loads(RAW)
    facts = exchange.read_call("gemini", body, address)
    outgoing = exchange.build_outgoing("gemini", Target("gemini", "up", quirks), RAW, body, facts)
    assert (outgoing.path, outgoing.body) == (path, RAW)


def test_what_the_gateway_wrote_for_another_family_is_taken_out_of_a_relay() -> None:
    sealed = base64.b64encode(b"gatehouse.anthropic.c2ln").decode()
    model = {"role": "model", "parts": []}
    body: Any = {
        "contents": [
            HI,
            {**model, "parts": [{"text": "hm", "thought": True, "thought_signature": sealed}]},
            {
                **model,
                "parts": [
                    {"text": "hm", "thought": True, "thoughtSignature": sealed},
                    {"functionCall": {"name": "f", "args": {"n": 1}}, "thoughtSignature": UNSIGNED},
                    {"text": "own", "thoughtSignature": "c2ln"},
                ],
            },
        ]
    }
    raw = orjson.dumps(body).replace(b'"n":1', b'"n":12345678901234567890123')
    facts = exchange.read_call("gemini", body, HERE)
    for model_name, mark in (("gemini-3-pro", "skip_thought_signature_validator"), ("gemini-2.5-pro", None)):
        outgoing = exchange.build_outgoing("gemini", Target("gemini", model_name), raw, body, facts)
        assert b"12345678901234567890123" in outgoing.body
        told = orjson.loads(outgoing.body)["contents"]
        assert [turn["role"] for turn in told] == ["user", "model"]
        call, own = told[1]["parts"]
        assert call.get("thoughtSignature") == mark and own == {"text": "own", "thoughtSignature": "c2ln"}


@pytest.mark.parametrize(
    "contents",
    [
        "Hi",
        ["Hi"],
        {"parts": [{"text": "Hi"}]},
        {"parts": {"text": "Hi"}},
        [{"role": "user", "parts": ["Hi"]}],
        [HI],
    ],
)
def test_contents_come_in_many_forms(contents: Any) -> None:
    assert parse(contents=contents).turns == [Turn("user", [Text("Hi")])]


@pytest.mark.parametrize(
    "instruction",
    ["Be brief", {"parts": {"text": "Be brief"}}, {"role": "user", "parts": [{"text": "Be brief"}]}],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_instruction_is_a_system_turn(instruction: Any, name: str) -> None:
    assert parse(**{name: instruction}).turns[0] == Turn("system", [Text("Be brief")])


def test_media_is_read_in_either_spelling_and_either_alphabet() -> None:
    urlsafe = PNG.replace("+", "-").replace("/", "_").rstrip("=")
    assert urlsafe != PNG
    found = parts(
        {"inline_data": {"mimeType": "image/png", "data": urlsafe}},
        {"inlineData": {"mime_type": "application/pdf", "data": PNG, "displayName": "a.pdf"}},
        {"inlineData": {"mimeType": "audio/wav", "data": PNG}},
        {"fileData": {"file_uri": "https://x.test/a.jpg"}},
        {"fileData": {"fileUri": "https://x.test/a", "mimeType": "application/pdf"}},
        {"fileData": {"fileUri": "gs://bucket/a.pdf", "mimeType": "application/pdf"}},
        {"text": "and", "partMetadata": {"some_name": 1}, "mediaResolution": {"level": "LOW"}},
    )
    assert found == [
        Image(data=PNG, media_type="image/png"),
        File(data=PNG, media_type="application/pdf", filename="a.pdf"),
        Audio(PNG, "audio/wav"),
        Image(url="https://x.test/a.jpg", media_type="image/jpeg"),
        File(url="https://x.test/a", media_type="application/pdf"),
        File(file_id="gs://bucket/a.pdf", media_type="application/pdf"),
        Text("and"),
    ]
    assert found[0].path == "contents[0].parts[0]"


def test_results_find_their_calls_by_id_else_by_name_in_order() -> None:
    call = {"functionCall": {"name": "weather", "args": {"city_name": 1}}}
    named = {"function_call": {"id": "fn-7", "name": "now"}}
    result: Any = {"name": "weather", "response": {"output": "sun"}}
    turns = parse(
        contents=[
            HI,
            {"role": "model", "parts": [call, call, named]},
            {
                "role": "function",
                "parts": [
                    {"functionResponse": {"id": "fn-7", "name": "x", "response": {"error": {"code": 1}}}},
                    {"functionResponse": result},
                    {"function_response": {**result, "response": {"result": 7, "more": 1}}},
                ],
            },
        ]
    ).turns
    assert turns[1].parts == [
        ToolCall("call_0", "weather", '{"city_name":1}'),
        ToolCall("call_1", "weather", '{"city_name":1}'),
        ToolCall("fn-7", "now", "{}"),
    ]
    assert turns[2].parts == [
        ToolResult("fn-7", [Text('{"code":1}')], "now", is_error=True),
        ToolResult("call_0", [Text("sun")], "weather"),
        ToolResult("call_1", [Text('{"result":7,"more":1}')], "weather"),
    ]


def test_a_new_id_is_none_that_the_caller_gave() -> None:
    given = {"functionCall": {"id": "call_1", "name": "f"}}
    found = parts(given, {"functionCall": {"name": "f"}}, role="model")
    assert [part.id for part in found] == ["call_1", "call_2"]


def test_media_stand_in_results() -> None:
    shown = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    response = {"name": "f", "response": {"output": "see"}, "parts": [shown]}
    call = {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}
    turn = parse(contents=[HI, call, {"parts": [{"functionResponse": response}]}]).turns[-1]
    (result,) = turn.parts
    assert isinstance(result, ToolResult)
    assert result.parts == [Text("see"), Image(data=PNG, media_type="image/png")]


def test_signatures_stay_with_who_signed() -> None:
    sealed = base64.urlsafe_b64encode("gatehouse.anthropic.sïg>?".encode()).decode()
    own = "c2l-_w=="
    found = parts(
        {"text": "Think ", "thought": True},
        {"text": "hard.", "thought": True, "thoughtSignature": sealed},
        {"functionCall": {"name": "f"}, "thoughtSignature": own},
        {"functionCall": {"name": "g"}, "thoughtSignature": UNSIGNED},
        {"text": "42", "thoughtSignature": own},
        {"text": "", "thought_signature": own},
        role="model",
    )
    assert found == [
        Thinking("Think hard.", "sïg>?", provider="anthropic"),
        ToolCall("call_0", "f", "{}", own),
        ToolCall("call_1", "g", "{}"),
        Text("42"),
        Thinking("", own, provider="gemini"),
        Thinking("", own, provider="gemini"),
    ]


def test_pieces_of_a_stream_that_come_back_are_joined() -> None:
    """An SDK's chat keeps one content for each piece of a stream."""
    pieces = [{"role": "model", "parts": [{"text": text}]} for text in ("Hel", "lo", " ", "")]
    turns = parse(contents=[HI, *pieces, HI]).turns
    assert [turn.parts for turn in turns] == [[Text("Hi")], [Text("Hello ")], [Text("Hi")]]


def test_hints_and_housekeeping_are_dropped() -> None:
    hints = {
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        "store": True,
        "model": "models/x",
        "labels": {"a": "canary"},
        "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "responseModalities": ["TEXT"]},
    }
    for wire in ("openai_chat", "openai_responses", "anthropic"):
        assert build(wire, **hints) == build(wire)


def test_parameters_keep_their_meaning() -> None:
    found = parse(
        generation_config={
            "temperature": "0.5",
            "topP": 0.25,
            "topK": 4.0,
            "seed": "-7",
            "stop_sequences": ["END"],
            "presencePenalty": 0.1,
            "frequency_penalty": 0.2,
            "responseLogprobs": False,
            "maxOutputTokens": "99",
            "thinkingConfig": {"thinking_level": "HIGH", "includeThoughts": True},
        },
        service_tier="STANDARD",
    )
    sampling = found.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed) == (0.5, 0.25, 4, -7)
    assert (sampling.stop, sampling.presence_penalty, sampling.frequency_penalty) == (["END"], 0.1, 0.2)
    assert found.max_output_tokens == 99
    assert found.reasoning == Reasoning("high", None, True) and found.service_tier == "default"


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        ({"thinkingBudget": 0}, Reasoning(None, 0)),
        ({"thinkingBudget": -1, "includeThoughts": False}, Reasoning(None, -1, False)),
        ({"thinkingLevel": "minimal", "thinkingBudget": 9}, Reasoning("minimal")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
        ({}, None),
    ],
)
def test_thinking(thinking: Any, reasoning: Reasoning | None) -> None:
    assert parse(generationConfig={"thinkingConfig": thinking}).reasoning == reasoning


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "any"}, ToolChoice("required")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
        ({"mode": "VALIDATED", "allowed_function_names": ["now"]}, ToolChoice("auto", ("now",))),
        ({"mode": "ANY", "allowedFunctionNames": ["now"]}, ToolChoice("required", ("now",))),
        ({}, None),
    ],
)
def test_tool_choices(calling: Any, choice: ToolChoice | None) -> None:
    assert parse(tools=TOOLS, tool_config={"function_calling_config": calling}).tool_choice == choice


def test_schemas_of_both_styles_become_json_schema() -> None:
    weather, now = parse(tools=TOOLS).tools
    assert weather.schema == {"type": "object", "properties": {"city": {"type": "string"}}}
    assert (now.schema, now.description) == ({"type": "object"}, "The time")
    styled = {
        "type": "OBJECT",
        "required": ["a_b"],
        "propertyOrdering": ["a_b"],
        "properties": {
            "a_b": {"type": "STRING", "nullable": True, "enum": ["x"], "max_length": "5"},
            "list": {
                "type": "ARRAY",
                "minItems": 1,
                "items": {"any_of": [{"type": "INTEGER"}, {"ref": "#/$defs/d"}]},
            },
            "type": {"type": "TYPE_UNSPECIFIED", "title": "t"},
        },
        "defs": {"d": {"type": "NULL"}},
    }
    assert json_schema(styled, "p") == {
        "type": "object",
        "required": ["a_b"],
        "properties": {
            "a_b": {"type": ["string", "null"], "enum": ["x", None], "maxLength": 5},
            "list": {
                "type": "array",
                "minItems": 1,
                "items": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/d"}]},
            },
            "type": {"title": "t"},
        },
        "$defs": {"d": {"type": "null"}},
    }


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({}, "text"),
        ({"responseMimeType": "text/plain"}, "text"),
        ({"responseMimeType": "application/json"}, "json"),
        ({"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}}, "schema"),
        ({"responseMimeType": "application/json", "response_json_schema": {"type": "object"}}, "schema"),
    ],
)
def test_output_formats(config: Any, kind: str) -> None:
    output = parse(generationConfig=config).output
    assert (output.kind, output.schema) == (kind, {"type": "object"} if kind == "schema" else None)


TALK: Any = [
    HI,
    {"role": "model", "parts": [{"functionCall": {"name": "now", "args": {"zone": "utc"}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "now", "response": {"result": "noon"}}}]},
]


def test_a_tool_loop_reaches_every_other_format_with_one_id() -> None:
    chat = build("openai_chat", contents=TALK, tools=TOOLS)["messages"]
    assert (chat[1]["tool_calls"][0]["id"], chat[2]["tool_call_id"]) == ("call_0", "call_0")
    claude = build("anthropic", contents=TALK, tools=TOOLS)["messages"]
    assert claude[1]["content"][0]["id"] == claude[2]["content"][0]["tool_use_id"] == "call_0"
    items = build("openai_responses", contents=TALK, tools=TOOLS)["input"]
    assert [item.get("call_id") for item in items] == [None, "call_0", "call_0"]


def test_a_signed_thought_of_claude_goes_back_to_claude_alone() -> None:
    sealed = base64.b64encode(b"gatehouse.anthropic.c2ln").decode()
    said = [{"text": "hm", "thought": True, "thoughtSignature": sealed}, *TALK[1]["parts"]]
    talk = [HI, {"role": "model", "parts": said}, TALK[2]]
    block = build("anthropic", contents=talk, tools=TOOLS)["messages"][1]["content"][0]
    assert block == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    for wire in ("openai_chat", "openai_responses"):
        assert b"c2ln" not in orjson.dumps(build(wire, contents=talk, tools=TOOLS))
