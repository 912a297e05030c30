"""OpenAPI-style schemas as Gemini writes them (`"type": "STRING"`, `nullable`), read as plain JSON Schema."""

from typing import Any

from gateway_project.errors import InvalidBody
from proxy_app.formats.gemini.spelling import respelt
from proxy_app.wire import JSON

_DEEPEST = 100
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_INSIDE = frozenset({"items", "additionalProperties"})
_NAMED = {"properties": "properties", "defs": "$defs"}
#: Hints to this provider alone.
_DROPPED = frozenset({"propertyOrdering", "nullable", "example"})


def json_schema(schema: JSON, path: str, depth: int = 0) -> JSON:
    """The same schema in JSON Schema's words; what is no word of this format is kept as it is. Raises
    InvalidBody, with `path`, for one that is nested too deep."""
    if depth > _DEEPEST:
        raise InvalidBody(f"'{path}' is nested too deep.", param=path)

    def inner(value: Any) -> Any:
        return json_schema(value, path, depth + 1) if isinstance(value, dict) else value

    told: JSON = {}
    known = respelt(schema)
    for name, value in known.items():
        if value is None or name in _DROPPED:
            continue
        if name == "type":
            told |= _type(value)
        elif name in _INSIDE:
            told[name] = inner(value)
        elif name == "anyOf" and isinstance(value, list):
            told[name] = [inner(one) for one in value]
        elif name in _NAMED and isinstance(value, dict):
            told[_NAMED[name]] = {key: inner(one) for key, one in value.items()}
        elif name == "ref":
            told["$ref"] = value
        else:
            told[name] = _count(value) if name in _COUNTS else value
    return _with_null(told) if known.get("nullable") is True else told


def _type(value: Any) -> JSON:
    """`TYPE_UNSPECIFIED` says nothing; JSON Schema's own lists of types may come too."""
    if isinstance(value, str):
        return {} if value == "TYPE_UNSPECIFIED" else {"type": value.lower()}
    return (
        {"type": [one.lower() if isinstance(one, str) else one for one in value]}
        if isinstance(value, list)
        else {}
    )


def _count(value: Any) -> Any:
    """64-bit numbers come as texts in this format's JSON."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 16 else value


def _with_null(schema: JSON) -> JSON:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema
