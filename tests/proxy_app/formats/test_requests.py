"""Chat Completions bodies on their way to each provider: carried whole, or refused by name."""

import base64
from typing import Any

import orjson
import pytest

from gateway_project.errors import GatehouseError, InvalidBody, UnsupportedContent, UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.wire import NOWHERE, Address, Target

PNG = base64.b64encode(b"\x89PNG").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
USER: dict[str, Any] = {"role": "user", "content": "Hi"}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
NOW = {"type": "function", "function": {"name": "now", "description": "The time", "strict": True}}
TARGETS = {"anthropic": "claude-opus-5", "gemini": "gemini-3-pro"}


def build(wire: str, quirks: dict[str, Any] | None = None, model: str = "", **body: Any) -> dict[str, Any]:
    return sent(wire, quirks, model, **body)[1]


def sent(wire: str, quirks: Any = None, model: str = "", **body: Any) -> tuple[Any, dict[str, Any]]:
    body = {"model": "public", "messages": [USER], **body}
    raw = orjson.dumps(body)
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    target = Target(wire, model or TARGETS.get(wire, "upstream-model"), quirks or {})
    outgoing = exchange.build_outgoing("openai_chat", target, raw, body, facts)
    return outgoing, orjson.loads(outgoing.body)


def call(call_id: str, name: str, arguments: str, **extra: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **extra}


def user(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
WEB_IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg?x=1"}}
FILE = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
TOOL_TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "And kind."}]},
    USER,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            call("call_1", "weather", '{"n": 12345678901234567890123, "city": "Seoul"}'),
            call("call_2", "now", ""),
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "noon"}]},
    {"role": "user", "content": "Thanks. And tomorrow?"},
]


def test_the_same_format_is_relayed_with_every_value_as_it_was() -> None:
    raw = (
        b'{"model": "public", "big": 12345678901234567890123, '
        b'"messages": [{"role": "user", "content": "\\u00e9"}],\n'
        b'"stream": true, "stream_options": {"include_obfuscation": false}, "x": {"a": 1, "a": 2}, "f": 1.10}'
    )
    body = orjson.loads(raw)
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    outgoing = exchange.build_outgoing("openai_chat", Target("openai_chat", 'up"1'), raw, body, facts)
    assert outgoing.path == "/chat/completions"
    assert outgoing.body == (
        b'{"model":"up\\"1","big":12345678901234567890123,'
        b'"messages":[{"role": "user", "content": "\\u00e9"}],"stream":true,'
        b'"stream_options":{"include_obfuscation":false,"include_usage":true},"x":{"a": 1, "a": 2},"f":1.10}'
    )
    assert not facts.wants_usage


def test_usage_is_not_asked_for_where_a_server_refuses_the_option_or_nothing_is_streamed() -> None:
    assert "stream_options" not in build("openai_chat", {"no_stream_options": True}, stream=True)
    assert "stream_options" not in build("openai_chat")
    assert build("openai_chat", stream=True, stream_options=None)["stream_options"] == {"include_usage": True}


def test_facts_of_a_call() -> None:
    body = {
        "model": "m",
        "messages": [USER],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "max_completion_tokens": 9,
        "n": 2,
        "safety_identifier": "eve",
        "metadata": {"tags": ["a", "b", "a", 7, *map(str, range(20))]},
    }
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    assert (facts.model, facts.stream, facts.wants_usage, facts.max_output_tokens) == ("m", True, True, 9)
    assert (facts.candidates, facts.end_user) == (2, "eve")
    assert facts.tags == ("a", "b", "0", "1", "2", "3", "4", "5")
    assert exchange.read_call("openai_chat", {**body, "model": 1}, Address("in-path")).model == "in-path"
    claim = {"model": "m", "messages": [USER], "metadata": {"user_id": "u", "tags": "x, y"}}
    facts = exchange.read_call("openai_chat", claim, NOWHERE)
    assert (facts.end_user, facts.tags, facts.wants_usage) == ("u", ("x", "y"), False)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": " "}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": True}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"user": 5}, "user"),
    ],
)
def test_wrong_types_are_named_whatever_the_provider(change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        exchange.read_call("openai_chat", {"model": "m", "messages": [USER], **change}, NOWHERE)
    assert caught.value.param == param


@pytest.mark.parametrize("wire", TARGETS)
@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": user({"text": "x"})}, "messages[0].content[0].type"),
        ({"messages": user({"type": "text", "text": None})}, "messages[0].content[0].text"),
        ({"messages": user({"type": "image_url", "image_url": "x"})}, "messages[0].content[0].image_url"),
        (
            {"messages": user({"type": "image_url", "image_url": {"url": "data:image/png,x"}})},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": user({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": user({"type": "input_audio", "input_audio": {"data": "x", "format": "ogg"}})},
            "messages[0].content[0].input_audio.format",
        ),
        ({"messages": user({"type": "file", "file": {}})}, "messages[0].content[0].file"),
        (
            {"messages": [USER, {"role": "tool", "tool_call_id": "no", "content": "x"}]},
            "messages[1].tool_call_id",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": [1]}, "stop[0]"),
        ({"stop": 1}, "stop"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [WEATHER], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_a_malformed_field_is_named(wire: str, change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        build(wire, **change)
    assert caught.value.param == param
    assert param in caught.value.detail


UNSUPPORTED: list[tuple[str, dict[str, Any], type[GatehouseError], str]] = [
    ("anthropic", {"messages": user(AUDIO)}, UnsupportedContent, "messages[0].content[0]"),
    ("anthropic", {"model": "claude-sonnet-4", "temperature": 1.5}, UnsupportedParameter, "temperature"),
    ("anthropic", {"frequency_penalty": 0.5}, UnsupportedParameter, "frequency_penalty"),
]
for _wire in TARGETS:
    UNSUPPORTED += [
        (_wire, {"messages": user({"type": "video"})}, UnsupportedContent, "messages[0].content[0]"),
        (
            _wire,
            {"messages": user({"type": "file", "file": {"file_id": "f"}})},
            UnsupportedContent,
            "messages[0].content[0]",
        ),
        (
            _wire,
            {"messages": [{"role": "function", "name": "f", "content": "x"}]},
            UnsupportedContent,
            "messages[0].role",
        ),
        (
            _wire,
            {"messages": [{"role": "system", "content": [IMAGE]}]},
            UnsupportedContent,
            "messages[0].content[0]",
        ),
        (
            _wire,
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}]},
            UnsupportedContent,
            "messages[0].tool_calls[0]",
        ),
        (_wire, {"tools": [{"type": "custom", "custom": {"name": "x"}}]}, UnsupportedParameter, "tools[0]"),
        (_wire, {"n": 2}, UnsupportedParameter, "n"),
        (_wire, {"logprobs": True}, UnsupportedParameter, "logprobs"),
        (_wire, {"logit_bias": {"5": 1}}, UnsupportedParameter, "logit_bias"),
        (_wire, {"modalities": ["text", "audio"]}, UnsupportedParameter, "modalities"),
        (_wire, {"web_search_options": {"x": 1}}, UnsupportedParameter, "web_search_options"),
        (_wire, {"functions": [{"name": "f"}]}, UnsupportedParameter, "functions"),
    ]


@pytest.mark.parametrize(("wire", "change", "kind", "param"), UNSUPPORTED)
def test_what_cannot_be_carried_is_refused_by_name(
    wire: str, change: dict[str, Any], kind: type[GatehouseError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        build(wire, **change)
    assert caught.value.param == param


@pytest.mark.parametrize("wire", TARGETS)
def test_hints_and_claims_are_not_sent(wire: str) -> None:
    hints: dict[str, Any] = {"user": "canary", "safety_identifier": "canary", "metadata": {"a": "canary"}}
    hints |= {
        "store": True,
        "prediction": {"type": "content", "content": "canary"},
        "prompt_cache_key": "canary",
    }
    hints |= {"service_tier": "scale", "verbosity": "low", "stream_options": None, "logprobs": False, "n": 1}
    outgoing, _ = sent(wire, **hints)
    assert b"canary" not in outgoing.body
    assert build(wire, **hints) == build(wire)


def test_claude_gets_its_own_words() -> None:
    outgoing, body = sent("anthropic", messages=TOOL_TALK, tools=[WEATHER, NOW], stop="END", stream=True)
    assert outgoing.path == "/v1/messages"
    assert outgoing.headers["anthropic-version"] == "2026-10-21"
    assert b'"input":{"n": 12345678901234567890123, "city": "Seoul"}' in outgoing.body
    assert body["system"] == [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "And kind."}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [(b["type"], b["id"]) for b in body["messages"][1]["content"]] == [
        ("tool_use", "call_1"),
        ("tool_use", "call_2"),
    ]
    assert body["messages"][1]["content"][1]["input"] == {}
    results = body["messages"][2]["content"]
    assert [block["type"] for block in results] == ["tool_result", "tool_result", "text"]
    assert results[1] == {
        "type": "tool_result",
        "tool_use_id": "call_2",
        "content": [{"type": "text", "text": "noon"}],
    }
    assert body["tools"] == [
        {"name": "weather", "input_schema": {"type": "object", "properties": {}}},
        {
            "name": "now",
            "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
            "description": "The time",
            "strict": True,
        },
    ]
    assert (body["model"], body["stream"], body["stop_sequences"]) == ("claude-opus-5", True, ["END"])


def test_claude_needs_a_limit_of_output() -> None:
    assert build("anthropic")["max_tokens"] == 32000
    assert build("anthropic", {"default_max_tokens": 99})["max_tokens"] == 99
    assert build("anthropic", max_tokens=5)["max_tokens"] == 5
    assert build("anthropic", max_completion_tokens=6)["max_tokens"] == 6


def test_sampling_takes_claude_to_the_version_that_knows_it() -> None:
    outgoing, body = sent("anthropic", model="claude-sonnet-4", temperature=0, top_p=0.5)
    assert outgoing.headers["anthropic-version"] == "2023-06-01"
    assert (body["temperature"], body["top_p"]) == (0, 0.5)


def test_media_for_claude() -> None:
    text_file = {
        "type": "file",
        "file": {"file_data": "data:text/plain;base64," + base64.b64encode("é".encode()).decode()},
    }
    blocks = build("anthropic", messages=user(IMAGE, WEB_IMAGE, FILE, text_file))["messages"][0]["content"]
    assert [block["source"] for block in blocks] == [
        {"type": "base64", "media_type": "image/png", "data": PNG},
        {"type": "url", "url": "https://example.com/a.jpg?x=1"},
        {"type": "base64", "media_type": "application/pdf", "data": PDF},
        {"type": "text", "media_type": "text/plain", "data": "é"},
    ]
    assert blocks[2]["title"] == "a.pdf"


@pytest.mark.parametrize(
    ("choice", "anthropic", "gemini", "tools"),
    [
        ("auto", {"type": "auto"}, {"mode": "AUTO"}, 2),
        ("required", {"type": "any"}, {"mode": "ANY"}, 2),
        ("none", {"type": "none"}, {"mode": "NONE"}, 2),
        (
            {"type": "function", "function": {"name": "now"}},
            {"type": "tool", "name": "now"},
            {"mode": "ANY", "allowedFunctionNames": ["now"]},
            2,
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "now"}}],
                },
            },
            {"type": "auto"},
            {"mode": "AUTO"},
            1,
        ),
    ],
)
def test_tool_choice(choice: Any, anthropic: Any, gemini: Any, tools: int) -> None:
    body = build("anthropic", tools=[WEATHER, NOW], tool_choice=choice)
    assert (body["tool_choice"], len(body["tools"])) == (anthropic, tools)
    body = build("gemini", tools=[WEATHER, NOW], tool_choice=choice)
    assert body["toolConfig"]["functionCallingConfig"] == gemini
    assert len(body["tools"][0]["functionDeclarations"]) == tools


def test_one_call_at_a_time() -> None:
    body = build("anthropic", tools=[WEATHER], parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_json_answers() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    assert build("anthropic", response_format=form)["output_config"] == {
        "format": {"type": "json_schema", "schema": schema}
    }
    config = build("gemini", response_format=form)["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": schema}
    assert "JSON" in build("anthropic", response_format={"type": "json_object"})["system"][-1]["text"]
    config = build("gemini", response_format={"type": "json_object"})["generationConfig"]
    assert config == {"responseMimeType": "application/json"}


def test_effort_for_claude() -> None:
    body = build("anthropic", reasoning_effort="high")
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
    assert build("anthropic", reasoning_effort="none")["thinking"] == {"type": "disabled"}
    body = build("anthropic", {"thinking_style": "budget"}, reasoning_effort="medium")
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 8192}
    body = build("anthropic", {"thinking_style": "budget"}, reasoning_effort="high", max_tokens=4000)
    assert body["thinking"]["budget_tokens"] < body["max_tokens"] == 4000
    body = build("anthropic", {"thinking_style": "budget"}, reasoning_effort="high", max_tokens=100)
    assert body["thinking"] == {"type": "disabled"}


def test_thinking_is_off_where_the_signed_thought_of_a_tool_call_is_lost() -> None:
    talk = TOOL_TALK[:-1]
    assert build("anthropic", messages=talk, reasoning_effort="low")["thinking"] == {"type": "disabled"}
    block = {"index": 0, "type": "thinking", "thinking": "hm", "signature": "c2ln"}
    signed = [*talk[:3], {**talk[3], "thinking_blocks": [block]}, *talk[4:]]
    body = build("anthropic", messages=signed, reasoning_effort="low")
    assert body["thinking"] == {"type": "adaptive"}
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


def test_no_provider_gets_anothers_signature() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "canary"}
    extra = {"extra_content": {"google": {"thought_signature": "canary"}}}
    assistant = {"role": "assistant", "content": None, "tool_calls": [call("c", "now", "{}", **extra)]}
    talk = [USER, assistant, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    assert b"canary" not in sent("anthropic", messages=talk)[0].body
    thought = [USER, {"role": "assistant", "content": "x", "thinking_blocks": [block]}, USER]
    assert b"canary" not in sent("gemini", messages=thought)[0].body
    assert b'"thoughtSignature":"canary"' in sent("gemini", messages=talk)[0].body


def test_gemini_gets_its_own_words() -> None:
    outgoing, body = sent(
        "gemini", messages=TOOL_TALK, tools=[WEATHER, NOW], stop=["a"], seed=7, max_tokens=9, top_p=0.5
    )
    assert outgoing.path == "/v1beta/models/gemini-3-pro:generateContent"
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "And kind."}]}
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
    assert b'"args":{"n": 12345678901234567890123, "city": "Seoul"}' in outgoing.body
    assert [part["functionResponse"] for part in body["contents"][2]["parts"][:2]] == [
        {"id": "call_1", "name": "weather", "response": {"output": "sunny"}},
        {"id": "call_2", "name": "now", "response": {"output": "noon"}},
    ]
    calls = body["contents"][1]["parts"]
    assert calls[0]["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in calls[1]
    assert (
        body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]
        == WEATHER["function"]["parameters"]
    )
    assert body["generationConfig"] == {"maxOutputTokens": 9, "topP": 0.5, "seed": 7, "stopSequences": ["a"]}


def test_addresses_of_gemini() -> None:
    path = sent("gemini", {"api_version": "v1"}, "models/a b", stream=True)[0].path
    assert path == "/v1/models/a%20b:streamGenerateContent?alt=sse"
    assert sent("gemini", model="x?y#z")[0].path == "/v1beta/models/x%3Fy%23z:generateContent"


def test_media_for_gemini() -> None:
    parts = build("gemini", messages=user(IMAGE, WEB_IMAGE, FILE, AUDIO))["contents"][0]["parts"]
    assert parts == [
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"fileData": {"fileUri": "https://example.com/a.jpg?x=1", "mimeType": "image/jpeg"}},
        {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
    ]


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash", "medium", {"thinkingBudget": 8192}),
        ("gemini-3-pro", "minimal", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro", "max", {"thinkingLevel": "HIGH"}),
    ],
)
def test_effort_for_gemini(model: str, effort: str, config: Any) -> None:
    assert build("gemini", model=model, reasoning_effort=effort)["generationConfig"] == {
        "thinkingConfig": config
    }


@pytest.mark.parametrize("wire", TARGETS)
def test_a_system_message_alone_is_the_question(wire: str) -> None:
    body = build(wire, messages=[{"role": "system", "content": "Say hi"}])
    turns = body["messages"] if wire == "anthropic" else body["contents"]
    assert [turn["role"] for turn in turns] == ["user"]


@pytest.mark.parametrize("wire", TARGETS)
def test_a_later_system_message_and_empty_texts(wire: str) -> None:
    talk = [USER, {"role": "assistant", "content": ""}, {"role": "system", "content": "Now in French"}]
    body = build(wire, messages=talk)
    (turn,) = body["messages"] if wire == "anthropic" else body["contents"]
    parts = turn["content"] if wire == "anthropic" else turn["parts"]
    assert [part["text"] for part in parts] == ["Hi", "Now in French"]


@pytest.mark.parametrize("arguments", ["{oops", "[1]", '"x"', "null", "7"])
def test_arguments_that_are_no_object_are_wrapped(arguments: str) -> None:
    talk = [
        USER,
        {"role": "assistant", "tool_calls": [call("c", "now", arguments)]},
        {"role": "tool", "tool_call_id": "c", "content": "bad"},
    ]
    wrapped = {"invalid_json": arguments}
    assert build("anthropic", messages=talk)["messages"][1]["content"][0]["input"] == wrapped
    assert build("gemini", messages=talk)["contents"][1]["parts"][0]["functionCall"]["args"] == wrapped


def test_cache_marks_reach_claude() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = build(
        "anthropic",
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Long", "cache_control": mark}]},
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": mark}]},
        ],
        tools=[{**WEATHER, "cache_control": mark}],
    )
    assert body["system"][0]["cache_control"] == mark
    assert body["messages"][0]["content"][0]["cache_control"] == mark
    assert body["tools"][0]["cache_control"] == mark
