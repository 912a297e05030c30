"""OpenAPI's schemas as JSON Schema in which an object has no field that its description does not name."""

from typing import Any

JSON = dict[str, Any]
ROOT = "#/components/schemas/"
#: Words that demand nothing.
SAID_ONLY = ("description", "title", "example", "examples", "default", "discriminator", "deprecated")
SAID_ONLY += ("$recursiveAnchor", "$recursiveRef")  # a draft's that is gone; only searching files has them
OPEN = "open "  # before the name of a schema that is a part of another: the whole is closed, not the part


def close(schemas: JSON) -> JSON:
    """Every schema by its name, closed, and once more as a part of another."""
    closed = {name: _closed(schema) for name, schema in schemas.items()}
    return closed | {OPEN + name: _closed(schema, is_part=True) for name, schema in schemas.items()}


def _closed(schema: Any, *, is_part: bool = False) -> Any:
    if not isinstance(schema, dict):
        return schema
    told = {word: value for word, value in schema.items() if word not in SAID_ONLY and word[:2] != "x-"}
    if told.pop("nullable", False):
        return {"anyOf": [_closed(told, is_part=is_part), {"type": "null"}]}
    if "required" in told:
        told["required"] = sorted(set(told["required"]))  # one lists its fields twice
    named = "properties" in told or "allOf" in told
    for word in ("properties", "patternProperties"):
        if word in told:
            told[word] = {name: _closed(inner) for name, inner in told[word].items()}
    for word in ("items", "additionalProperties", "not", "propertyNames"):
        if word in told:
            told[word] = _closed(told[word])
    # Alternatives that overlap are no fault of what fits two of them.
    alternatives = [*told.pop("oneOf", []), *told.pop("anyOf", [])]
    if alternatives:
        told["anyOf"] = [_closed(inner, is_part=is_part or named) for inner in alternatives]
    if "allOf" in told:
        told["allOf"] = [_closed(inner, is_part=True) for inner in told["allOf"]]
    if "$ref" in told:
        name = told["$ref"].removeprefix(ROOT)
        told["$ref"] = f"#/$defs/{OPEN if is_part else ''}{name}".replace(" ", "%20")
    if named and not is_part and "additionalProperties" not in told:
        told["unevaluatedProperties"] = False
    return told
