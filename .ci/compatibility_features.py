"""The features of a call, each said in every caller's format with a mark in it that can be looked for."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from proxy_app.wire import JSON

MARK = "mark-of-the-feature"
DATA = base64.b64encode(MARK.encode() * 3).decode()
WEB = f"https://example.com/{MARK}"
SCHEMA = {"type": "object", "properties": {MARK: {"type": "string"}}, "required": [MARK]}
PLAIN = {"type": "object", "properties": {"city": {"type": "string"}}}
CLOSED = {**PLAIN, "required": ["city"], "additionalProperties": False}
STRICT = ('"strict":true', '"strict_tools":true')

Write = Callable[[str], JSON | None]


def body_of(form: str, fragment: JSON) -> JSON:
    """A small body of a format with a fragment in it; lists are appended to, objects merged."""
    bases: dict[str, JSON] = {
        "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        "openai_responses": {"model": "m", "input": [{"role": "user", "content": "hi"}], "store": False},
        "anthropic": {"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}]},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    }
    return {**bases[form], **fragment}


def user(form: str, part: JSON) -> JSON:
    """A fragment: one user turn of a text and a part."""
    text: dict[str, JSON] = {
        "openai_chat": {"type": "text", "text": "look"},
        "openai_responses": {"type": "input_text", "text": "look"},
        "anthropic": {"type": "text", "text": "look"},
        "gemini": {"text": "look"},
    }
    if form == "gemini":
        return {"contents": [{"role": "user", "parts": [text[form], part]}]}
    name = "input" if form == "openai_responses" else "messages"
    return {name: [{"role": "user", "content": [text[form], part]}]}


def by_format(**fragments: JSON | None) -> Write:
    """The fragment for each format; a format that cannot say the feature is left out."""
    return fragments.get


def parts(**fragments: JSON) -> Write:
    return lambda form: user(form, fragments[form]) if form in fragments else None


def chat_tool(schema: JSON, **more: Any) -> JSON:
    return {"type": "function", "function": {"name": "look_up", "parameters": schema, **more}}


def offered(form: str, schema: JSON, **more: Any) -> JSON:
    """A fragment that offers one tool."""
    match form:
        case "openai_chat":
            return {"tools": [chat_tool(schema, **more)]}
        case "openai_responses":
            return {"tools": [{"type": "function", "name": "look_up", "parameters": schema, **more}]}
        case "anthropic":
            return {"tools": [{"name": "look_up", "input_schema": schema, **more}]}
        case _:
            return {
                "tools": [{"functionDeclarations": [{"name": "look_up", "parametersJsonSchema": schema}]}]
            }


def with_choice(**choices: Any) -> Write:
    """Two tools and a choice among them; the marked one is named `MARK`."""

    def write(form: str) -> JSON | None:
        if form not in choices:
            return None
        other = offered(form, PLAIN)["tools"]
        named = orjson.loads(orjson.dumps(other).replace(b"look_up", MARK.encode()))
        if form == "gemini":
            declared = other[0]["functionDeclarations"] + named[0]["functionDeclarations"]
            return {"tools": [{"functionDeclarations": declared}], **choices[form]}
        return {"tools": [*other, *named], **choices[form]}

    return write


def conversation_with_result(form: str, result: Any) -> JSON:
    """A fragment: question, tool call, its result."""
    match form:
        case "openai_chat":
            call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
            answer = {"role": "tool", "tool_call_id": "c1", "content": result}
            return {"messages": [USER, {"role": "assistant", "tool_calls": [call]}, answer]}
        case "openai_responses":
            called = {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"}
            told = {"type": "function_call_output", "call_id": "c1", "output": result}
            return {"input": [USER, called, told]}
        case "anthropic":
            use = {"type": "tool_use", "id": "c1", "name": "look_up", "input": {}}
            block = {"type": "tool_result", "tool_use_id": "c1", **result}
            turns = [USER, {"role": "assistant", "content": [use]}, {"role": "user", "content": [block]}]
            return {"messages": turns}
        case _:
            asked = {"functionCall": {"name": "look_up", "args": {}}}
            given = {"functionResponse": {"name": "look_up", **result}}
            return {
                "contents": [
                    {"role": "user", "parts": [{"text": "hi"}]},
                    {"role": "model", "parts": [asked]},
                    {"role": "user", "parts": [given]},
                ]
            }


USER: JSON = {"role": "user", "content": "hi"}


def results(**fragments: Any) -> Write:
    def write(form: str) -> JSON | None:
        if form not in fragments:
            return None
        return {**offered(form, PLAIN), **conversation_with_result(form, fragments[form])}

    return write


def config(**fields: Any) -> JSON:
    return {"generationConfig": fields}


@dataclass(frozen=True, slots=True)
class Feature:
    """`marks`: any of these in what is built shows that the feature was carried."""

    name: str
    write: Write
    marks: tuple[str, ...] = (MARK,)
    group: str = ""


def said(number: str) -> tuple[str, ...]:
    return (number,)


PICTURE = f"data:image/png;base64,{DATA}"
PDF = f"data:application/pdf;base64,{DATA}"
SIGNATURE = base64.b64encode(MARK.encode()).decode()

CONTENT_AND_TOOLS: tuple[Feature, ...] = (
    Feature(
        "Instructions",
        by_format(
            openai_chat={"messages": [{"role": "developer", "content": MARK}, USER]},
            openai_responses={"instructions": MARK},
            anthropic={"system": [{"type": "text", "text": MARK}]},
            gemini={"systemInstruction": {"parts": [{"text": MARK}]}},
        ),
        group="Content",
    ),
    Feature(
        "Instructions in mid-conversation",
        by_format(
            openai_chat={"messages": [USER, {"role": "system", "content": MARK}, USER]},
            openai_responses={"input": [USER, {"role": "developer", "content": MARK}, USER]},
            anthropic={"messages": [USER, {"role": "system", "content": MARK}, USER]},
        ),
    ),
    Feature(
        "Image, base64",
        parts(
            openai_chat={"type": "image_url", "image_url": {"url": PICTURE}},
            openai_responses={"type": "input_image", "image_url": PICTURE},
            anthropic={
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": DATA},
            },
            gemini={"inlineData": {"mimeType": "image/png", "data": DATA}},
        ),
        (DATA,),
    ),
    Feature(
        "Image, by address",
        parts(
            openai_chat={"type": "image_url", "image_url": {"url": WEB}},
            openai_responses={"type": "input_image", "image_url": WEB},
            anthropic={"type": "image", "source": {"type": "url", "url": WEB}},
            gemini={"fileData": {"fileUri": WEB, "mimeType": "image/png"}},
        ),
    ),
    Feature(
        "PDF, base64",
        parts(
            openai_chat={"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
            openai_responses={"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
            anthropic={
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": DATA},
            },
            gemini={"inlineData": {"mimeType": "application/pdf", "data": DATA}},
        ),
        (DATA,),
    ),
    Feature(
        "PDF, by address",
        parts(
            openai_responses={"type": "input_file", "file_url": WEB},
            anthropic={"type": "document", "source": {"type": "url", "url": WEB}},
            gemini={"fileData": {"fileUri": WEB, "mimeType": "application/pdf"}},
        ),
    ),
    Feature(
        "A provider's own file",
        parts(
            openai_chat={"type": "file", "file": {"file_id": MARK}},
            openai_responses={"type": "input_file", "file_id": MARK},
            anthropic={"type": "document", "source": {"type": "file", "file_id": MARK}},
        ),
    ),
    Feature(
        "Audio",
        parts(
            openai_chat={"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
            openai_responses={"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
            gemini={"inlineData": {"mimeType": "audio/wav", "data": DATA}},
        ),
        (DATA,),
    ),
    Feature("Video", parts(gemini={"inlineData": {"mimeType": "video/mp4", "data": DATA}}), (DATA,)),
    Feature(
        "Beginning of the answer (prefill)",
        by_format(
            openai_chat={"messages": [USER, {"role": "assistant", "content": MARK}]},
            openai_responses={"input": [USER, {"role": "assistant", "content": MARK}]},
            anthropic={"messages": [USER, {"role": "assistant", "content": MARK}]},
            gemini={
                "contents": [
                    {"role": "user", "parts": [{"text": "hi"}]},
                    {"role": "model", "parts": [{"text": MARK}]},
                ]
            },
        ),
    ),
    Feature("Tools", lambda form: offered(form, SCHEMA), group="Tools"),
    Feature(
        "Strict tools",
        lambda form: None if form == "gemini" else offered(form, CLOSED, strict=True),
        STRICT,
    ),
    Feature(
        "Strict tools with properties that may be missing",
        lambda form: None if form == "gemini" else offered(form, PLAIN, strict=True),
        STRICT,
    ),
    Feature(
        "One tool forced",
        with_choice(
            openai_chat={"tool_choice": {"type": "function", "function": {"name": MARK}}},
            openai_responses={"tool_choice": {"type": "function", "name": MARK}},
            anthropic={"tool_choice": {"type": "tool", "name": MARK}},
            gemini={"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [MARK]}}},
        ),
    ),
    Feature(
        "Some tool forced",
        with_choice(
            openai_chat={"tool_choice": "required"},
            openai_responses={"tool_choice": "required"},
            anthropic={"tool_choice": {"type": "any"}},
            gemini={"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        ),
        ('"required"', '"any"', '"ANY"'),
    ),
    Feature(
        "A subset of the tools",
        with_choice(
            openai_chat={
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [{"type": "function", "function": {"name": MARK}}],
                    },
                }
            },
            openai_responses={
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": MARK}],
                }
            },
            gemini={
                "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": [MARK]}}
            },
        ),
    ),
    Feature(
        "No tool",
        with_choice(
            openai_chat={"tool_choice": "none"},
            openai_responses={"tool_choice": "none"},
            anthropic={"tool_choice": {"type": "none"}},
            gemini={"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
        ),
        ('"none"', '"NONE"'),
    ),
    Feature(
        "One call at a time",
        with_choice(
            openai_chat={"parallel_tool_calls": False},
            openai_responses={"parallel_tool_calls": False},
            anthropic={"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        ('"parallel_tool_calls":false', '"disable_parallel_tool_use":true'),
    ),
    Feature(
        "Tool result",
        results(
            openai_chat=MARK,
            openai_responses=MARK,
            anthropic={"content": MARK},
            gemini={"response": {"output": MARK}},
        ),
    ),
    Feature(
        "Image in a tool result",
        results(
            openai_chat=[{"type": "image_url", "image_url": {"url": PICTURE}}],
            openai_responses=[{"type": "input_image", "image_url": PICTURE}],
            anthropic={
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}
                ]
            },
            gemini={
                "response": {"output": "see"},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": DATA}}],
            },
        ),
        (DATA,),
    ),
    Feature(
        "Failed tool result",
        results(
            anthropic={"content": MARK, "is_error": True},
            gemini={"response": {"error": MARK}},
        ),
        ('"is_error":true', '"status":"error"', f'"error":"{MARK}"', f"Error: {MARK}"),
    ),
    Feature(
        "The provider's own tools",
        by_format(
            openai_responses={"tools": [{"type": "web_search"}]},
            anthropic={"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            gemini={"tools": [{"googleSearch": {}}]},
        ),
        ("web_search", "googleSearch"),
    ),
)
