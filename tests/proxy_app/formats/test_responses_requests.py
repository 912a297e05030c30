"""Responses bodies on their way to each provider: carried whole, or refused by name."""

import base64
from typing import Any

import orjson
import pytest

from gateway_project.errors import BadRequest, InvalidBody, UnsupportedContent, UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.openai_responses.conversation import parse_request
from proxy_app.wire import NOWHERE, Image, Reasoning, Target, Text, Thinking, ToolCall, ToolChoice, ToolResult

PNG = base64.b64encode(b"\x89PNG").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
SHELL = {
    "type": "custom",
    "name": "patch",
    "description": "Apply it.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD"},
}
TARGETS = {"openai_chat": "up", "anthropic": "claude-opus-5", "gemini": "gemini-3-pro"}
CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"n": 1}', "id": "fc_1"}


def sent(wire: str, **body: Any) -> dict[str, Any]:
    body = {"model": "public", "input": "Hi", **body}
    raw = orjson.dumps(body)
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    target = Target(wire, TARGETS.get(wire, "up"))
    return orjson.loads(exchange.build_outgoing("openai_responses", target, raw, body, facts).body)


def turns(*items: Any) -> list[tuple[str, list[Any]]]:
    parsed = parse_request({"model": "m", "input": list(items)})
    return [(turn.role, turn.parts) for turn in parsed.turns]


def said(role: str, *parts: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(parts)}


def test_the_same_format_is_relayed_with_every_value_as_it_was() -> None:
    raw = (
        b'{"model": "public", "big": 12345678901234567890123, "input": [{"type":"future", "x": 1.10}],'
        b'\n"tools": [{"type": "web_search"}], "stream": true, "background": true, "x": {"a": 1, "a": 2}}'
    )
    body = orjson.loads(raw)
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    outgoing = exchange.build_outgoing(
        "openai_responses", Target("openai_responses", 'u"1'), raw, body, facts
    )
    assert (outgoing.path, outgoing.method) == ("/responses", "POST")
    assert outgoing.body == (
        b'{"model":"u\\"1","big":12345678901234567890123,"input":[{"type":"future", "x": 1.10}],'
        b'"tools":[{"type": "web_search"}],"stream":true,"background":true,"x":{"a": 1, "a": 2}}'
    )


def test_what_another_family_signed_is_not_relayed() -> None:
    def thought(seal: str) -> str:
        return f'{{"type": "reasoning", "summary": [], "encrypted_content": "{seal}"}}'

    theirs, ours = thought("gatehouse.anthropic.c2ln"), thought("gAAAA")
    quoted = '{"role": "user", "content": "\\"gatehouse.anthropic.x"}'
    raw = f'{{"model":"m","input":[{theirs}, {ours}, {quoted}]}}'.encode()
    body = orjson.loads(raw)
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    outgoing = exchange.build_outgoing("openai_responses", Target("openai_responses", "m"), raw, body, facts)
    assert outgoing.body == f'{{"model":"m","input":[{ours},{quoted}]}}'.encode()


def test_facts_of_a_call() -> None:
    body = {
        "model": "m",
        "input": [],
        "stream": True,
        "max_output_tokens": 9,
        "safety_identifier": "eve",
        "metadata": {"tags": "a, b"},
        "prompt_cache_key": "session-1",
        "previous_response_id": "resp_1",
    }
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    assert (facts.model, facts.stream, facts.max_output_tokens, facts.end_user) == ("m", True, 9, "eve")
    assert (facts.tags, facts.session, facts.continues) == (("a", "b"), "session-1", "resp_1")
    for conversation in ("conv_1", {"id": "conv_1"}):
        facts = exchange.read_call("openai_responses", {**body, "conversation": conversation}, NOWHERE)
        assert facts.session == "conv_1"


def test_every_item_of_a_conversation_becomes_a_part() -> None:
    found = turns(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        said("assistant", {"type": "output_text", "text": "Let me look.", "annotations": []}),
        CALL,
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** x\n"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
            ],
        },
        {"role": "user", "content": "Thanks."},
    )
    assert found == [
        ("system", [Text("Be brief.")]),
        ("user", [Text("Hi")]),
        (
            "assistant",
            [
                Thinking("", "gAAA", provider="openai", id="rs_1"),
                Text("Let me look."),
                ToolCall("c1", "weather", '{"n": 1}'),
                ToolCall("c2", "patch", '{"input":"*** x\\n"}'),
            ],
        ),
        (
            "user",
            [
                ToolResult("c1", [Text("sunny")], "weather"),
                ToolResult("c2", [Text("see"), Image(None, PNG, "image/png", "low")], "patch"),
            ],
        ),
        ("user", [Text("Thanks.")]),
    ]


@pytest.mark.parametrize("wire", TARGETS)
def test_a_conversation_with_tools_images_and_instructions_reaches_every_provider(wire: str) -> None:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
    body = orjson.dumps(
        sent(
            wire,
            instructions="Answer in rhymes.",
            input=[
                said("user", {"type": "input_text", "text": "Weather?"}, picture),
                CALL,
                {"type": "function_call_output", "call_id": "c1", "output": [picture]},
            ],
            tools=[WEATHER],
        )
    ).decode()
    for told in ("Answer in rhymes.", "Weather?", "weather", "c1"):
        assert told in body
    assert body.count(PNG) == 2


def test_a_signature_comes_back_to_the_family_that_made_it_and_to_no_other() -> None:
    history = [
        {"role": "user", "content": "Hi"},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gatehouse.anthropic.c2ln",
        },
        {"type": "reasoning", "summary": [], "encrypted_content": "gatehouse.anthropic+redacted.cmVk"},
        {"type": "reasoning", "summary": [], "encrypted_content": "openais-own"},
        CALL,
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
    ]
    blocks = sent("anthropic", input=history, reasoning={"effort": "low"})["messages"][1]["content"]
    assert blocks[:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
    ]
    assert [block["type"] for block in blocks[2:]] == ["tool_use"]
    for wire in ("openai_chat", "gemini"):
        assert b"c2ln" not in orjson.dumps(sent(wire, input=history))


def test_parameters_are_carried() -> None:
    body = {
        "model": "m",
        "input": "Hi",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "f", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [WEATHER, SHELL],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "weather"}],
        },
        "parallel_tool_calls": False,
        "service_tier": "flex",
        "metadata": {"a": "b"},
        "store": True,
        "include": ["reasoning.encrypted_content"],
        "truncation": "auto",
        "background": False,
        "prompt_cache_key": "k",
        "client_metadata": {"x": "y"},
    }
    found = parse_request(body)
    assert (found.sampling.temperature, found.sampling.top_p, found.max_output_tokens) == (0.5, 0.9, 50)
    assert found.reasoning == Reasoning("high", None, True)
    assert (found.output.kind, found.output.name, found.output.strict, found.verbosity) == (
        "schema",
        "f",
        True,
        "low",
    )
    assert found.tool_choice == ToolChoice("auto", ("weather",))
    assert (found.parallel_tools, found.service_tier, found.metadata) == (False, "flex", {"a": "b"})
    weather, patch = found.tools
    assert (weather.strict, patch.schema and patch.schema["required"]) == (True, ["input"])
    assert patch.description is not None and "start: WORD" in patch.description


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "weather"}, ToolChoice("required", ("weather",))),
        ({"type": "custom", "name": "patch"}, ToolChoice("required", ("patch",))),
    ],
)
def test_the_choice_among_tools(choice: Any, wanted: ToolChoice) -> None:
    body = {"model": "m", "input": "Hi", "tools": [WEATHER, SHELL], "tool_choice": choice}
    assert parse_request(body).tool_choice == wanted


def test_files_by_address_and_by_data() -> None:
    ((_, parts),) = turns(
        said(
            "user",
            {"type": "input_file", "file_url": "https://x.test/a.pdf"},
            {"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
            {"type": "input_file", "file_data": PNG, "filename": "a.png"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        )
    )
    assert [(type(part).__name__, getattr(part, "media_type", None)) for part in parts] == [
        ("File", "application/pdf"),
        ("File", "application/pdf"),
        ("Image", "image/png"),
        ("Audio", "audio/mp3"),
    ]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": " "}, "model"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"stream": "yes"}, "stream"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"conversation": 7}, "conversation"),
        ({"previous_response_id": 7}, "previous_response_id"),
    ],
)
def test_wrong_types_are_named_whatever_the_provider(change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        exchange.read_call("openai_responses", {"model": "m", "input": "Hi", **change}, NOWHERE)
    assert caught.value.param == param


REFUSED: list[tuple[dict[str, Any], type[BadRequest], str]] = [
    ({"input": []}, InvalidBody, "input"),
    ({"input": [{}]}, InvalidBody, "input[0].type"),
    ({"input": [{"role": "user"}]}, InvalidBody, "input[0].content"),
    ({"input": [said("boss", {})]}, UnsupportedContent, "input[0].role"),
    ({"input": [said("user", {"type": "video"})]}, UnsupportedContent, "input[0].content[0]"),
    (
        {"input": [said("user", {"type": "input_image", "file_id": "file-1"})]},
        UnsupportedContent,
        "input[0].content[0].file_id",
    ),
    ({"input": [{"type": "item_reference", "id": "rs_1"}]}, UnsupportedContent, "input[0]"),
    ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, UnsupportedContent, "input[0]"),
    ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, UnsupportedContent, "input[0]"),
    (
        {"input": [{"type": "function_call_output", "call_id": "no", "output": ""}]},
        InvalidBody,
        "input[0].call_id",
    ),
    ({"tools": [WEATHER, {"type": "web_search"}]}, UnsupportedParameter, "tools[1]"),
    ({"tools": [WEATHER], "tool_choice": {"type": "file_search"}}, UnsupportedParameter, "tool_choice"),
    (
        {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}},
        InvalidBody,
        "tool_choice",
    ),
    ({"tool_choice": "required"}, InvalidBody, "tool_choice"),
    ({"background": True}, UnsupportedParameter, "background"),
    ({"previous_response_id": "resp_1"}, UnsupportedParameter, "previous_response_id"),
    ({"conversation": "conv_1"}, UnsupportedParameter, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, UnsupportedParameter, "prompt"),
    ({"moderation": {"model": "omni"}}, UnsupportedParameter, "moderation"),
    ({"top_logprobs": 3}, UnsupportedParameter, "top_logprobs"),
    ({"include": ["message.output_text.logprobs"]}, UnsupportedParameter, "include"),
    ({"text": {"format": {"type": "xml"}}}, InvalidBody, "text.format.type"),
    ({"reasoning": {"effort": "huge"}}, InvalidBody, "reasoning.effort"),
    ({"reasoning": {"mode": "pro"}}, UnsupportedParameter, "reasoning.mode"),
]


@pytest.mark.parametrize("wire", TARGETS)
@pytest.mark.parametrize(("change", "error", "param"), REFUSED, ids=[param for _, _, param in REFUSED])
def test_what_cannot_be_carried_is_named(
    wire: str, change: dict[str, Any], error: type[BadRequest], param: str
) -> None:
    with pytest.raises(error) as caught:
        sent(wire, **change)
    assert caught.value.param == param
    assert param in caught.value.detail
