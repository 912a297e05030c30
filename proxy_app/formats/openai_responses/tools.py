"""Tools of Responses and the choice among them, both ways. Hosted tools are refused by name."""

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


def parse_tools(fields: Fields) -> list[Tool]:
    return [_tool(tool) for tool in fields.objects("tools")]


def _tool(tool: Fields) -> Tool:
    kind = tool.text("type")
    if kind == "function":
        return Tool(
            name=tool.text("name"),
            description=tool.maybe_text("description"),
            schema=tool.maybe_json("parameters"),
            strict=tool.maybe_flag("strict"),
            cache_control=tool.maybe_json("cache_control"),
        )
    if kind == "custom":
        return Tool(tool.text("name"), _custom_description(tool), _CUSTOM_SCHEMA)
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


def custom_names(request: JSON) -> frozenset[str]:
    """The names of a request's custom tools: calls of them are answered as such."""
    tools = [as_object(tool) for tool in as_list(request.get("tools"))]
    return frozenset(as_text(tool.get("name")) for tool in tools if tool.get("type") == "custom")


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
        return ToolChoice("required", (choice.text("name"),))
    if kind != "allowed_tools":
        raise UnsupportedParameter(
            f"'tool_choice': the type '{kind[:60]}' cannot be carried to this model.", param="tool_choice"
        )
    mode = choice.maybe_text("mode") or "auto"
    if mode not in ("auto", "required"):
        raise wrong_type(choice.at("mode"), "auto or required")
    names = tuple(tool.text("name") for tool in choice.objects("tools"))
    if not names:
        raise InvalidBody(f"'{choice.at('tools')}' must not be empty.", param=choice.at("tools"))
    return ToolChoice("required" if mode == "required" else "auto", names)


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
