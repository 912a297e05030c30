"""Google's discovery document as JSON Schema.

It has no list of the fields that are demanded: the description of such a field begins with "Required.".
"""

from typing import Any

JSON = dict[str, Any]
KEPT = ("type", "enum", "minimum", "maximum", "pattern")


def schemas_of(document: JSON) -> JSON:
    return {name: _schema(told) for name, told in document["schemas"].items()}


def _schema(told: JSON) -> JSON:
    if "$ref" in told:
        return {"$ref": f"#/$defs/{told['$ref']}"}
    if told.get("type") == "any":
        return {}
    schema = {word: told[word] for word in KEPT if word in told}
    if told.get("format") in ("int64", "uint64"):
        schema["type"] = ["string", "integer"]  # written as a text, read as either
    if "items" in told:
        schema["items"] = _schema(told["items"])
    if told.get("type") == "object":
        inner = told.get("properties", {})
        schema["properties"] = {name: _schema(one) for name, one in inner.items()}
        schema["required"] = [
            name for name, one in inner.items() if one.get("description", "").startswith("Required.")
        ]
        more = told.get("additionalProperties")
        schema["additionalProperties"] = _schema(more) if more else False
    return schema
