"""JSON Schemas as Claude's structured outputs take them: what an answer or a strict tool is held to. Pure.

Every object is closed. Constraints the grammar does not know stand in the description, and are told. What
cannot be said at all (objects whose names are not known, recursion, anything goes) is not half said: the
whole schema is then asked for in words, and a tool is offered without `strict`. Source of what is taken:
Anthropic's page on structured outputs, "JSON Schema limitations" and "Schema complexity limits".
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from proxy_app.formats.carrying import JSON_INSTRUCTION, schema_instruction
from proxy_app.formats.claude import Rules
from proxy_app.formats.claude_merging import Unsayable, definition_of, merged, reference_of
from proxy_app.wire import JSON, Conversation, Text, Tool

MAX_OPTIONAL, MAX_UNIONS, MAX_STRICT_TOOLS = 24, 16, 20
_MAX_NODES = 2000  # more than any grammar that compiles
_MAX_DEPTH = 60
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_KEPT = ("title", "description", "default")
#: What says nothing of an answer.
_SILENT: Final = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "readOnly", "writeOnly", "deprecated"}
    | {"discriminator", "propertyOrdering", "xml", "externalDocs"}
)
_HINTS = frozenset({"example", "examples"})
#: What cannot stand beside a choice of schemas.
_OF_AN_OBJECT = frozenset({"properties", "required", "additionalProperties", "patternProperties"})
_BESIDE_NO_CHOICE = _OF_AN_OBJECT | {"items", "enum", "const"}
#: Letters, classes, groups and quantifiers between a beginning and an end.
_PLAIN_PATTERN = re.compile(
    r"\^(?:\[\^?[\w .,:;@/+=#%&-]+\]|\\[dws.\-/+]|[\w :@/,=#%&-]|[.()*+?|]|\{\d(?:\d|,\d)?\})*\$"
)


@dataclass(frozen=True, slots=True)
class Closed:
    """`moved` names what stands in a description only; `optional` and `unions` count against the limits."""

    schema: JSON
    moved: tuple[str, ...]
    optional: int
    unions: int


def closed(schema: JSON) -> Closed:
    """The schema as the grammar takes it. Raises Unsayable."""
    closer = _Closer(schema)
    told = closer.close(schema)
    if closer.defs:
        told |= closer.defs
    return Closed(told, tuple(closer.moved), closer.optional, closer.unions)


@dataclass(slots=True)
class Schemas:
    """What becomes of a call's schemas. `kind` "words": the schema is to be asked for in words. `strict` are
    the tools held to theirs, by name. `dropped` names what is told as left out."""

    kind: Literal["text", "json", "schema", "words"] = "text"
    output: JSON | None = None
    strict: dict[str, JSON] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


def fit_schemas(conversation: Conversation, rules: Rules) -> Schemas:
    """The schemas of an answer and of strict tools, as the model takes them."""
    output = conversation.output
    if not rules.is_claude:
        found = Schemas(output.kind, output.schema or {"type": "object"})
        found.strict = {tool.name: object_schema(tool) for tool in conversation.tools if tool.strict}
        return found
    left, told = _Left(), dict[str, None]()
    fitted = Schemas(output.kind)
    if output.kind == "schema" and output.schema in (None, {}, {"type": "object"}):
        fitted.kind = "json"
    elif output.kind == "schema" and output.schema is not None:
        answer = left.take(output.schema) if rules.schemas else None
        fitted.kind = "words" if answer is None else "schema"
        fitted.output = output.schema if answer is None else answer.schema
        told |= dict.fromkeys(["response_format"] if answer is None else answer.moved)
    for tool in conversation.tools:
        if not tool.strict:
            continue
        can_be_held = rules.schemas and len(fitted.strict) < MAX_STRICT_TOOLS
        held = left.take(object_schema(tool)) if can_be_held else None
        if held is not None and held.schema.get("type") != "object":
            held = None  # a choice or a pointer, where a tool's schema must be an object's
        if held is not None:
            fitted.strict[tool.name] = held.schema
        told |= dict.fromkeys(["strict"] if held is None else held.moved)
    fitted.dropped = tuple(told)
    return fitted


def with_form_asked(system: list[Text], schemas: Schemas) -> list[Text]:
    """The instructions, with the form of the answer in words where the wire cannot say it."""
    match schemas.kind:
        case "json":
            return [*system, Text(JSON_INSTRUCTION)]
        case "words":
            return [*system, Text(schema_instruction(schemas.output or {}))]
        case _:
            return system


def object_schema(tool: Tool) -> JSON:
    """A tool's schema, which providers demand to be an object's."""
    return {"type": "object", "properties": {}} if tool.schema is None else {"type": "object", **tool.schema}


@dataclass(slots=True)
class _Left:
    """What the schemas of one call may still hold together."""

    optional: int = MAX_OPTIONAL
    unions: int = MAX_UNIONS

    def take(self, schema: JSON) -> Closed | None:
        try:
            found = closed(schema)
        except Unsayable:
            return None
        if found.optional > self.optional or found.unions > self.unions:
            return None
        self.optional -= found.optional
        self.unions -= found.unions
        return found


class _Closer:
    """One walk through a schema; `defs` gathers the definitions that are pointed at."""

    def __init__(self, root: JSON) -> None:
        self._root = root
        self._open: list[str] = []
        self._nodes = self._depth = 0
        self.defs: JSON = {}
        self.moved: dict[str, None] = {}
        self.optional = self.unions = 0

    def close(self, schema: Any) -> JSON:
        self._nodes += 1
        if not isinstance(schema, dict) or self._nodes > _MAX_NODES or self._depth > _MAX_DEPTH:
            raise Unsayable
        self._depth += 1
        opened = len(self._open)
        if (pointer := schema.get("$ref")) is not None:
            told = self._reference(pointer, schema)
        else:
            whole = merged(schema, self._root, self._open) if schema.get("allOf") is not None else schema
            told = self._close(whole)
        del self._open[opened:]
        self._depth -= 1
        return told

    def _reference(self, pointer: Any, schema: JSON) -> JSON:
        where, name = reference_of(pointer)
        if pointer in self._open:
            raise Unsayable  # recursion
        for beside in schema:
            if beside != "$ref" and beside not in (*_SILENT, *_HINTS, *_KEPT):
                self.moved[beside] = None
        held = self.defs.setdefault(where, {})
        if name not in held:
            self._open.append(pointer)
            held[name] = self.close(definition_of(pointer, self._root))
        return {"$ref": pointer}

    def _close(self, schema: JSON) -> JSON:
        rest = {name: value for name, value in schema.items() if name not in _SILENT and value is not None}
        told: JSON = {}
        kinds = self._kinds(rest)
        if "anyOf" in rest or "oneOf" in rest:
            told["anyOf"] = self._choice(rest, kinds)
            kinds = []
        elif not kinds and not self._literals(rest, told):
            raise Unsayable  # anything goes
        elif kinds:
            self._literals(rest, told)
            self._typed(rest, told, kinds)
        told |= {name: rest.pop(name) for name in _KEPT if name in rest}
        if rest:
            self.moved |= dict.fromkeys(name for name in rest if name not in _HINTS)
            also = f"It must fit this as well: {orjson.dumps(rest).decode()}"
            said = told.get("description")
            told["description"] = f"{said}\n\n{also}" if isinstance(said, str) and said else also
        return told

    def _kinds(self, rest: JSON) -> list[str]:
        kind = rest.pop("type", None)
        if kind is None and "properties" in rest:
            kind = "object"
        kinds = kind if isinstance(kind, list) else [kind] if kind is not None else []
        if not all(isinstance(one, str) and one in _TYPES for one in kinds):
            raise Unsayable
        return kinds

    def _choice(self, rest: JSON, kinds: list[str]) -> list[JSON]:
        if ("anyOf" in rest and "oneOf" in rest) or _BESIDE_NO_CHOICE & rest.keys():
            raise Unsayable
        if "oneOf" in rest:
            self.moved["oneOf"] = None
        found = rest.pop("oneOf") if "oneOf" in rest else rest.pop("anyOf")
        if not isinstance(found, list) or not found:
            raise Unsayable
        self.unions += 1
        outer = kinds[0] if len(kinds) == 1 else kinds
        return [self.close(_with_type(one, outer) if kinds else one) for one in found]

    def _literals(self, rest: JSON, told: JSON) -> bool:
        """Values named one by one; those that are no plain values are left to the description."""
        values = rest.get("enum")
        if isinstance(values, list) and values and all(_is_plain(value) for value in values):
            told["enum"] = rest.pop("enum")
        if "const" in rest and _is_plain(rest["const"]):
            told["const"] = rest.pop("const")
        return bool(told)

    def _typed(self, rest: JSON, told: JSON, kinds: list[str]) -> None:
        if len(kinds) == 1:
            told["type"] = kinds[0]
        elif told:
            return  # values named one by one tell their types themselves; several beside them are refused
        else:
            told["type"] = kinds
            self.unions += 1
        if "object" in kinds:
            self._object(rest, told)
        if "array" in kinds:
            if isinstance(rest.get("items"), dict):
                told["items"] = self.close(rest.pop("items"))
            if rest.get("minItems") in (0, 1):
                told["minItems"] = rest.pop("minItems")
        if "string" in kinds:
            if rest.get("format") in _FORMATS:
                told["format"] = rest.pop("format")
            if _is_plain_pattern(rest.get("pattern")):
                told["pattern"] = rest.pop("pattern")

    def _object(self, rest: JSON, told: JSON) -> None:
        """Closed, unless that would take away what it is for: names nobody knows beforehand."""
        properties, more = rest.pop("properties", None), rest.pop("additionalProperties", None)
        is_open = more is True or more == {}
        if "patternProperties" in rest or not (more is None or more is False or is_open):
            raise Unsayable
        if not isinstance(properties, dict):
            if more is not False:
                raise Unsayable
            properties = {}
        elif is_open and not properties:
            raise Unsayable
        if is_open:
            self.moved["additionalProperties"] = None
        required = rest.pop("required", [])
        if not isinstance(required, list) or not all(
            isinstance(name, str) and name in properties for name in required
        ):
            raise Unsayable
        told["properties"] = {name: self.close(inner) for name, inner in properties.items()}
        if required:
            told["required"] = required
        told["additionalProperties"] = False
        self.optional += len(properties.keys() - set(required))


def _with_type(schema: Any, kind: Any) -> Any:
    """One of several schemas under what holds for all of them."""
    if not isinstance(schema, dict) or schema.keys() & {"type", "$ref", "anyOf", "oneOf", "allOf"}:
        return schema
    return {"type": kind, **schema}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _is_plain_pattern(pattern: Any) -> bool:
    if not isinstance(pattern, str) or len(pattern) > 200 or "(?" in pattern:
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return _PLAIN_PATTERN.fullmatch(pattern) is not None
