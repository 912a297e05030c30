"""Gemini tools and their choice, read for a provider of another format.

Dropped of a function declaration: `response` and `responseJsonSchema` (a description of results that other
formats have no place for). Refused: every tool that the provider itself runs, and functions that do not
block.
"""

from gateway_project.errors import InvalidBody, UnsupportedParameter
from proxy_app.formats.gemini.schemas import json_schema
from proxy_app.formats.gemini.spelling import CamelFields
from proxy_app.formats.reading import wrong_type
from proxy_app.wire import JSON, Tool, ToolChoice

_CHOICE = "toolConfig.functionCallingConfig"
_BEHAVIOURS = frozenset({"", "UNSPECIFIED", "BLOCKING"})


def parse_tools(fields: CamelFields) -> list[Tool]:
    """All functions of all tools. Raises UnsupportedParameter for tools of other kinds, by name."""
    found: list[Tool] = []
    for position, value in enumerate(fields.one_or_more("tools")):
        tool = CamelFields(value, f"tools[{position}]")
        for name, told in tool.data.items():
            if name != "functionDeclarations" and told is not None:
                raise UnsupportedParameter(
                    f"'{tool.path}': the tool '{name[:60]}' cannot be carried to this model.", param=tool.path
                )
        found += [_declared(one) for one in tool.objects("functionDeclarations")]
    return found


def _declared(declared: CamelFields) -> Tool:
    if (declared.maybe_text("behavior") or "").upper() not in _BEHAVIOURS:
        raise UnsupportedParameter(
            f"'{declared.at('behavior')}': functions that do not block cannot be carried to this model.",
            param=declared.at("behavior"),
        )
    return Tool(declared.text("name"), declared.maybe_text("description"), _schema(declared))


def _schema(declared: CamelFields) -> JSON | None:
    plain = declared.maybe_json("parametersJsonSchema")
    if plain is not None:
        return plain
    styled = declared.maybe_json("parameters")
    return None if styled is None else json_schema(styled, declared.at("parameters"))


def parse_choice(fields: CamelFields, tools: list[Tool]) -> ToolChoice | None:
    """`VALIDATED` (calls or text, calls by their schema) is a free choice. Raises InvalidBody for names
    that are not declared."""
    config = fields.maybe_object("toolConfig")
    if config is None:
        return None
    calling = config.maybe_object("functionCallingConfig")
    if calling is None:
        return None
    names = tuple(dict.fromkeys(calling.texts("allowedFunctionNames")))
    _check_names(names, tools)
    match (calling.maybe_text("mode") or "MODE_UNSPECIFIED").upper():
        case "AUTO" | "VALIDATED":
            return ToolChoice("auto", names)
        case "MODE_UNSPECIFIED":
            return ToolChoice("auto", names) if names else None
        case "NONE":
            return ToolChoice("none")
        case "ANY":
            if not tools:
                raise InvalidBody(f"'{_CHOICE}' needs 'tools'.", param=_CHOICE)
            return ToolChoice("required", names)
    raise wrong_type(f"{_CHOICE}.mode", "AUTO, ANY, VALIDATED or NONE")


def _check_names(names: tuple[str, ...], tools: list[Tool]) -> None:
    known = {tool.name for tool in tools}
    for name in names:
        if name not in known:
            raise InvalidBody(f"'{_CHOICE}' names '{name[:80]}', which is not in 'tools'.", param=_CHOICE)
