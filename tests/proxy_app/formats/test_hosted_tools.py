"""Tools that a caller's own provider runs: refused elsewhere, or left out and told where an admin says so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway_project.errors import InvalidBody, UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.hosted import leave_out_hosted
from proxy_app.wire import NOWHERE, Address, Target
from tests.proxy_app import harness
from tests.proxy_app.pairs.speaking import FORMATS, question, where

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION: dict[str, Any] = {
    "openai_chat": {"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}},
    "openai_responses": {"type": "function", "name": "look_up", "parameters": SCHEMA},
    "anthropic": {"name": "look_up", "input_schema": SCHEMA},
    "gemini": {"functionDeclarations": [{"name": "look_up", "parametersJsonSchema": SCHEMA}]},
}
OTHER = {  # a provider of another format for each caller
    "openai_chat": "anthropic",
    "openai_responses": "openai_chat",
    "anthropic": "openai_chat",
    "gemini": "openai_chat",
}
DROPS = {"drop_hosted_tools": True}
HOSTED = [
    ("openai_chat", [{"type": "web_search"}], "tools.web_search"),
    ("openai_chat", [{"type": "mcp", "server_label": "x", "server_url": "https://x.test"}], "tools.mcp"),
    ("openai_responses", [{"type": "web_search", "external_web_access": True}], "tools.web_search"),
    ("openai_responses", [{"type": "web_search_preview_2025_03_11"}], "tools.web_search_preview_2025_03_11"),
    (
        "openai_responses",
        [{"type": "code_interpreter", "container": {"type": "auto"}}, {"type": "file_search"}],
        "tools.code_interpreter, tools.file_search",
    ),
    ("openai_responses", [{"type": "image_generation"}], "tools.image_generation"),
    (
        "anthropic",
        [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
        "tools.web_search_20250305",
    ),
    (
        "anthropic",
        [{"type": "code_execution_20260521", "name": "x"}, {"type": "web_fetch_20260318", "name": "y"}],
        "tools.code_execution_20260521, tools.web_fetch_20260318",
    ),
    ("anthropic", [{"type": "mcp_toolset", "mcp_server_name": "x"}], "tools.mcp_toolset"),
    ("gemini", [{"googleSearch": {}}], "tools.googleSearch"),
    (
        "gemini",
        [{"google_search": {}, "code_execution": {}}, {"urlContext": {}}],
        "tools.codeExecution, tools.googleSearch, tools.urlContext",
    ),
]


def built(inbound: str, quirks: dict[str, Any], wire: str = "", **more: Any) -> tuple[Any, tuple[str, ...]]:
    body = question(inbound) | more
    facts = exchange.read_call(inbound, body, Address("m") if inbound == "gemini" else NOWHERE)
    target = Target(wire or OTHER[inbound], "m", quirks)
    outgoing = exchange.build_outgoing(inbound, target, orjson.dumps(body), body, facts)
    assert isinstance(outgoing.body, bytes)
    return orjson.loads(outgoing.body), outgoing.dropped


@pytest.mark.parametrize(("inbound", "tools", "told"), HOSTED)
@pytest.mark.parametrize("with_function", [True, False])
def test_they_are_refused_by_name_or_left_out_and_told(
    inbound: str, tools: list[Any], told: str, with_function: bool
) -> None:
    offered = [*tools, FUNCTION[inbound]] if with_function else tools
    with pytest.raises(UnsupportedParameter, match="cannot be carried"):
        built(inbound, {}, tools=offered)
    sent, dropped = built(inbound, DROPS, tools=offered)
    assert ", ".join(dropped) == told
    names = [tool.get("name") or tool["function"]["name"] for tool in sent.get("tools", [])]
    assert names == (["look_up"] if with_function else [])
    assert with_function or "tool_choice" not in sent


@pytest.mark.parametrize(
    ("inbound", "field"),
    [
        ("openai_chat", {"web_search_options": {}}),
        ("anthropic", {"mcp_servers": [{"type": "url", "name": "x", "url": "https://x.test"}]}),
    ],
)
def test_a_field_that_asks_for_one_goes_too(inbound: str, field: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameter):
        built(inbound, {}, **field)
    assert built(inbound, DROPS, **field)[1] == tuple(field)


@pytest.mark.parametrize(
    ("inbound", "kind"),
    [
        ("openai_responses", {"type": "local_shell"}),
        ("openai_responses", {"type": "shell"}),
        ("openai_responses", {"type": "computer"}),
        ("openai_responses", {"type": "web_searching machine\n"}),
        ("openai_chat", {"type": "custom", "custom": {"name": "x"}}),
        ("anthropic", {"type": "bash_20250124", "name": "bash"}),
        ("anthropic", {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}),
        ("anthropic", {"type": "computer_20251124", "name": "computer"}),
        ("anthropic", {"type": "memory_20250818", "name": "memory"}),
        ("gemini", {"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}),
    ],
)
def test_what_the_caller_runs_itself_is_refused_all_the_same(inbound: str, kind: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameter, match="cannot be carried"):
        built(inbound, DROPS, tools=[FUNCTION[inbound], kind])


WEB = {
    "openai_chat": {"type": "web_search"},
    "openai_responses": {"type": "web_search"},
    "anthropic": {"type": "web_search_20250305", "name": "web_search"},
    "gemini": {"googleSearch": {}},
}
ANY = {"functionCallingConfig": {"mode": "ANY"}}


@pytest.mark.parametrize(
    ("inbound", "choice", "tools"),
    [
        ("openai_chat", {"tool_choice": "required"}, ["web"]),
        ("openai_chat", {"tool_choice": {"type": "web_search"}}, ["web", "function"]),
        ("openai_responses", {"tool_choice": "required"}, ["web"]),
        ("openai_responses", {"tool_choice": {"type": "web_search"}}, ["web", "function"]),
        (
            "openai_responses",
            {"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]}},
            ["web", "function"],
        ),
        ("anthropic", {"tool_choice": {"type": "any"}}, ["web"]),
        ("anthropic", {"tool_choice": {"type": "tool", "name": "web_search"}}, ["web", "function"]),
        ("gemini", {"toolConfig": ANY}, ["web"]),
        ("gemini", {"tool_config": {"function_calling_config": {"mode": "any"}}}, ["web"]),
    ],
)
def test_a_choice_that_forces_one_is_refused(inbound: str, choice: dict[str, Any], tools: list[str]) -> None:
    offered = [WEB[inbound] if tool == "web" else FUNCTION[inbound] for tool in tools]
    with pytest.raises((UnsupportedParameter, InvalidBody)) as raised:
        built(inbound, DROPS, tools=offered, **choice)
    assert (raised.value.param or "").startswith(("tool_choice", "toolConfig"))
    assert raised.value.status_code == 400


@pytest.mark.parametrize(
    ("inbound", "choice"),
    [
        ("openai_chat", {"tool_choice": "required"}),
        ("openai_responses", {"tool_choice": "required"}),
        ("openai_responses", {"tool_choice": {"type": "function", "name": "look_up"}}),
        ("anthropic", {"tool_choice": {"type": "tool", "name": "look_up"}}),
        ("gemini", {"toolConfig": ANY}),
    ],
)
def test_a_choice_of_what_stays_is_carried(inbound: str, choice: dict[str, Any]) -> None:
    sent, dropped = built(inbound, DROPS, tools=[WEB[inbound], FUNCTION[inbound]], **choice)
    assert len(sent["tools"]) == len(dropped) == 1
    assert any(word in str(sent["tool_choice"]) for word in ("required", "any", "look_up"))


def test_a_choice_among_several_is_narrowed_to_what_stays() -> None:
    tools = [{"type": "web_search"}, {"type": "function", "name": "look_up"}]
    choice = {"type": "allowed_tools", "mode": "auto", "tools": tools}
    offered = [WEB["openai_responses"], FUNCTION["openai_responses"]]
    sent, _ = built("openai_responses", DROPS, tools=offered, tool_choice=choice)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["look_up"]


def test_tools_in_the_input_and_in_a_namespace_are_sifted_too() -> None:
    function = FUNCTION["openai_responses"]
    items = [
        {"role": "user", "content": "hi"},
        {"type": "additional_tools", "tools": [{"type": "mcp", "server_label": "x"}, function]},
    ]
    inner = {"type": "namespace", "name": "n", "tools": [{"type": "web_search"}, {**function, "name": "f"}]}
    sent, dropped = built("openai_responses", DROPS, input=items, tools=[inner], tool_choice="required")
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["n__f", "look_up"]
    assert dropped == ("tools.web_search", "tools.mcp")


@pytest.mark.parametrize("inbound", FORMATS)
@pytest.mark.parametrize("tools", [None, [], {}, "x", 3, [None], [3], [[]], [{}], [{"type": None}]])
def test_a_body_without_them_is_not_touched(inbound: str, tools: Any) -> None:
    body = {"tools": tools, "input": [None, 3, {"type": "additional_tools"}], "tool_choice": tools}
    assert leave_out_hosted(inbound, body) == (body, ())
    silent = {"tools": [{"type": "web_search", "external_web_access": False}]}  # Codex's: dropped unsaid
    assert leave_out_hosted("openai_responses", silent) == (silent, ())


@pytest.mark.parametrize("inbound", FORMATS)
async def test_the_answer_s_header_tells_of_them(tmp_path: Path, inbound: str) -> None:
    seen: list[httpx.Request] = []
    wire = OTHER[inbound]

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        whole = {"anthropic": harness.message({"type": "text", "text": "Hi"})}.get(wire, harness.completion())
        return httpx.Response(200, json=whole)

    entry = harness.deployment("alpha", wire)
    entry = replace(entry, provider=replace(entry.provider, quirks=DROPS))
    gate = harness.gateway(tmp_path, script, harness.model("gpt", entry))
    body = question(inbound) | {"tools": [WEB[inbound], FUNCTION[inbound]]}
    answer = await gate.ask(body, **where(inbound, False))
    kind = "googleSearch" if inbound == "gemini" else WEB[inbound]["type"]
    assert answer.status == 200, answer.body
    assert answer.headers["x-gatehouse-dropped"] == f"tools.{kind}"
    assert b"look_up" in seen[0].content and b"earch" not in seen[0].content
