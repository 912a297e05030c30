"""Schemas on their way to Claude: closed as its structured outputs take them, or asked for in words."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from proxy_app.formats.claude_merging import Unsayable
from proxy_app.formats.claude_schemas import closed
from proxy_app.wire import JSON
from tests.proxy_app.formats.test_claude_models import built

CLAUDE = "claude-opus-4-8"
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
#: What the published page says is taken, and nothing more.
_WORDS = {
    *("type", "enum", "const", "anyOf", "$ref", "$defs", "definitions", "default", "title", "description"),
    *("properties", "required", "additionalProperties", "items", "minItems", "format", "pattern"),
}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}


class Checker:
    """The published rules of structured outputs, written down from the page."""

    def __init__(self, root: JSON) -> None:
        self.root = root
        self.optional = self.unions = 0
        self.check(root, ())
        for where in ("$defs", "definitions"):
            for name, inner in root.get(where, {}).items():
                self.check(inner, (f"#/{where}/{name}",))
        assert self.optional <= 24 and self.unions <= 16

    def check(self, schema: Any, opened: tuple[str, ...]) -> None:
        assert isinstance(schema, dict) and set(schema) <= _WORDS
        self._reference(schema, opened)
        kind = schema.get("type")
        kinds = kind if isinstance(kind, list) else [kind] if kind else []
        assert set(kinds) <= _TYPES
        assert kinds or schema.keys() & {"enum", "const", "anyOf", "$ref"}
        assert not (isinstance(kind, list) and "enum" in schema)
        assert all(one is None or isinstance(one, str | int | float | bool) for one in schema.get("enum", []))
        assert schema.get("minItems", 0) in (0, 1)
        assert schema.get("format", "date") in _FORMATS
        self.unions += isinstance(kind, list) + ("anyOf" in schema)
        if "object" in kinds:
            assert schema["additionalProperties"] is False
            self.optional += len(schema["properties"].keys() - set(schema.get("required", [])))
            assert set(schema.get("required", [])) <= schema["properties"].keys()
        for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", [])):
            self.check(inner, opened)
        if "items" in schema:
            self.check(schema["items"], opened)

    def _reference(self, schema: JSON, opened: tuple[str, ...]) -> None:
        if (pointer := schema.get("$ref")) is None:
            return
        assert pointer not in opened, "recursion"
        _, where, name = pointer.split("/")
        self._follow(self.root[where][name], (*opened, pointer))

    def _follow(self, schema: Any, opened: tuple[str, ...]) -> None:
        """Pointers within a definition, without counting it twice."""
        if isinstance(schema, dict):
            self._reference(schema, opened)
            for inner in schema.values():
                self._follow(inner, opened)
        elif isinstance(schema, list):
            for inner in schema:
                self._follow(inner, opened)


def close(schema: JSON) -> JSON:
    told = closed(schema).schema
    Checker(told)
    return told


class Street(BaseModel):
    name: str = Field(min_length=1, max_length=40, description="As on the sign")
    number: int = Field(ge=1)


class Person(BaseModel):
    home: Street
    work: Street | None = None
    tags: list[str] = Field(max_length=3)
    born: str = Field(pattern=r"^\d{4}-\d{2}$")


def test_pydantic_s_schemas_are_closed_at_every_depth_with_constraints_in_words() -> None:
    found = closed(Person.model_json_schema())
    Checker(found.schema)
    street = found.schema["$defs"]["Street"]
    assert street["additionalProperties"] is False and found.schema["additionalProperties"] is False
    assert street["properties"]["name"]["description"] == (
        'As on the sign\n\nIt must fit this as well: {"maxLength":40,"minLength":1}'
    )
    assert found.schema["properties"]["born"]["pattern"] == r"^\d{4}-\d{2}$"
    assert found.moved == ("maxLength", "minLength", "minimum", "maxItems")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (OBJECT, {**OBJECT, "additionalProperties": False}),
        ({"properties": {}}, {"type": "object", "properties": {}, "additionalProperties": False}),
        ({"enum": ["a", None], "type": ["string", "null"]}, {"enum": ["a", None]}),
        ({"type": "string", "enum": ["a"]}, {"enum": ["a"], "type": "string"}),
        ({"type": "array", "items": {"const": 1}, "minItems": 1}, None),
        ({"oneOf": [{"type": "null"}, OBJECT]}, None),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "object", "anyOf": [{"properties": {"a": {"const": 1}}}, OBJECT]}, None),
        ({"$schema": "x", "type": "null", "readOnly": True}, {"type": "null"}),
    ],
)
def test_what_can_be_said_is(schema: JSON, expected: JSON | None) -> None:
    told = close(schema)
    assert expected is None or told == expected


def test_a_pattern_is_kept_where_the_grammar_knows_it() -> None:
    for pattern in (r"^[A-Z]{2}\d+$", r"^(a|b)?c{1,3}$", r"^[a-f0-9]{64}$"):
        assert close({"type": "string", "pattern": pattern}) == {"type": "string", "pattern": pattern}
    for pattern in (r"^(?!x)y$", r"\bword\b", r"^(a)\1$", r"^a{1,5000}$", "^(unbalanced$", r"^\p{L}$"):
        found = closed({"type": "string", "pattern": pattern})
        assert "pattern" not in found.schema and found.moved == ("pattern",)


def test_parts_that_hold_together_are_one_schema() -> None:
    defs = {"A": OBJECT, "B": {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}}
    both = {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "description": "both", "$defs": defs}
    told = close(both)
    assert set(told["properties"]) == {"a", "b"} and told["required"] == ["b"]
    one = {"type": "object", "properties": {"x": {"allOf": [{"$ref": "#/$defs/A"}]}}, "$defs": defs}
    assert close(one)["properties"]["x"]["properties"] == OBJECT["properties"]


def deep(count: int) -> JSON:
    """Definitions that each take in the next one twice."""
    defs: JSON = {f"d{count}": OBJECT}
    for number in range(count):
        inner = {"allOf": [{"$ref": f"#/$defs/d{number + 1}"}]}
        defs[f"d{number}"] = {"type": "object", "properties": {"a": inner, "b": inner}}
    return {"$ref": "#/$defs/d0", "$defs": defs}


NODE: JSON = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}
UNSAYABLE: list[JSON] = [
    {"type": "object", "title": "anything"},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {"a": {}}},
    {"type": "object", "properties": {}, "additionalProperties": True},
    {"type": "object", "properties": {"a": True}},
    {"type": "object", "patternProperties": {"^x": OBJECT}, "properties": {}},
    {"type": "object", "properties": {"a": OBJECT}, "required": ["b"]},
    {"properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"required": []}]},
    {"$ref": "#/$defs/N", "$defs": {"N": NODE}},
    {"$ref": "#"},
    {"$ref": "https://example.com/schema.json"},
    {"$ref": "#/$defs/absent", "$defs": {}},
    {"$defs": {"N": {"allOf": [{"$ref": "#/$defs/N"}]}}, "properties": {"n": {"$ref": "#/$defs/N"}}},
    {"$defs": {"N": {**NODE, "properties": {"n": {"allOf": [{"$ref": "#/$defs/N"}]}}}}, "$ref": "#/$defs/N"},
    {"allOf": [{"type": "string"}, {"type": "integer"}]},
    {"type": "money"},
    {"enum": [{"a": 1}]},
    {"not": {"type": "string"}},
    deep(40),
]


@pytest.mark.parametrize("schema", UNSAYABLE)
def test_what_cannot_be_said_is_asked_for_in_words(schema: JSON) -> None:
    with pytest.raises(Unsayable):
        closed(schema)
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for wire in ("anthropic", "bedrock_converse"):
        outgoing, body = built(CLAUDE, wire, response_format=form)
        assert "output_config" not in body and "outputConfig" not in body
        assert orjson.dumps(schema).decode() in body["system"][-1]["text"]
        assert outgoing.dropped == ("response_format",)


def test_a_chain_of_pointers_is_followed_no_further_than_it_can_be() -> None:
    defs: JSON = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(5000)}
    with pytest.raises(Unsayable):
        closed({"$ref": "#/$defs/d0", "$defs": defs})


def test_an_answer_s_schema_is_closed_and_what_became_words_is_told() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    outgoing, body = built(CLAUDE, response_format=form)
    told = body["output_config"]["format"]["schema"]
    assert told["additionalProperties"] is False and "system" not in body
    assert outgoing.dropped == ("minimum",)
    _, converse = built(f"anthropic.{CLAUDE}", "bedrock_converse", response_format=form)
    held = converse["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert orjson.loads(held["schema"]) == told


@pytest.mark.parametrize("told", [{}, {"schema": {"type": "object"}}])
def test_no_schema_is_json_without_one(told: JSON) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", **told}}
    outgoing, body = built(CLAUDE, response_format=form)
    assert "output_config" not in body and "JSON object" in body["system"][0]["text"]
    assert not outgoing.dropped


def test_a_model_older_than_schemas_is_asked_in_words() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": OBJECT}}
    outgoing, body = built("claude-opus-4-1", response_format=form, tools=[tool(OBJECT)])
    assert "output_config" not in body and "JSON Schema" in body["system"][0]["text"]
    assert "strict" not in body["tools"][0]
    assert outgoing.dropped == ("response_format", "strict")


def tool(schema: JSON, name: str = "look") -> JSON:
    return {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}


@pytest.mark.parametrize("wire", ["anthropic", "bedrock_converse"])
def test_a_strict_tool_is_closed_or_offered_without_strict(wire: str) -> None:
    free = {"type": "object", "properties": {"a": {"type": "object"}}}
    loose = {"type": "function", "function": {"name": "loose", "parameters": {"type": "object"}}}
    outgoing, body = built(CLAUDE, wire, tools=[tool(OBJECT), tool(free, "free"), loose])
    tools = body["tools"] if wire == "anthropic" else [one["toolSpec"] for one in body["toolConfig"]["tools"]]
    schemas = [one.get("input_schema") or one["inputSchema"]["json"] for one in tools]
    assert schemas == [{**OBJECT, "additionalProperties": False}, free, {"type": "object"}]
    assert [one.get("strict") for one in tools] == [True, None, None]
    assert outgoing.dropped == ("strict",)


def test_a_strict_tool_is_an_object_itself() -> None:
    pointing = {"$ref": "#/$defs/A", "$defs": {"A": OBJECT}}
    outgoing, body = built(CLAUDE, tools=[tool(pointing), tool({"anyOf": [OBJECT, OBJECT]}, "either")])
    assert not any("strict" in one for one in body["tools"])
    assert all(one["input_schema"]["type"] == "object" for one in body["tools"])
    assert outgoing.dropped == ("strict",)


def test_schemas_of_one_call_hold_together_no_more_than_the_grammar_takes() -> None:
    many = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(20)}}
    outgoing, body = built(CLAUDE, tools=[tool(many, "one"), tool(many, "two"), tool(OBJECT, "three")])
    assert [one.get("strict") for one in body["tools"]] == [True, None, True]
    assert outgoing.dropped == ("strict",)
    names = [f"t{number}" for number in range(25)]
    none: JSON = {"type": "object", "properties": {}}
    _, body = built(CLAUDE, tools=[tool(none, name) for name in names])
    assert sum(one.get("strict") is True for one in body["tools"]) == 20


def test_the_schema_of_another_maker_s_model_goes_as_it_came() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": OBJECT}}
    _, body = built("somebody/else", response_format=form, tools=[tool(OBJECT)])
    assert body["output_config"]["format"]["schema"] == OBJECT
    assert body["tools"][0]["input_schema"] == OBJECT and body["tools"][0]["strict"] is True


_CONSTRAINTS = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(max_size=5),
        "minLength": st.integers(0, 3),
        "maximum": st.integers(0, 9),
        "format": st.sampled_from(["date", "password"]),
        "pattern": st.sampled_from(["^a+$", "(?=x)"]),
        "minItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "enum": st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=2)), max_size=2),
        "default": st.none(),
        "nullable": st.booleans(),
    },
)
_NAMES = st.sampled_from(["a", "b", "c"])


def _branches(inner: st.SearchStrategy[JSON]) -> st.SearchStrategy[JSON]:
    properties = st.dictionaries(_NAMES, inner, max_size=3)
    return st.one_of(
        st.builds(
            lambda given, more, required: {
                "type": "object",
                "properties": given,
                "required": [name for name in required if name in given],
                **({} if more is None else {"additionalProperties": more}),
            },
            properties,
            st.sampled_from([None, True, False, {}, {"type": "string"}]),
            st.lists(_NAMES, max_size=2, unique=True),
        ),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(
            lambda word, some: {word: some},
            st.sampled_from(["anyOf", "oneOf", "allOf"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    )


_LEAVES = st.one_of(
    st.builds(
        lambda kind, more: {"type": kind, **more},
        st.one_of(st.sampled_from(sorted(_TYPES)), st.just(["string", "null"])),
        _CONSTRAINTS,
    ),
    st.builds(lambda name: {"$ref": f"#/$defs/{name}"}, _NAMES),
)
_SCHEMAS = st.recursive(_LEAVES, _branches, max_leaves=8)


@given(_SCHEMAS, st.dictionaries(_NAMES, _SCHEMAS, max_size=3))
def test_whatever_is_said_is_said_by_the_published_rules(schema: JSON, defs: JSON) -> None:
    before = orjson.dumps([schema, defs])
    try:
        found = closed({**schema, "$defs": defs})
    except Unsayable:
        return
    assert orjson.dumps([schema, defs]) == before
    if found.optional <= 24 and found.unions <= 16:
        Checker(found.schema)
        again = closed(found.schema)
        assert (again.schema, again.moved) == (found.schema, ())
