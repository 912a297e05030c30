"""Anthropic bodies on their way to each provider: relayed unchanged, carried whole, or refused by name."""

import base64
from typing import Any

import orjson
import pytest

from gateway_project.errors import GatehouseError, InvalidBody, UnsupportedContent
from gateway_project.errors import UnsupportedParameter as NotTaken
from proxy_app.formats import exchange
from proxy_app.formats.anthropic.conversation import parse_request
from proxy_app.wire import NOWHERE, Address, Citation, File, Image, Reasoning, Target, Text, Thinking

PNG = base64.b64encode(b"\x89PNG").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
USER: dict[str, Any] = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: dict[str, Any] = {"name": "weather", "input_schema": SCHEMA}
MARKED = {"type": "ephemeral", "ttl": "1h"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
WEB_IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x.test/a.jpg"}}
DOCUMENT = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Seoul"}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
LOOP: list[dict[str, Any]] = [
    USER,
    {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "Let me look."}, CALL]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]},
]


def body_with(**change: Any) -> dict[str, Any]:
    return {"model": "public", "max_tokens": 99, "messages": [USER], **change}


def outgoing_for(wire: str, body: dict[str, Any], raw: bytes | None = None, **quirks: Any) -> Any:
    raw = orjson.dumps(body) if raw is None else raw
    facts = exchange.read_call("anthropic", body, NOWHERE)
    return exchange.build_outgoing("anthropic", Target(wire, "up", quirks), raw, body, facts)


def build(wire: str, **change: Any) -> dict[str, Any]:
    return orjson.loads(outgoing_for(wire, body_with(**change)).body)


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def parts_of(*blocks: Any, role: str = "user") -> list[Any]:
    (turn,) = parse_request(body_with(messages=[{"role": role, "content": list(blocks)}])).turns
    return turn.parts


#: Values of a tool loop with thoughts, cache marks and fields of the future.
VALUES = {
    "max_tokens": b"99",
    "thinking": b'{"type": "adaptive", "x": 1.10}',
    "system": b'[{"type": "text", "text": "x-anthropic-billing-header: cc=1",\n "cache_control": null}]',
    "messages": b'[{"role": "user", "content": "\\u00e9"}, {"role": "assistant", "content": ['
    b'{"type": "thinking", "thinking": "", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "d"}, '
    b'{"type": "tool_use", "id": "t", "name": "n", "input": {"n": 12345678901234567890123, "a": 1, "a": 2}},'
    b'{"type": "novel", "cache_control": {"type": "ephemeral"}}]}]',
    "stream": b"true",
    "novel": b"[1.0]",
}


def test_the_same_format_is_relayed_with_every_value_as_it_was() -> None:
    def written(model: bytes, between: bytes) -> bytes:
        fields = {"model": model, **VALUES}
        return b"{%b}" % b",".join(b'"%b":%b%b' % (k.encode(), between, v) for k, v in fields.items())

    raw = written(b'"public"', b" \n")
    outgoing = outgoing_for("anthropic", orjson.loads(raw), raw)
    assert outgoing.path == "/v1/messages"
    assert outgoing.body == written(b'"up"', b"")


def test_a_provider_of_the_format_is_told_the_version_the_body_needs_and_the_callers_own_wins() -> None:
    assert outgoing_for("anthropic", body_with()).headers["anthropic-version"] == "2026-10-21"
    assert outgoing_for("anthropic", body_with(top_k=4)).headers["anthropic-version"] == "2023-06-01"
    assert exchange.forwarded("anthropic", Target("anthropic", "m")) == {
        "anthropic-version",
        "anthropic-beta",
    }
    assert not exchange.forwarded("anthropic", Target("gemini", "m"))


def test_what_the_gateway_wrote_for_others_is_not_sent_to_claude() -> None:
    foreign = {"type": "thinking", "thinking": "hm", "signature": "gatehouse.openai.c2ln"}
    unsigned = {"type": "thinking", "thinking": "hm", "signature": "gatehouse.unsigned."}
    hidden = {"type": "redacted_thinking", "data": "gatehouse.openai+redacted.c2ln"}
    ours = {"type": "web_search_result_location", "encrypted_index": "gatehouse.citation", "url": "u"}
    theirs = {"type": "web_search_result_location", "encrypted_index": "abc", "url": "u"}
    text = {"type": "text", "text": "gatehouse.x", "citations": [ours, theirs]}
    messages = [
        {"role": "user", "content": "what is gatehouse.unsigned.?"},
        {"role": "assistant", "content": [foreign, unsigned, hidden]},
        {"role": "assistant", "content": [THOUGHT, text, CALL]},
    ]
    assert build("anthropic", messages=messages)["messages"] == [
        messages[0],
        {"role": "assistant", "content": [THOUGHT, {**text, "citations": [theirs]}, CALL]},
    ]
    (turn,) = parse_request(body_with(messages=messages[1:2])).turns
    assert turn.parts == [
        Thinking("hm", "c2ln", provider="openai"),
        Thinking("hm"),
        Thinking("", redacted="c2ln", provider="openai"),
    ]


def test_facts_of_a_call() -> None:
    facts = exchange.read_call(
        "anthropic",
        body_with(stream=True, metadata={"user_id": "eve", "tags": ["a", "b", "a", 7]}),
        NOWHERE,
    )
    assert (facts.model, facts.stream, facts.wants_usage, facts.max_output_tokens) == (
        "public",
        True,
        True,
        99,
    )
    assert (facts.end_user, facts.session, facts.tags) == ("eve", None, ("a", "b"))
    assert exchange.read_call("anthropic", body_with(model=1), Address(model="path")).model == "path"
    assert exchange.read_call("anthropic", body_with(max_tokens=0), NOWHERE).max_output_tokens == 0


UUID = "12345678-1234-1234-1234-123456789abc"


@pytest.mark.parametrize(
    ("claim", "end_user", "session"),
    [
        (f"user_ab12_account_{UUID}_session_{UUID}", f"user_ab12_account_{UUID}", UUID),
        (f"user_ab12_account__session_{UUID}", "user_ab12_account_", UUID),
        (orjson.dumps({"device_id": "d", "account_uuid": UUID, "session_id": "s"}).decode(), UUID, "s"),
        (orjson.dumps({"device_id": "d", "account_uuid": "", "session_id": "s"}).decode(), "d", "s"),
        ('{"device_id": "d"}', '{"device_id": "d"}', None),
        ("{oops", "{oops", None),
        ("my_session_of_today", "my_session_of_today", None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_claude_code_names_its_user_and_its_session(claim: Any, end_user: Any, session: Any) -> None:
    facts = exchange.read_call("anthropic", body_with(metadata={"user_id": claim}), NOWHERE)
    assert (facts.end_user, facts.session) == (end_user, session)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": " "}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"stream": "yes"}, "stream"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)
def test_wrong_types_are_named_whatever_the_provider(change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        exchange.read_call("anthropic", body_with(**change), NOWHERE)
    assert caught.value.param == param


def test_a_server_that_heeds_no_names_is_offered_the_named_tool_alone() -> None:
    body = body_with(tools=[WEATHER, {**WEATHER, "name": "now"}], tool_choice={"type": "tool", "name": "now"})
    usual, narrow = (
        orjson.loads(outgoing_for("openai_chat", body, no_named_tools=quirk).body) for quirk in (False, True)
    )
    assert [tool["function"]["name"] for tool in usual["tools"]] == ["weather", "now"]
    assert usual["tool_choice"] == {"type": "function", "function": {"name": "now"}}
    assert [tool["function"]["name"] for tool in narrow["tools"]] == ["now"]
    assert narrow["tool_choice"] == "required"


AT = "messages[0].content[0]"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        (user({"text": "x"}), f"{AT}.type"),
        (user({"type": "text"}), f"{AT}.text"),
        (user({"type": "image"}), f"{AT}.source"),
        (user({"type": "image", "source": {"type": "ftp"}}), f"{AT}.source.type"),
        (user({"type": "image", "source": {"type": "url", "url": "file:///x"}}), f"{AT}.source.url"),
        (user({"type": "document", "source": {"type": "url", "url": "x"}}), f"{AT}.source.url"),
        (user({"type": "document", "source": {"type": "zip"}}), f"{AT}.source.type"),
        (user({"type": "tool_result", "tool_use_id": "no"}), f"{AT}.tool_use_id"),
        ({"messages": [{"role": "assistant", "content": [{**CALL, "input": "{}"}]}]}, f"{AT}.input"),
        ({"system": 7}, "system"),
        ({"system": [{"type": "text", "text": 7}]}, "system[0].text"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
        ({"tools": [WEATHER], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ],
)
@pytest.mark.parametrize("wire", ["openai_chat", "gemini"])
def test_a_malformed_field_is_named(wire: str, change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        build(wire, **change)
    assert caught.value.param == param and param in caught.value.detail


CITED = {"citations": {"enabled": True}}
SERVER_BLOCKS = [
    "server_tool_use",
    "web_search_tool_result",
    "container_upload",
    "mcp_tool_use",
    "compaction",
]


@pytest.mark.parametrize(
    ("change", "kind", "param"),
    [
        *[
            ({"messages": [{"role": "assistant", "content": [{"type": block}]}]}, UnsupportedContent, AT)
            for block in SERVER_BLOCKS
        ],
        ({"messages": [{"role": "assistant", "content": [IMAGE]}]}, UnsupportedContent, AT),
        ({"messages": [{"role": "system", "content": [IMAGE]}]}, UnsupportedContent, AT),
        (user(CALL), UnsupportedContent, AT),
        (user({"type": "image", "source": {"type": "file", "file_id": "f"}}), UnsupportedContent, AT),
        (user({"type": "document", "source": {"type": "file", "file_id": "f"}}), UnsupportedContent, AT),
        (user({**DOCUMENT, **CITED}), UnsupportedContent, f"{AT}.citations"),
        (
            user({"type": "search_result", "source": "s", "title": "t", "content": [], **CITED}),
            UnsupportedContent,
            f"{AT}.citations",
        ),
        ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, NotTaken, "tools[0]"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, NotTaken, "tools[0]"),
        ({"mcp_servers": [{"name": "x"}]}, NotTaken, "mcp_servers"),
        ({"container": "c"}, NotTaken, "container"),
        ({"thread": {"type": "create"}}, NotTaken, "thread"),
        ({"compaction": {"x": 1}}, NotTaken, "compaction"),
        ({"inference_geo": "eu"}, NotTaken, "inference_geo"),
        ({"max_tokens": 0}, NotTaken, "max_tokens"),
        ({"novel": 1}, NotTaken, "novel"),
        (
            {"context_management": {"edits": [{"type": "compact_20260112"}]}},
            NotTaken,
            "context_management.edits[0]",
        ),
    ],
)
@pytest.mark.parametrize("wire", ["openai_chat", "gemini"])
def test_what_cannot_be_carried_is_refused_by_name(
    wire: str, change: dict[str, Any], kind: type[GatehouseError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        build(wire, **change)
    assert caught.value.param == param


@pytest.mark.parametrize("wire", ["openai_chat", "gemini"])
def test_hints_and_claims_are_not_sent(wire: str) -> None:
    tool = {"allowed_callers": ["canary"], "defer_loading": True, "input_examples": [{"a": "canary"}]}
    hints: dict[str, Any] = {
        "metadata": {"user_id": "canary"},
        "speed": "fast",
        "diagnostics": {"previous_message_id": "canary"},
        "user_profile_id": "canary",
        "fallbacks": [{"model": "canary"}],
        "betas": ["canary"],
        "output_config": {"task_budget": {"type": "tokens", "total": 5}},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "container": None,
        "mcp_servers": [],
        "system": [{"type": "text", "text": "x-anthropic-billing-header: canary"}],
    }
    body = body_with(**hints, tools=[{**WEATHER, **tool}])
    assert b"canary" not in outgoing_for(wire, body).body
    assert orjson.loads(outgoing_for(wire, body).body) == build(wire, tools=[WEATHER])


def test_a_conversation_reaches_a_chat_provider_in_its_words() -> None:
    closed = {**SCHEMA, "required": ["city"], "additionalProperties": False}
    strict = {**WEATHER, "input_schema": closed}
    body = build(
        "openai_chat",
        system=[
            {"type": "text", "text": "x-anthropic-billing-header: x"},
            {"type": "text", "text": "Be brief."},
        ],
        messages=[
            *LOOP,
            {"role": "system", "content": "Now French."},
            {"role": "assistant", "content": "Il"},
        ],
        tools=[{**strict, "type": "custom", "strict": True, "description": "The weather"}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        temperature=0.5,
        output_config={"effort": "xhigh", "format": {"type": "json_schema", "schema": SCHEMA}},
        stream=True,
    )
    assert [message["role"] for message in body["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "system",
        "assistant",
    ]
    assert body["messages"][0]["content"] == "Be brief."
    assert body["messages"][2]["tool_calls"][0]["function"] == {
        "name": "weather",
        "arguments": '{"city":"Seoul"}',
    }
    assert (body["messages"][3]["tool_call_id"], body["messages"][3]["content"]) == ("toolu_1", "sunny")
    assert body["messages"][5]["content"] == "Il"  # begun for the model to go on from
    function = {"name": "weather", "parameters": closed, "strict": True, "description": "The weather"}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    assert (body["stop"], body["temperature"], body["reasoning_effort"]) == (["END"], 0.5, "xhigh")
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (body["max_completion_tokens"], body["stream"]) == (99, True)


@pytest.mark.parametrize(
    ("change", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, Reasoning("none")),
        ({"thinking": {"type": "adaptive"}}, Reasoning()),
        ({"thinking": {"type": "between_tools"}}, Reasoning()),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Reasoning(include_thoughts=False)),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, Reasoning(include_thoughts=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Reasoning(budget_tokens=2048)),
        ({"output_config": {"effort": "max"}}, Reasoning("max")),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, Reasoning("low")),
    ],
)
def test_thinking(change: dict[str, Any], reasoning: Any) -> None:
    assert parse_request(body_with(**change)).reasoning == reasoning


def test_media_and_documents() -> None:
    assert parts_of({**IMAGE, "cache_control": MARKED}, WEB_IMAGE) == [
        Image(data=PNG, media_type="image/png", cache_control=MARKED),
        Image(url="https://x.test/a.jpg"),
    ]
    assert parts_of({**DOCUMENT, "title": "a.pdf", "context": "Of 2026.", "cache_control": MARKED}) == [
        Text("Of 2026."),
        File(data=PDF, media_type="application/pdf", filename="a.pdf", cache_control=MARKED),
    ]
    by_url = {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}}
    assert parts_of(by_url) == [File(url="https://x.test/a.pdf", media_type="application/pdf")]
    plain = {"type": "text", "media_type": "text/plain", "data": "Long."}
    assert parts_of({"type": "document", "source": plain, "title": "T", "context": "C"}) == [
        Text("T\nC\n\nLong.")
    ]
    made = {"type": "content", "content": [{"type": "text", "text": "a"}, IMAGE]}
    assert parts_of({"type": "document", "source": made, "title": "T", "cache_control": MARKED}) == [
        Text("T"),
        Text("a"),
        Image(data=PNG, media_type="image/png", cache_control=MARKED),
    ]
    found = {"type": "search_result", "source": "https://x.test", "title": "X"}
    assert parts_of({**found, "content": [{"type": "text", "text": "words"}]}) == [
        Text("X\nhttps://x.test\n\nwords")
    ]


def test_tool_results_keep_what_is_in_them() -> None:
    blocks = [{"type": "text", "text": "look:"}, IMAGE, DOCUMENT]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": blocks, "is_error": True}
    messages = [LOOP[0], LOOP[1], {"role": "user", "content": [{"type": "text", "text": "so?"}, result]}]
    turn = parse_request(body_with(messages=messages)).turns[-1]
    assert [type(part).__name__ for part in turn.parts] == ["Text", "ToolResult"]
    told: Any = turn.parts[1]
    assert [type(part).__name__ for part in told.parts] == ["Text", "Image", "File"]
    assert (told.name, told.is_error) == ("weather", True)
    response = build("gemini", messages=messages)["contents"][-1]["parts"][0]["functionResponse"]
    assert response["response"] == {"error": "look:"} and len(response["parts"]) == 2
    chat = build("openai_chat", messages=messages)["messages"][-2:]
    assert chat[0]["role"] == "tool"
    assert [part["type"] for part in chat[1]["content"]] == ["text", "image_url", "file"]


def test_citations_of_earlier_answers_are_read() -> None:
    cited = [
        {"type": "web_search_result_location", "url": "https://a.test", "title": "A", "cited_text": "a"},
        {"type": "char_location", "document_index": 0, "document_title": "D", "cited_text": "d"},
        {"type": "search_result_location", "source": "https://b.test", "title": None, "cited_text": "b"},
    ]
    (part,) = parts_of({"type": "text", "text": "x", "citations": cited}, role="assistant")
    assert part.citations == [
        Citation("https://a.test", "A", "a"),
        Citation(None, "D", "d"),
        Citation("https://b.test", "https://b.test", "b"),
    ]


# ---------------------------------------------------------------- system messages, as Claude Code writes them

HI = {"role": "user", "content": "Hi"}
SO = {"role": "assistant", "content": "So"}


def system(content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": "system", **({} if content is None else {"content": content}), **more}


@pytest.mark.parametrize(
    ("messages", "roles"),
    [
        ([HI, system("now", clear_at="next_user_message")], ["user", "system"]),
        ([HI, system("now", clear_at="next_user_message"), SO, HI], ["user", "assistant", "user"]),
        ([HI, system("always", clear_at="never"), SO, HI], ["user", "system", "assistant", "user"]),
        ([HI, system([], output_config={"effort": "low"})], ["user"]),
        ([HI, system(output_config={"effort": "low"})], ["user"]),
    ],
)
def test_a_system_message_is_shown_as_long_as_it_says(messages: Any, roles: list[str]) -> None:
    assert [turn.role for turn in parse_request(body_with(messages=messages)).turns] == roles


@pytest.mark.parametrize(
    ("messages", "effort"),
    [
        ([HI, system([], output_config={"effort": "high"})], "high"),
        (
            [HI, system("x", output_config={"effort": "high"}), system([], output_config={"effort": "max"})],
            "max",
        ),
        ([HI, system([], output_config={"effort": "high"}), SO, HI], "low"),
        ([HI], "low"),
    ],
)
def test_the_effort_of_a_turn_counts_more_than_that_of_the_request(messages: Any, effort: str) -> None:
    told = parse_request(body_with(messages=messages, output_config={"effort": "low"})).reasoning
    assert told is not None and told.effort == effort


def test_a_system_message_without_a_word_or_a_setting_is_refused() -> None:
    with pytest.raises(InvalidBody, match="content"):
        parse_request(body_with(messages=[HI, system()]))


@pytest.mark.parametrize("silent", [system([]), system(""), system(output_config={"effort": "low"})])
def test_messages_of_which_none_says_anything_are_refused(silent: Any) -> None:
    with pytest.raises(InvalidBody) as caught:
        build("openai_chat", system="Be brief.", messages=[silent, silent])
    assert caught.value.param == "messages"
