"""Tools that a caller's own provider runs (its search of the web, its sandbox), left out of a body that goes
to another's model, where an admin wants that. What the caller runs itself (a shell, a computer) stays, and is
refused where tools are read: its calls would be waited for. Pure.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats.gemini.spelling import respelt
from proxy_app.formats.reading import as_list, as_object
from proxy_app.wire import JSON

#: Types of such tools, in all of their versions.
_OPENAIS = re.compile(
    r"(web_search|x_search|live_search|browser_search|file_search|collections_search|code_interpreter"
    r"|image_generation|mcp)[a-z0-9_]{0,40}"
)
_ANTHROPICS = re.compile(
    r"(web_search|web_fetch|code_execution|tool_search_tool|advisor|mcp_toolset)[a-z0-9_]{0,40}"
)
#: Gemini has them by a field's name.
_GEMINIS = frozenset(
    {
        *("googleSearch", "googleSearchRetrieval", "enterpriseWebSearch", "parallelAiSearch", "googleMaps"),
        *("urlContext", "codeExecution", "fileSearch", "retrieval", "mcpServers"),
    }
)


@dataclass(slots=True)
class _Sifted:
    """A body without them; what was left out, as an answer's header tells it; the names they had."""

    body: JSON
    left_out: dict[str, None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def keep(self, tools: Any, types: re.Pattern[str]) -> Any:
        """The tools that are not such ones; what is no list stays as it is."""
        if not isinstance(tools, list):
            return tools
        kept = []
        for tool in tools:
            told = as_object(tool)
            kind = told.get("type")
            if kind == "namespace" and "tools" in told:
                kept.append({**told, "tools": self.keep(told["tools"], types)})
            elif isinstance(kind, str) and types.fullmatch(kind) and not _searches_nothing(told):
                self.left_out[f"tools.{kind}"] = None
                self.names.add(str(told.get("name")))
            else:
                kept.append(tool)
        return kept

    def drop(self, name: str) -> None:
        """A field that asks for one of them by being there."""
        if self.body.get(name) not in (None, []):
            del self.body[name]
            self.left_out[name] = None


def leave_out_hosted(inbound: str, body: JSON) -> tuple[JSON, tuple[str, ...]]:
    """The body without such tools, and what was left out. Raises UnsupportedParameter where one of them, or
    any tool while none is left, must be called."""
    sift = _SIFTED.get(inbound)
    if sift is None:
        return body, ()
    sifted = _Sifted(dict(body))
    sift(sifted)
    return (sifted.body, tuple(sifted.left_out)) if sifted.left_out else (body, ())


def _chat(sifted: _Sifted) -> None:
    sifted.drop("web_search_options")
    _openais(sifted)


def _openais(sifted: _Sifted) -> None:
    body = sifted.body
    if "tools" in body:
        body["tools"] = sifted.keep(body["tools"], _OPENAIS)
    has_tools = bool(body.get("tools"))
    if isinstance(body.get("input"), list):
        body["input"] = [_with_kept_tools(sifted, item) for item in body["input"]]
        has_tools = has_tools or any(as_object(item).get("tools") for item in body["input"])
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        choice = body["tool_choice"] = _narrowed(choice)
    _check(sifted, "tool_choice", must_call=choice == "required", has_tools=has_tools)


def _with_kept_tools(sifted: _Sifted, item: Any) -> Any:
    """Tools may stand in the input, beside what is said."""
    if as_object(item).get("type") != "additional_tools" or "tools" not in item:
        return item
    return {**item, "tools": sifted.keep(item["tools"], _OPENAIS)}


def _narrowed(choice: JSON) -> JSON:
    """A choice among tools without such ones; one that leaves nothing is refused where it is read."""
    inner = choice.get("allowed_tools")
    if isinstance(inner, dict):
        return {**choice, "allowed_tools": _narrowed(inner)}
    if not isinstance(choice.get("tools"), list):
        return choice
    kept = [each for each in choice["tools"] if not _OPENAIS.fullmatch(str(as_object(each).get("type")))]
    return {**choice, "tools": kept}


def _anthropic(sifted: _Sifted) -> None:
    body = sifted.body
    sifted.drop("mcp_servers")
    if "tools" in body:
        body["tools"] = sifted.keep(body["tools"], _ANTHROPICS)
    choice = as_object(body.get("tool_choice"))
    named = choice.get("type") == "tool" and choice.get("name") in sifted.names
    kept = {as_object(tool).get("name") for tool in as_list(body.get("tools"))}
    if named and choice.get("name") not in kept:
        raise _must(sifted, "tool_choice")
    must_call = choice.get("type") == "any"
    _check(sifted, "tool_choice", must_call=must_call, has_tools=bool(body.get("tools")))


def _gemini(sifted: _Sifted) -> None:
    body = sifted.body
    tools = body.get("tools")
    kept = []
    for tool in tools if isinstance(tools, list) else [tools]:
        if not isinstance(tool, dict):
            kept.append(tool)
            continue
        told = {name: value for name, value in respelt(tool).items() if value is not None}
        hosted = told.keys() & _GEMINIS
        sifted.left_out |= dict.fromkeys(f"tools.{name}" for name in sorted(hosted))
        if not hosted:
            kept.append(tool)
        elif rest := {name: value for name, value in told.items() if name not in hosted}:
            kept.append(rest)
    if sifted.left_out:
        body["tools"] = kept
    calling = as_object(respelt(as_object(respelt(body).get("toolConfig"))).get("functionCallingConfig"))
    must_call = str(calling.get("mode")).upper() == "ANY"
    _check(sifted, "toolConfig.functionCallingConfig", must_call=must_call, has_tools=bool(kept))


def _check(sifted: _Sifted, where: str, *, must_call: bool, has_tools: bool) -> None:
    if must_call and sifted.left_out and not has_tools:
        raise _must(sifted, where)


def _must(sifted: _Sifted, where: str) -> UnsupportedParameter:
    told = ", ".join(name.removeprefix("tools.") for name in sifted.left_out)
    return UnsupportedParameter(
        f"'{where}' asks for a call, but '{told}' cannot be carried to this model.", param=where
    )


def _searches_nothing(tool: JSON) -> bool:
    """A search that may not leave its provider: nothing is lost, and nothing told."""
    return tool.get("type") == "web_search" and tool.get("external_web_access") is False


_SIFTED: Mapping[str, Callable[[_Sifted], None]] = {
    "openai_chat": _chat,
    "openai_responses": _openais,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
