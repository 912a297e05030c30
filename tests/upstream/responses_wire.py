"""The mock's OpenAI responses."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from tests.upstream import openai_wire
from tests.upstream.script import SIGNATURE, Asked, Script, ScriptedCall, pieces
from tests.upstream.wire import CREATED, JSON, MESSAGES, Frame, Quirks, dump, text_of

name = "openai"  # the same provider, and the same credential

refuse_credential = openai_wire.refuse_credential
error = openai_wire.error
listing = openai_wire.listing

_TEXTS = ("input_text", "output_text", "text")
_REASONS = {"length": "max_output_tokens", "blocked": "content_filter"}


def read(body: JSON, path_model: str, stream: bool) -> Asked:
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    users = [item for item in items if item.get("role") == "user"]
    results: list[str] = []
    for item in reversed(items):
        if item.get("type") not in ("function_call_output", "custom_tool_call_output"):
            break
        results.insert(0, text_of(item["output"], _TEXTS))
    told = [text_of(item["content"], _TEXTS) for item in items if item.get("role") in ("system", "developer")]
    tools, forced, tools_off = openai_wire.choice_of(body, lambda tool: str(tool.get("name")))
    return Asked(
        model=body["model"],
        last_text=text_of(users[-1]["content"], _TEXTS) if users else "",
        system=" ".join([body["instructions"], *told] if body.get("instructions") else told),
        tool_results=tuple(results),
        images=sum(_images(item) for item in users),
        tools=tools,
        forced=forced,
        tools_off=tools_off,
        one_call=body.get("parallel_tool_calls") is False,
        max_tokens=body.get("max_output_tokens"),
        stream=bool(body.get("stream")),
        output_format=(body.get("text") or {}).get("format"),
    )


def _images(item: JSON) -> int:
    content = item["content"]
    return sum(part.get("type") == "input_image" for part in content) if isinstance(content, list) else 0


def plain(asked: Asked, script: Script, number: int, quirks: Quirks) -> JSON:
    items = _items(script, number)
    return _response(asked, number, _status(script)) | _ending(script, items, quirks)


def frames(asked: Asked, script: Script, number: int, quirks: Quirks) -> list[Frame]:
    items = _items(script, number)
    rows = [list(_row(at, item, script)) for at, item in enumerate(items)]
    if quirks.interleave:
        events = [event for turn in zip_longest(*rows) for event in turn if event is not None]
    else:
        events = [event for row in rows for event in row]
    begun = {"response": _response(asked, number, "in_progress")}
    events = [("response.created", begun, False), ("response.in_progress", begun, False), *events]
    if not quirks.no_done:
        status = _status(script)
        whole = _response(asked, number, status) | _ending(script, items, quirks)
        events.append((f"response.{status}", {"response": whole}, False))
    return [
        Frame(_event(kind, fields | {"sequence_number": at}), content=content)
        for at, (kind, fields, content) in enumerate(events)
    ]


def error_frame(status: int) -> bytes:
    told = error(status, "error")[0]["error"]
    code = "server_error" if status >= 500 else told["code"]
    return _event("error", {"code": code, "message": MESSAGES["error"], "param": None, "sequence_number": 99})


def _event(kind: str, fields: JSON) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + dump({"type": kind, **fields}) + b"\n\n"


def _items(script: Script, number: int) -> list[JSON]:
    made: list[JSON] = []
    if script.thinking:
        summary = [{"type": "summary_text", "text": script.thinking}]
        item = {"id": f"rs_mock{number}", "type": "reasoning", "summary": summary}
        made.append(item | {"encrypted_content": SIGNATURE})
    content: list[JSON] = []
    if script.text or not (script.calls or script.refusal):
        content.append({"type": "output_text", "text": script.text, "annotations": [], "logprobs": []})
    if script.refusal:
        content.append({"type": "refusal", "refusal": script.refusal})
    if content:
        status = "incomplete" if script.finish in _REASONS else "completed"
        item = {"id": f"msg_mock{number}", "type": "message", "status": status}
        made.append(item | {"role": "assistant", "content": content})
    made += [_call(at, call, number) for at, call in enumerate(script.calls)]
    return made


def _call(at: int, call: ScriptedCall, number: int) -> JSON:
    return {
        "id": f"fc_mock{number}_{at}",
        "type": "function_call",
        "status": "completed",
        "call_id": f"call_{number}_{at}",
        "name": call.name,
        "arguments": call.text,
    }


def _row(at: int, item: JSON, script: Script) -> Iterator[tuple[str, JSON, bool]]:
    """The events about one item: opened, filled, closed."""
    where = {"item_id": item["id"], "output_index": at}
    blank = {"summary": []} if item["type"] == "reasoning" else {"status": "in_progress"}
    if item["type"] == "message":
        blank["content"] = []
    elif item["type"] == "function_call":
        blank["arguments"] = ""
    yield "response.output_item.added", {"output_index": at, "item": item | blank}, False
    if item["type"] == "function_call":
        whole = item["arguments"]
        for start in range(0, len(whole), 9):
            yield "response.function_call_arguments.delta", where | {"delta": whole[start : start + 9]}, True
        yield "response.function_call_arguments.done", where | {"arguments": whole}, False
    elif item["type"] == "reasoning":
        yield from _summary(where | {"summary_index": 0}, script.thinking)
    else:
        for index, part in enumerate(item["content"]):
            yield from _part(where | {"content_index": index}, part)
    yield "response.output_item.done", {"output_index": at, "item": item}, False


def _summary(where: JSON, text: str) -> Iterator[tuple[str, JSON, bool]]:
    kind = "response.reasoning_summary"
    part = {"type": "summary_text", "text": text}
    yield f"{kind}_part.added", where | {"part": part | {"text": ""}}, False
    for piece in pieces(text):
        yield f"{kind}_text.delta", where | {"delta": piece, "obfuscation": "Xq9"}, True
    yield f"{kind}_text.done", where | {"text": text}, False
    yield f"{kind}_part.done", where | {"part": part}, False


def _part(where: JSON, part: JSON) -> Iterator[tuple[str, JSON, bool]]:
    field = "text" if part["type"] == "output_text" else "refusal"
    kind = f"response.{part['type']}"
    more: JSON = {"logprobs": []} if field == "text" else {}
    yield "response.content_part.added", where | {"part": part | {field: ""}}, False
    for piece in pieces(part[field]):
        yield f"{kind}.delta", where | {"delta": piece, "obfuscation": "Xq9"} | more, True
    yield f"{kind}.done", where | {field: part[field]} | more, False
    yield "response.content_part.done", where | {"part": part}, False


def _response(asked: Asked, number: int, status: str) -> JSON:
    return {
        "id": f"resp_mock{number}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "model": f"{asked.model}-2026-11-01",
        "error": None,
        "incomplete_details": None,
        "instructions": asked.system or None,
        "metadata": {},
        "output": [],
        "parallel_tool_calls": not asked.one_call,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": asked.output_format or {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _status(script: Script) -> str:
    return "incomplete" if script.finish in _REASONS else "completed"


def _ending(script: Script, items: list[JSON], quirks: Quirks) -> JSON:
    reason = _REASONS.get(script.finish)
    return {
        "output": items,
        "incomplete_details": {"reason": reason} if reason else None,
        "usage": None if quirks.no_usage else _usage(script),
    }


def _usage(script: Script) -> dict[str, Any]:
    usage = script.usage
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
