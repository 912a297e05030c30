"""Bodies of Chat Completions that have tools, the choice among them or parts in another format's words, in
its own words. Every field of what is rewritten is kept, for its reader to take or to refuse by name. Pure.
"""

from typing import Any

import orjson

from proxy_app.formats.reading import as_list, as_object, as_text, holds_any
from proxy_app.wire import JSON

_MODES = {"auto": "auto", "any": "required", "none": "none"}
_FOREIGN_PARTS = (b'"input_text"', b'"output_text"', b'"input_image"')


def in_chat_words(body: JSON, raw: bytes) -> tuple[JSON, bytes]:
    """The body and its bytes: the very same where nothing is mixed."""
    told: JSON = {}
    tools = as_list(body.get("tools"))
    if any(_is_flat(tool) for tool in tools):
        told["tools"] = [_nested(tool) if _is_flat(tool) else tool for tool in tools]
    if isinstance(choice := body.get("tool_choice"), dict):
        told |= _choice(choice)
    if isinstance(body.get("messages"), list) and holds_any(raw, _FOREIGN_PARTS):
        messages = [_message(message) for message in body["messages"]]
        told |= {"messages": messages} if messages != body["messages"] else {}
    if not told:
        return body, raw
    whole = {**body, **told}
    return whole, orjson.dumps(whole)


def _is_flat(tool: Any) -> bool:
    told = as_object(tool)
    return told.get("type") == "function" and "function" not in told and isinstance(told.get("name"), str)


def _nested(tool: JSON) -> JSON:
    return {"type": "function", "function": {name: each for name, each in tool.items() if name != "type"}}


def _choice(choice: JSON) -> JSON:
    """What a choice of Messages or of Responses asks for; nothing where it is none of theirs alone."""
    kind, rest = as_text(choice.get("type")), dict(choice)
    is_single = rest.pop("disable_parallel_tool_use", False)
    single = {"parallel_tool_calls": False} if is_single is True else {}
    if kind in _MODES and rest.keys() == {"type"}:
        return {"tool_choice": _MODES[kind], **single}
    if kind in ("tool", "function") and rest.keys() == {"type", "name"}:
        return {"tool_choice": {"type": "function", "function": {"name": choice["name"]}}, **single}
    return {}


def _message(message: Any) -> Any:
    told = as_object(message)
    if not isinstance(told.get("content"), list):
        return message
    return {**told, "content": [_part(part) for part in told["content"]]}


def _part(part: Any) -> Any:
    told = as_object(part)
    match told.get("type"):
        case "input_text" | "output_text":
            return {**told, "type": "text"}
        case "input_image" if isinstance(told.get("image_url"), str):
            rest = {name: each for name, each in told.items() if name != "detail"}
            detail = {"detail": told["detail"]} if "detail" in told else {}
            return {**rest, "type": "image_url", "image_url": {"url": told["image_url"], **detail}}
    return part
