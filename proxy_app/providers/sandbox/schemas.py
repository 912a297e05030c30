"""Makes a value that is valid for a JSON schema: tool arguments and structured answers."""

import math
from random import Random
from typing import Any

from proxy_app.providers.sandbox.patterns import matching_text

JSON = dict[str, Any]

#: From here on only what is required is made; a schema that still goes on has no finite value.
OPTIONAL_DEPTH = 3
MAX_DEPTH = 40

_FORMATS: dict[str, str] = {
    "date-time": "2026-11-23T09:30:00Z",
    "date": "2026-11-23",
    "time": "09:30:00Z",
    "duration": "PT15M",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "uri": "https://example.com/sandbox",
    "url": "https://example.com/sandbox",
    "uuid": "0198b6f2-7c1a-7000-8000-5a4d2b1c0e9f",
}

#: A property whose name contains the word gets one of these, so that values read naturally.
_BY_NAME: dict[str, tuple[str, ...]] = {
    "email": ("ada@example.com", "alan@example.com"),
    "city": ("Seoul", "Lisbon", "Nairobi", "Oslo", "Lima"),
    "location": ("Seoul", "Lisbon", "Nairobi", "Oslo", "Lima"),
    "country": ("Korea", "Portugal", "Kenya", "Norway", "Peru"),
    "name": ("Ada", "Alan", "Grace", "Edsger"),
    "title": ("A walk in the sandbox", "Castles and tides"),
    "unit": ("celsius",),
    "currency": ("EUR", "KRW", "USD"),
    "language": ("en", "ko"),
    "date": ("2026-11-23",),
    "url": ("https://example.com/sandbox",),
    "path": ("notes/castle.txt",),
    "id": ("sandbox-1", "sandbox-2"),
}
_ASKED = ("query", "question", "prompt", "text", "input", "message", "topic", "search")
_WORDS = ("amber", "breeze", "castle", "dune", "ember", "foam", "gull", "harbour", "island", "pebble")
_PAD = "sand"


class NoFiniteValue(Exception):
    """The schema asks for something that never ends."""


class SchemaMaker:
    """Walks one schema; `asked` is the prompt, used where a property wants a query or a text."""

    def __init__(self, root: JSON, seed: str, asked: str = "") -> None:
        self._root = root
        self._random = Random(seed)
        self._asked = asked

    def value(self) -> Any:
        return self._make(self._root, "", 0)

    def _make(self, schema: Any, name: str, depth: int) -> Any:
        if schema is True or not isinstance(schema, dict):
            return self._word()
        if depth > MAX_DEPTH:
            raise NoFiniteValue
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        for union in ("anyOf", "oneOf"):
            if schema.get(union):
                return self._make(self._branch(schema, union, depth), name, depth)
        return self._typed(schema, self._type_of(schema, depth), name, depth)

    def _typed(self, schema: JSON, kind: str, name: str, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return self._number(schema, kind)
        if kind == "boolean":
            return self._random.random() < 0.5
        return None if kind == "null" else self._string(schema, name)

    def _resolved(self, schema: JSON) -> JSON:
        """Follows `$ref` and folds `allOf` into one schema; siblings of a `$ref` count too."""
        for _ in range(32):
            if isinstance(schema.get("$ref"), str):
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _merged(self._lookup(schema["$ref"]), rest)
            elif schema.get("allOf"):
                parts = schema["allOf"]
                schema = {key: value for key, value in schema.items() if key != "allOf"}
                for part in parts:
                    schema = _merged(schema, self._resolved(part) if isinstance(part, dict) else {})
            else:
                break
        return schema

    def _lookup(self, reference: str) -> JSON:
        found: Any = self._root
        for step in reference.lstrip("#").strip("/").split("/") if reference.strip("#/") else ():
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def _branch(self, schema: JSON, union: str, depth: int) -> JSON:
        """One branch joined with its surroundings: deep down the smallest, else the first real one."""
        rest = {key: value for key, value in schema.items() if key != union}
        branches = [
            self._resolved(_merged(rest, branch)) for branch in schema[union] if isinstance(branch, dict)
        ]
        if depth >= OPTIONAL_DEPTH:
            return min(branches, key=lambda branch: _weight(self._type_of(branch, depth)))
        return next((branch for branch in branches if branch.get("type") != "null"), branches[0])

    def _type_of(self, schema: JSON, depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            if depth >= OPTIONAL_DEPTH:
                return str(min(kind, key=_weight))
            return next((str(each) for each in kind if each != "null"), "null")
        if isinstance(kind, str):
            return kind.lower()
        if "properties" in schema or "required" in schema or "additionalProperties" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        return "number" if {"minimum", "maximum", "multipleOf"} & schema.keys() else "string"

    def _object(self, schema: JSON, depth: int) -> JSON:
        properties = schema.get("properties") or {}
        required = schema.get("required") or ()
        made: JSON = {}
        for name, child in properties.items():
            if name in required or (depth < OPTIONAL_DEPTH and child is not False):
                made[name] = self._make(child, name, depth + 1)
        extra = schema.get("additionalProperties", True)
        for name in required:
            if name not in made:
                made[name] = self._make(extra, name, depth + 1)
        wanted = int(schema.get("minProperties", 0))
        if not properties and isinstance(extra, dict) and depth < OPTIONAL_DEPTH:
            wanted = max(wanted, 1)
        while len(made) < wanted:
            made[f"{_PAD}_{len(made) + 1}"] = self._make(extra, "", depth + 1)
        return made

    def _array(self, schema: JSON, name: str, depth: int) -> list[Any]:
        fixed = schema.get("prefixItems") or []
        made = [self._make(child, name, depth + 1) for child in fixed]
        items = schema.get("items", True)
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        wanted = (
            max(least, len(made)) if depth >= OPTIONAL_DEPTH or items is False else max(least, len(made), 2)
        )
        wanted = min(wanted, int(most)) if most is not None else wanted
        singular = name.removesuffix("s")
        for _ in range(32 * max(1, wanted)):
            if len(made) >= wanted:
                break
            item = self._make(items, singular, depth + 1)
            if not schema.get("uniqueItems") or item not in made:
                made.append(item)
        return made[:wanted]

    def _number(self, schema: JSON, kind: str) -> float | int:
        step = schema.get("multipleOf") or (1 if kind == "integer" else None)
        least, most = schema.get("minimum"), schema.get("maximum")
        over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        nudge = step or 0.001
        low = max([bound for bound in (least, _shift(over, nudge)) if bound is not None], default=None)
        high = min([bound for bound in (most, _shift(under, -nudge)) if bound is not None], default=None)
        low = (min(1, high) if high is not None else 1) if low is None else low
        high = max(low, low + 99) if high is None else high
        if step is None:
            whole = math.ceil(low), math.floor(high)  # many a tool takes a "number" for a whole one
            return self._random.randint(*whole) if whole[0] <= whole[1] else low
        first, last = math.ceil(low / step), math.floor(high / step)
        picked = self._random.randint(first, max(first, last)) * step
        return int(picked) if picked == int(picked) else picked

    def _string(self, schema: JSON, name: str) -> str:
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        if isinstance(schema.get("pattern"), str):
            for _ in range(64):
                made = matching_text(schema["pattern"], self._random)
                if made is not None and least <= len(made) <= (most if most is not None else len(made)):
                    return made
        text = self._named(name.lower())
        while len(text) < least:
            text += f" {_PAD}" if text else _PAD
        return text[: int(most)] if most is not None else text[: max(least, 200)]

    def _named(self, name: str) -> str:
        if self._asked and any(word in name for word in _ASKED):
            return self._asked
        for word, samples in _BY_NAME.items():
            if name == word or name.endswith(word) or name.startswith(f"{word}_"):
                return self._random.choice(samples)
        return self._word()

    def _word(self) -> str:
        return self._random.choice(_WORDS)


def _merged(one: JSON, other: JSON) -> JSON:
    """Both schemas hold: properties and required lists are joined, the rest is overlaid."""
    merged = one | other
    if "properties" in one and "properties" in other:
        merged["properties"] = one["properties"] | other["properties"]
    if "required" in one and "required" in other:
        merged["required"] = [*one["required"], *(n for n in other["required"] if n not in one["required"])]
    return merged


def _weight(kind: Any) -> int:
    order = ("null", "boolean", "integer", "number", "string", "array", "object")
    return order.index(kind) if kind in order else len(order)


def _shift(bound: float | None, by: float) -> float | None:
    return None if bound is None else bound + by
