"""Parts of a JSON Schema put together: what it points at, and `allOf` as one schema. Pure."""

from typing import Any
from urllib.parse import unquote

from proxy_app.wire import JSON

_PLACES = ("$defs", "definitions")
_FIRST_WINS = frozenset({"title", "description", "default", "examples"})
_MAX_PARTS = 200


class Unsayable(Exception):
    """A schema that has no place in a provider's grammar."""


def reference_of(pointer: Any) -> tuple[str, str]:
    """(`$defs` or `definitions`, the name) of a pointer into a schema's own definitions. Raises Unsayable."""
    steps = pointer.split("/") if isinstance(pointer, str) else []
    if len(steps) != 3 or steps[0] != "#" or steps[1] not in _PLACES:
        raise Unsayable
    return steps[1], unquote(steps[2]).replace("~1", "/").replace("~0", "~")


def definition_of(pointer: Any, root: JSON) -> Any:
    """What a pointer points at. Raises Unsayable."""
    where, name = reference_of(pointer)
    found = root.get(where)
    if not isinstance(found, dict) or name not in found:
        raise Unsayable
    return found[name]


def merged(schema: JSON, root: JSON, opened: list[str]) -> JSON:
    """A schema with its `allOf` in it: objects closed one by one would contradict each other. The pointers
    that were followed are added to `opened`. Raises Unsayable where two parts do not go together."""
    whole = {name: value for name, value in schema.items() if name != "allOf"}
    parts = schema["allOf"]
    if not isinstance(parts, list):
        raise Unsayable
    waiting = list(reversed(parts))
    count = 0
    while waiting:
        part = waiting.pop()
        count += 1
        if not isinstance(part, dict) or count > _MAX_PARTS:
            raise Unsayable
        if (pointer := part.get("$ref")) is not None:
            if pointer in opened:
                raise Unsayable  # recursion
            opened.append(pointer)
            beside = {name: value for name, value in part.items() if name != "$ref"}
            waiting += [definition_of(pointer, root), beside] if beside else [definition_of(pointer, root)]
            continue
        inner = part.get("allOf")
        if isinstance(inner, list):
            waiting += reversed(inner)
        for name, value in part.items():
            if name != "allOf":
                _add(whole, name, value)
    return whole


def _add(whole: JSON, name: str, value: Any) -> None:
    if name not in whole:
        whole[name] = value
    elif name == "properties" and isinstance(value, dict) and isinstance(whole[name], dict):
        if any(whole[name].get(key, inner) != inner for key, inner in value.items()):
            raise Unsayable
        whole[name] = {**whole[name], **value}
    elif name == "required" and isinstance(value, list) and isinstance(whole[name], list):
        whole[name] = [*whole[name], *(one for one in value if one not in whole[name])]
    elif name not in _FIRST_WINS and whole[name] != value:
        raise Unsayable
