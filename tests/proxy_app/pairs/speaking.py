"""The same request in each of the four formats that a caller may speak."""

import json
from typing import Any

JSON = dict[str, Any]
FORMATS = ("openai_chat", "openai_responses", "anthropic", "gemini")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
MOST = 4000  # tokens of an answer, where nothing else is said

#: A word for each effort of thinking that every format knows how to ask for.
_THINKS: dict[str, JSON] = {
    "openai_chat": {"reasoning_effort": "medium"},
    "openai_responses": {
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    },
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "gemini": {},
}


def where(format: str, stream: bool) -> dict[str, str]:
    """The address, as `Gateway.ask` takes it."""
    if format == "gemini":
        verb = "streamGenerateContent" if stream else "generateContent"
        return {"path": f"/v1beta/models/gpt:{verb}", "query": "alt=sse" if stream else ""}
    last = {"openai_chat": "chat/completions", "openai_responses": "responses", "anthropic": "messages"}
    return {"path": f"/v1/{last[format]}"}


def question(
    format: str,
    stream: bool = False,
    *,
    turns: list[Any] | None = None,
    tools: bool = False,
    thinks: bool = False,
    most: int = MOST,
) -> JSON:
    """A body; `turns` are in the words of the format, a greeting by default."""
    turns = [user(format, "Say hello")] if turns is None else turns
    body = _ASKED[format](turns, most) | (_THINKS[format] if thinks else {})
    if stream and format != "gemini":
        body["stream"] = True
    if stream and format == "openai_chat":
        body["stream_options"] = {"include_usage": True}
    if thinks and format == "gemini":
        body["generationConfig"]["thinkingConfig"] = {"includeThoughts": True, "thinkingBudget": 1024}
    return body | (_tools(format) if tools else {})


_ASKED = {
    "openai_chat": lambda turns, most: {"model": "gpt", "messages": turns, "max_completion_tokens": most},
    "openai_responses": lambda turns, most: {"model": "gpt", "input": turns, "max_output_tokens": most},
    "anthropic": lambda turns, most: {"model": "gpt", "messages": turns, "max_tokens": most},
    "gemini": lambda turns, most: {"contents": turns, "generationConfig": {"maxOutputTokens": most}},
}


def _tools(format: str) -> JSON:
    name = {"name": "get_weather", "description": "The weather of a city"}
    if format == "openai_chat":
        return {"tools": [{"type": "function", "function": name | {"parameters": SCHEMA}}]}
    if format == "openai_responses":
        return {"tools": [{"type": "function", "parameters": SCHEMA} | name]}
    if format == "anthropic":
        return {"tools": [name | {"input_schema": SCHEMA}]}
    return {"tools": [{"functionDeclarations": [name | {"parametersJsonSchema": SCHEMA}]}]}


def user(format: str, content: Any) -> JSON:
    """A turn of the user: a text, or parts in the words of the format."""
    if format == "gemini":
        return {"role": "user", "parts": [{"text": content}] if isinstance(content, str) else content}
    return {"role": "user", "content": content}


def called(format: str) -> list[JSON]:
    """An earlier answer that called one tool, `call_1`."""
    call = {"name": "get_weather", "arguments": '{"city": "Seoul"}'}
    if format == "openai_chat":
        calls = [{"id": "call_1", "type": "function", "function": call}]
        return [{"role": "assistant", "content": None, "tool_calls": calls}]
    if format == "openai_responses":
        return [{"type": "function_call", "call_id": "call_1"} | call]
    made = {"id": "call_1", "name": "get_weather"}
    if format == "anthropic":
        block = {"type": "tool_use", "input": json.loads(call["arguments"])} | made
        return [{"role": "assistant", "content": [block]}]
    return [{"role": "model", "parts": [{"functionCall": {"args": json.loads(call["arguments"])} | made}]}]


def results(format: str, ids: list[str], content: Any = "Sunny") -> list[JSON]:
    """What tools said, one after another; `content` is a text or parts in the words of the format."""
    if format == "openai_chat":
        return [{"role": "tool", "tool_call_id": call_id, "content": content} for call_id in ids]
    if format == "openai_responses":
        return [{"type": "function_call_output", "call_id": call_id, "output": content} for call_id in ids]
    if format == "anthropic":
        blocks = [{"type": "tool_result", "tool_use_id": call_id, "content": content} for call_id in ids]
        return [{"role": "user", "content": blocks}]
    told = (
        {"response": {"output": content}} if isinstance(content, str) else {"response": {}, "parts": content}
    )
    parts = [{"functionResponse": {"id": call_id, "name": "get_weather"} | told} for call_id in ids]
    return [{"role": "user", "parts": parts}]


def media(format: str, kind: str, data: str) -> JSON | None:
    """A part of content as the format writes it; None where it has no word for that kind."""
    types = {"image": "image/png", "pdf": "application/pdf", "audio": "audio/wav"}
    if kind == "unknown":
        return {"hologram": {"data": data}} if format == "gemini" else {"type": "hologram", "hologram": data}
    if format == "gemini":
        return {"inlineData": {"mimeType": types[kind], "data": data}}
    url = f"data:{types[kind]};base64,{data}"
    file = {"filename": "a.pdf", "file_data": url}
    source = {"type": "base64", "media_type": types[kind], "data": data}
    audio = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    words: dict[str, dict[str, JSON]] = {
        "openai_chat": {
            "image": {"type": "image_url", "image_url": {"url": url}},
            "pdf": {"type": "file", "file": file},
            "audio": audio,
        },
        "openai_responses": {
            "image": {"type": "input_image", "image_url": url},
            "pdf": {"type": "input_file"} | file,
            "audio": audio,
        },
        "anthropic": {
            "image": {"type": "image", "source": source},
            "pdf": {"type": "document", "source": source},
        },
    }
    return words[format].get(kind)
