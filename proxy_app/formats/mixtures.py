"""What bodies that mix the words of Chat Completions into another format's shape have in common.

Agents that keep a conversation in one format and send it to another's address write the tools, the choice
among them or single messages as Chat Completions has them. What is in the shape's own words already is left
as it is; what is in neither's is left for its reader to refuse by name. Pure.
"""

from typing import Any

from proxy_app.formats.reading import as_object, as_text
from proxy_app.wire import JSON

OWN_ROLES = frozenset({"user", "assistant", "system"})
ROLES = OWN_ROLES | {"developer"}
_NO_PARAMETERS: JSON = {"type": "object", "properties": {}}


def function_of(tool: Any) -> JSON | None:
    """What a tool of any of the formats offers: name, description, parameters, strict; None for others."""
    told = as_object(tool)
    function = as_object(told.get("function")) or told
    kind = as_text(told.get("type")) or "custom"
    if kind not in ("function", "custom") or not isinstance(function.get("name"), str):
        return None
    if kind == "custom" and "input_schema" not in function:
        return None
    schema = function.get("parameters", function.get("input_schema"))
    kept: JSON = {name: function[name] for name in ("name", "description", "strict") if name in function}
    return {**kept, "parameters": _NO_PARAMETERS if schema is None else schema}


def is_chat_tool(tool: Any) -> bool:
    return isinstance(as_object(tool).get("function"), dict)


def role_of(message: Any) -> str:
    return as_text(as_object(message).get("role"))


def is_kind(part: Any, *kinds: str) -> bool:
    return as_text(as_object(part).get("type")) in kinds
