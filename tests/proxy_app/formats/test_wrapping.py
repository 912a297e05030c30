"""An answer whose schema is no object's comes from providers that take objects alone, whole and streamed."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_app.formats.exchange import build_outgoing, convert_answer, open_pipe
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.formats.whole import answer_events
from proxy_app.formats.wrapping import Unwrapping, wrap_schema
from proxy_app.wire import (
    Address,
    Answer,
    Conversation,
    Finish,
    Finished,
    OutputFormat,
    Target,
    Text,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReported,
)
from tests.proxy_app.formats.saying import VALUES
from tests.proxy_app.formats.test_pairs_identity import OPTIONS, over_the_wire

RECIPES = {
    "type": "array",
    "items": {"$ref": "#/$defs/Recipe"},
    "$defs": {"Recipe": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
STYLED = {"type": "ARRAY", "items": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}}}
TAKE_OBJECTS = ("openai_chat", "openai_responses", "anthropic")


def asked(caller: str, schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "a", "schema": schema}
    form = {"type": "json_schema", **named}
    messages = [{"role": "user", "content": "Hi"}]
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    bodies: dict[str, dict[str, Any]] = {
        "openai_chat": {
            "messages": messages,
            "response_format": {"type": "json_schema", "json_schema": named},
        },
        "openai_responses": {"input": "Hi", "text": {"format": form}},
        "anthropic": {
            "messages": messages,
            "max_tokens": 9,
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
        },
        "gemini": {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": config},
    }
    return {"model": "public", **bodies[caller]}


PAIRS = [
    (caller, provider)
    for caller in ("gemini", *TAKE_OBJECTS)
    for provider in TAKE_OBJECTS
    if caller != provider
]


def sent(caller: str, provider: str, body: dict[str, Any]) -> tuple[Target, Any, dict[str, Any]]:
    facts = INBOUND[caller].read_call(body, Address("public"))
    target = Target(provider, "gemini-3-pro" if provider == "gemini" else "m")
    outgoing = build_outgoing(caller, target, orjson.dumps(body), body, facts)
    return target, facts, orjson.loads(outgoing.body)


def schema_in(provider: str, body: dict[str, Any]) -> Any:
    match provider:
        case "openai_chat":
            return body["response_format"]["json_schema"]["schema"]
        case "openai_responses":
            return body["text"]["format"]["schema"]
        case "anthropic":
            return body["output_config"]["format"]["schema"]
    return body["generationConfig"]["responseJsonSchema"]


def text_in(caller: str, told: bytes) -> str:
    parts = UPSTREAM[caller].parse_answer(orjson.loads(told)).parts
    return "".join(part.text for part in parts if isinstance(part, Text))


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_a_list_is_asked_for_as_the_value_of_an_object(caller: str, provider: str) -> None:
    schema = schema_in(provider, sent(caller, provider, asked(caller, RECIPES))[2])
    assert schema["type"] == "object" and schema["required"] == ["value"]
    assert schema["additionalProperties"] is False and schema["$defs"] == RECIPES["$defs"]
    assert schema["properties"]["value"] == {"type": "array", "items": {"$ref": "#/$defs/Recipe"}}
    plain = {"type": "object", "properties": {"value": {"type": "string"}}}
    assert schema_in(provider, sent(caller, provider, asked(caller, plain))[2]) == plain


@pytest.mark.parametrize("caller", TAKE_OBJECTS)
def test_gemini_takes_any_schema_as_it_is(caller: str) -> None:
    target, _, body = sent(caller, "gemini", asked(caller, RECIPES))
    assert schema_in("gemini", body) == RECIPES and not target.wrapped


@pytest.mark.parametrize("provider", TAKE_OBJECTS)
@pytest.mark.parametrize("schema", [STYLED, {"type": "STRING", "enum": ["red", "blue"]}])
def test_lists_and_words_in_geminis_own_style_too(provider: str, schema: dict[str, Any]) -> None:
    body = asked("gemini", {})
    body["generationConfig"] = {"responseMimeType": "application/json", "responseSchema": schema}
    built = schema_in(provider, sent("gemini", provider, body)[2])
    assert built["type"] == "object"
    assert built["properties"]["value"]["type"] == schema["type"].lower()


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_the_caller_gets_the_value_alone(caller: str, provider: str) -> None:
    answer = Answer("a", "m", [Text('{"value": [{"name": "a}b"}]}')], Finish.STOP)
    target, facts, _ = sent(caller, provider, asked(caller, RECIPES))
    raw = orjson.dumps(over_the_wire(INBOUND[provider].render_answer(answer, OPTIONS)))
    assert text_in(caller, convert_answer(caller, target, raw, facts, OPTIONS)[0]) == '[{"name": "a}b"}]'
    target, facts, _ = sent(caller, provider, asked(caller, {"type": "object"}))
    assert (
        text_in(caller, convert_answer(caller, target, raw, facts, OPTIONS)[0])
        == '{"value": [{"name": "a}b"}]}'
    )


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_a_stream_tells_the_value_alone(caller: str, provider: str) -> None:
    pieces = ['{"va', 'lue":', ' ["Zw', 'ölf", 1', "2]", "}"]
    first, *rest = answer_events(Answer("a", "m", [Text("x")], Finish.STOP))
    events = [event for event in rest if not isinstance(event, TextDelta)]
    renderer = INBOUND[provider].open_renderer(OPTIONS)
    told = b"".join(renderer.feed(event) for event in (first, *map(TextDelta, pieces), *events))
    body = asked(caller, RECIPES) if caller == "gemini" else {**asked(caller, RECIPES), "stream": True}
    target, facts, _ = sent(caller, provider, body)
    facts.stream = True
    pipe = open_pipe(caller, target, facts, OPTIONS)
    pipe.feed(told)
    pipe.finish()
    assert pipe.observed.ended and pipe.observed.output_chars == len('["Zwölf", 12]')


@given(VALUES, st.sampled_from(["", " ", "\n\t"]), st.data())
def test_the_value_comes_whole_however_a_text_is_cut(value: Any, blank: str, data: st.DataObject) -> None:
    inner = orjson.dumps(value).decode()
    text = f'{blank}{{{blank}"value"{blank}:{blank}{inner}}}{blank}'
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    unwrapping = Unwrapping()
    assert "".join(map(unwrapping.feed, pieces)) + unwrapping.end() == inner


@given(
    st.one_of(st.text(max_size=20), st.sampled_from(['["a"]', '{"val', '{"values": 1}', "{} {", '{"value"']))
)
def test_what_is_not_that_object_passes_as_it_is(text: str) -> None:
    if text.replace(" ", "").startswith('{"value":'):
        return
    unwrapping = Unwrapping()
    assert "".join(map(unwrapping.feed, text)) + unwrapping.end() == text


def test_an_answer_that_breaks_off_keeps_all_that_came_of_the_value() -> None:
    unwrapping = Unwrapping()
    assert unwrapping.feed('{"value": [{"a": 1}') + unwrapping.end() == '[{"a": 1}'


def test_each_text_between_thoughts_is_unwrapped_and_usage_ends_none() -> None:
    usage = UsageReported(Usage())
    events = [TextDelta('{"va'), usage, TextDelta('lue": 1}'), ThinkingDelta("hm"), TextDelta('{"value": 2}')]
    told = list(Unwrapping().events([*events, TextDelta(" "), Finished(Finish.STOP)]))
    assert [event.text for event in told if isinstance(event, TextDelta)] == ["1", "2"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"properties": {"a": {}}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}},
        {"$ref": "#/elsewhere"},
    ],
)
def test_objects_are_asked_for_as_they_are(schema: dict[str, Any]) -> None:
    output = OutputFormat("schema", schema)
    conversation = Conversation("m", [], output=output)
    assert not wrap_schema(conversation) and conversation.output is output


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["object", "null"]},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"enum": ["a", "b"]},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "array"}}},
    ],
)
def test_what_may_be_something_else_is_wrapped(schema: dict[str, Any]) -> None:
    conversation = Conversation("m", [], output=OutputFormat("schema", schema, "n", True, "d"))
    assert wrap_schema(conversation)
    wrapped = conversation.output
    assert (wrapped.name, wrapped.strict, wrapped.description) == ("n", True, "d")
    assert wrapped.schema and wrapped.schema["type"] == "object"


def test_references_to_the_root_move_with_it_and_others_stay() -> None:
    tree = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#"}}, {"$ref": "#/anyOf/0"}]}
    conversation = Conversation("m", [], output=OutputFormat("schema", {**tree, "definitions": {"A": {}}}))
    assert wrap_schema(conversation) and conversation.output.schema
    inner = conversation.output.schema["properties"]["value"]
    assert inner["anyOf"][1]["items"] == {"$ref": "#/properties/value"}
    assert inner["anyOf"][2] == {"$ref": "#/properties/value/anyOf/0"}
    assert conversation.output.schema["definitions"] == {"A": {}}
