"""Which schemas OpenAI takes as strict ones: in its own, other providers allow more, such as properties that
may be missing. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from proxy_app.wire import JSON, Tool

#: What a strict schema may not hold, wherever it stands.
_REFUSED = frozenset(
    {"allOf", "oneOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else", "default"}
)
_BY_NAME = ("properties", "$defs", "definitions")
STRICT = "tools.strict"


def loosened(tools: list[Tool]) -> tuple[list[Tool], tuple[str, ...]]:
    """(the tools, without strictness where OpenAI would refuse to be strict about them; the name of what that
    leaves out, if anything)"""
    told = [replace(tool, strict=None) if _is_too_strict(tool) else tool for tool in tools]
    return told, (STRICT,) if told != tools else ()


def _is_too_strict(tool: Tool) -> bool:
    return bool(tool.strict and tool.schema) and not can_be_strict(tool.schema or {})


def can_be_strict(schema: JSON) -> bool:
    """An object in which every object names all of its properties, requires them, and allows no other."""
    if schema.get("type") != "object" or "anyOf" in schema:
        return False
    waiting: list[JSON] = [schema]
    while waiting:
        one = waiting.pop()
        if not _REFUSED.isdisjoint(one) or (_is_object(one) and not _is_closed(one)):
            return False
        waiting += _inside(one)
    return True


def _is_object(schema: JSON) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _is_closed(schema: JSON) -> bool:
    named, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(named, dict) or not isinstance(required, list):
        return False
    return schema.get("additionalProperties") is False and all(name in required for name in named)


def _inside(schema: JSON) -> Iterator[JSON]:
    found: list[Any] = [schema.get("items")]
    for name in _BY_NAME:
        if isinstance(named := schema.get(name), dict):
            found += named.values()
    if isinstance(choices := schema.get("anyOf"), list):
        found += choices
    yield from (one for one in found if isinstance(one, dict))
