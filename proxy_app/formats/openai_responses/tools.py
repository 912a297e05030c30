"""Tools of Responses and the choice among them, both ways. Hosted tools are refused by name.

Tools may stand in a namespace, and in the input beside what is said; other formats know one flat list.
A namespaced tool is offered there as `namespace__name`, and its calls come back under both names.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway_project.errors import InvalidBody, UnsupportedParameter
from proxy_app.formats.reading import Fields, as_list, as_object, as_text, wrong_type
from proxy_app.wire import JSON, Tool, ToolChoice

_CUSTOM_SCHEMA: JSON = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": ["input"],
    "additionalProperties": False,
}


_LONGEST_NAME = 64  # characters; the shortest limit of the formats


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as the caller named it, and whether its input is free text."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


def flat_name(name: str, namespace: str | None) -> str:
    """What a tool is called where there are no namespaces; a name that gets too long keeps its start."""
    if namespace is None:
        return name
    flat = f"{namespace}__{name}"
    if len(flat) <= _LONGEST_NAME:
        return flat
    return f"{flat[: _LONGEST_NAME - 9]}_{sha256(flat.encode()).hexdigest()[:8]}"


def parse_tools(fields: Fields) -> list[Tool]:
    """Every tool a request offers, wherever it stands; what the input repeats counts once."""
    tools = list(_flattened(fields.objects("tools")))
    if isinstance(fields.get("input"), list):
        known = {tool.name for tool in tools}
        for item in fields.objects("input"):
            if item.get("type") == "additional_tools":
                more = [tool for tool in _flattened(item.objects("tools")) if tool.name not in known]
                tools += more
                known.update(tool.name for tool in more)
    return tools


def _flattened(tools: Iterable[Fields], namespace: str | None = None) -> Iterator[Tool]:
    for tool in tools:
        if tool.text("type") == "namespace" and namespace is None:
            yield from _flattened(tool.objects("tools"), tool.text("name"))
        elif tool.get("type") == "web_search" and tool.get("external_web_access") is False:
            continue  # a search that may search nothing: nothing is lost
        else:
            yield _tool(tool, namespace)


def _tool(tool: Fields, namespace: str | None) -> Tool:
    kind = tool.text("type")
    if kind == "function":
        return Tool(
            name=flat_name(tool.text("name"), namespace),
            description=tool.maybe_text("description"),
            schema=tool.maybe_json("parameters"),
            strict=tool.maybe_flag("strict"),
            cache_control=tool.maybe_json("cache_control"),
        )
    if kind == "custom":
        name = flat_name(tool.text("name"), namespace)
        return Tool(name, _custom_description(tool), _CUSTOM_SCHEMA)
    raise UnsupportedParameter(
        f"'{tool.path}': tools of the type '{kind[:60]}' cannot be carried to this model.", param=tool.path
    )


def _custom_description(tool: Fields) -> str | None:
    """The description, and the grammar the input must follow, which no function can enforce."""
    described, form = tool.maybe_text("description"), tool.maybe_object("format")
    if form is None or form.maybe_text("type") in (None, "text"):
        return described
    syntax, definition = form.maybe_text("syntax") or "", form.maybe_text("definition") or ""
    grammar = f"The input must follow this grammar ({syntax}):\n{definition}"
    return f"{described}\n\n{grammar}" if described else grammar


def offered_tools(request: JSON) -> dict[str, Offered]:
    """Those tools of a request whose calls are answered otherwise than as a plain function's, by the
    name they were offered under elsewhere."""
    tools = [*as_list(request.get("tools"))]
    for item in map(as_object, as_list(request.get("input"))):
        if item.get("type") == "additional_tools":
            tools += as_list(item.get("tools"))
    offered: dict[str, Offered] = {}
    for tool in map(as_object, tools):
        if tool.get("type") == "namespace":
            for inner in map(as_object, as_list(tool.get("tools"))):
                _offer(offered, inner, as_text(tool.get("name")))
        elif tool.get("type") == "custom":
            _offer(offered, tool, None)
    return offered


def _offer(offered: dict[str, Offered], tool: JSON, namespace: str | None) -> None:
    name = as_text(tool.get("name"))
    offered[flat_name(name, namespace)] = Offered(name, namespace, tool.get("type") == "custom")


def parse_tool_choice(fields: Fields, tools: list[Tool]) -> ToolChoice | None:
    value: Any = fields.get("tool_choice")
    if value is None:
        return None
    if value in ("auto", "required", "none"):
        choice = ToolChoice(value)
    elif isinstance(value, dict):
        choice = _named_choice(fields.object("tool_choice"))
    else:
        raise wrong_type("tool_choice", "auto, required, none or an object")
    known = {tool.name for tool in tools}
    for name in choice.names:
        if name not in known:
            raise InvalidBody(
                f"'tool_choice' names '{name[:80]}', which is not in 'tools'.", param="tool_choice"
            )
    if choice.mode == "required" and not tools:
        raise InvalidBody("'tool_choice' needs 'tools'.", param="tool_choice")
    return choice


def _named_choice(choice: Fields) -> ToolChoice:
    kind = choice.text("type")
    if kind in ("function", "custom"):
        return ToolChoice("required", (_chosen(choice),))
    if kind != "allowed_tools":
        raise UnsupportedParameter(
            f"'tool_choice': the type '{kind[:60]}' cannot be carried to this model.", param="tool_choice"
        )
    mode = choice.maybe_text("mode") or "auto"
    if mode not in ("auto", "required"):
        raise wrong_type(choice.at("mode"), "auto or required")
    names = tuple(_chosen(tool) for tool in choice.objects("tools"))
    if not names:
        raise InvalidBody(f"'{choice.at('tools')}' must not be empty.", param=choice.at("tools"))
    return ToolChoice("required" if mode == "required" else "auto", names)


def _chosen(tool: Fields) -> str:
    return flat_name(tool.text("name"), tool.maybe_text("namespace"))


def build_tool(tool: Tool) -> JSON:
    """A function. `strict` is always told: the format takes a missing one for true."""
    built: JSON = {
        "type": "function",
        "name": tool.name,
        "parameters": tool.schema if tool.schema is not None else {"type": "object", "properties": {}},
        "strict": bool(tool.strict),
    }
    if tool.description is not None:
        built["description"] = tool.description
    return built


def build_tool_choice(choice: ToolChoice) -> JSON | str:
    if not choice.names:
        return choice.mode
    tools: list[JSON] = [{"type": "function", "name": name} for name in choice.names]
    if choice.mode == "required" and len(tools) == 1:
        return tools[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
