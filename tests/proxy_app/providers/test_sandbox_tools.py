from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from tests.proxy_app.providers.sandbox_calls import JSON, ask, chat, plain, read, rebuilt, stream


def function(name: str, **properties: JSON) -> JSON:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


WEATHER = function("get_weather", city={"type": "string"}, unit={"enum": ["celsius", "fahrenheit"]})
CLOCK = function("get_time", zone={"type": "string", "minLength": 3})
TOOLS = [WEATHER, CLOCK]


def names(body: JSON) -> list[str]:
    return [call["function"]["name"] for call in body["choices"][0]["message"].get("tool_calls", ())]


async def test_an_offered_tool_is_called_with_arguments_that_fit_its_schema() -> None:
    body = await plain(chat("How warm is it?", tools=TOOLS))
    choice = body["choices"][0]
    [call] = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert call["function"]["name"] == "get_weather"
    Draft202012Validator(WEATHER["function"]["parameters"]).validate(
        orjson.loads(call["function"]["arguments"])
    )


async def test_a_streamed_call_rebuilds_to_the_plain_one() -> None:
    body = chat("use all tools", tools=TOOLS)
    whole = (await plain(body))["choices"][0]
    again = rebuilt(await stream(body))
    assert again["message"]["tool_calls"] == whole["message"]["tool_calls"]
    assert again["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["get_weather"]),
        ({"text": "call get_time for me"}, ["get_time"]),
        ({"text": "use all tools"}, ["get_weather", "get_time"]),
        ({"text": "use all tools", "parallel_tool_calls": False}, ["get_weather"]),
        ({"model": "sandbox/tools"}, ["get_weather", "get_time"]),
        ({"tool_choice": "none"}, []),
        ({"tool_choice": "required"}, ["get_weather"]),
        ({"tool_choice": {"type": "function", "function": {"name": "get_time"}}}, ["get_time"]),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [{"type": "function", "function": {"name": "get_time"}}],
                    },
                }
            },
            ["get_time"],
        ),
    ],
)
async def test_the_choice_of_tools_is_obeyed(fields: JSON, expected: list[str]) -> None:
    assert names(await plain(chat(**{"text": "hello", "tools": TOOLS} | fields))) == expected


async def test_tool_results_are_answered_in_words() -> None:
    turns = [
        {"role": "user", "content": "How warm is it?"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "x", "arguments": ""}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "21 degrees"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "noon"}]},
    ]
    body = await plain(chat(tools=TOOLS) | {"messages": turns})
    assert "The 2 tools answered “21 degrees”; “noon”." in body["choices"][0]["message"]["content"]
    required = await plain(chat(tools=TOOLS, tool_choice="required") | {"messages": turns})
    assert names(required) == ["get_weather"]


async def test_a_custom_tool_gets_free_text() -> None:
    body = await plain(chat("print 1", tools=[{"type": "custom", "custom": {"name": "shell"}}]))
    [call] = body["choices"][0]["message"]["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "shell", "input": "print 1"})


async def test_a_tool_choice_that_was_not_offered_is_refused() -> None:
    choice = {"type": "function", "function": {"name": "unknown"}}
    reply = await ask(chat(tools=TOOLS, tool_choice=choice))
    assert reply.status == 400
    assert (await read(reply))["error"]["param"] == "tool_choice"


async def test_json_mode_answers_an_object() -> None:
    body = await plain(chat("as json", response_format={"type": "json_object"}))
    assert orjson.loads(body["choices"][0]["message"]["content"])["asked"] == "as json"


SCHEMAS: dict[str, Any] = {
    "flat": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    },
    "bounds": {
        "type": "array",
        "items": {"type": "integer", "minimum": 3, "maximum": 5},
        "minItems": 4,
        "maxItems": 6,
    },
    "exclusive": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "step": {"type": "integer", "minimum": 10, "maximum": 100, "multipleOf": 7},
    "below": {"type": "integer", "maximum": -5},
    "union": {
        "anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"const": 7}}, "required": ["x"]}]
    },
    "nullable": {"type": ["string", "null"], "maxLength": 3},
    "one": {"oneOf": [{"type": "boolean"}, {"type": "string"}]},
    "all": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ]
    },
    "unique": {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"enum": ["a", "b", "c"]}},
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "integer"}],
        "items": False,
        "minItems": 2,
    },
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "pattern": {"type": "string", "pattern": "^[A-Z]{3}-\\d{4}(x|y)?$"},
    "lengths": {"type": "string", "minLength": 250, "maxLength": 300},
    "dates": {
        "type": "object",
        "properties": {
            f: {"type": "string", "format": f} for f in ("date", "date-time", "email", "uuid", "ipv4", "uri")
        },
        "required": ["date", "date-time", "email", "uuid", "ipv4", "uri"],
    },
    "tree": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["name", "next", "children"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    },
    "itself": {
        "type": "object",
        "properties": {"inner": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["inner"],
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("prompt", ["one", "two", "three"])
async def test_a_structured_answer_is_valid_for_its_schema(name: str, prompt: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": name, "schema": SCHEMAS[name], "strict": True}}
    body = await plain(chat(prompt, response_format=wanted))
    value = orjson.loads(body["choices"][0]["message"]["content"])
    checker = Draft202012Validator.FORMAT_CHECKER
    Draft202012Validator(SCHEMAS[name], format_checker=checker).validate(value)


async def test_a_schema_without_a_finite_value_is_refused() -> None:
    endless = {"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "endless", "schema": endless}}
    reply = await ask(chat(response_format=wanted))
    assert reply.status == 400
    assert (await read(reply))["error"]["code"] == "invalid_schema"
