"""Mixed bodies in the shape of Responses, put into that format's own words: see `mixtures`. Pure."""

from collections.abc import Iterator
from typing import Any

import orjson

from proxy_app.formats.messages_mixtures import blocks_of
from proxy_app.formats.mixtures import ROLES, function_of, is_chat_tool, is_kind
from proxy_app.formats.openai_responses.request import FAILED
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.wire import JSON

_WORDS = {"auto": "auto", "any": "required", "none": "none"}


def as_responses(body: JSON) -> JSON:
    """The body as Responses have it."""
    told = dict(body)
    if isinstance(told.get("tools"), list):
        told["tools"] = [flat_tool(tool) for tool in told["tools"]]
    if (choice := told.get("tool_choice")) is not None:
        told["tool_choice"] = _flat_choice(choice)
        if as_object(choice).get("disable_parallel_tool_use") is True:
            told["parallel_tool_calls"] = False
    if isinstance(system := told.get("system"), str | list) and not told.get("instructions"):
        texts = [as_text(as_object(block).get("text")) for block in blocks_of(system)]
        told["instructions"] = "\n".join(texts)
        del told["system"]
    if (effort := told.pop("reasoning_effort", None)) is not None:
        told["reasoning"] = {"effort": effort, **as_object(told.get("reasoning"))}
    _form(told)
    if isinstance(told.get("input"), list):
        told["input"] = [item for each in told["input"] for item in _items(each)]
    return told


def flat_tool(tool: Any) -> Any:
    foreign = is_chat_tool(tool) or "input_schema" in as_object(tool)
    function = function_of(tool) if foreign else None
    return tool if function is None else {"type": "function", **function}


def _flat_choice(choice: Any) -> Any:
    told = as_object(choice)
    name = as_text(as_object(told.get("function")).get("name"))
    if told.get("type") == "tool":
        name = as_text(told.get("name"))
    if name:
        return {"type": "function", "name": name}
    return _WORDS.get(as_text(told.get("type")), choice)


def _form(told: JSON) -> None:
    text = dict(as_object(told.get("text")))
    if (verbosity := told.pop("verbosity", None)) is not None:
        text["verbosity"] = verbosity
    if form := as_object(told.pop("response_format", None)):
        text["format"] = {**form, **as_object(form.get("json_schema"))}
        text["format"].pop("json_schema", None)
    if text:
        told["text"] = text


def _items(item: Any) -> Iterator[Any]:
    """An item as it is; of a message, what it says, calls and was given, each an item of its own."""
    told = as_object(item)
    role = as_text(told.get("role"))
    if role == "tool":
        yield _output(told.get("tool_call_id"), told.get("content"))
        return
    content, calls = told.get("content"), as_list(told.get("tool_calls"))
    if role not in ROLES or not (calls or isinstance(content, list)):
        yield item
        return
    if refusal := as_text(told.get("refusal")):
        content = [*blocks_of(content), {"type": "refusal", "refusal": refusal}]
    parts = [as_object(part) for part in as_list(content)]
    for part in parts:
        if is_kind(part, "tool_result"):
            failed = {FAILED: True} if part.get("is_error") is True else {}
            yield {**_output(part.get("tool_use_id"), part.get("content")), **failed}
    kept = [part_of(part, role) for part in as_list(content) if not is_kind(part, "tool_use", "tool_result")]
    if kept or (isinstance(content, str) and content):
        head = {name: value for name, value in told.items() if name not in ("tool_calls", "refusal")}
        yield {**head, "content": kept or content}
    for part in parts:
        if is_kind(part, "tool_use"):
            arguments = orjson.dumps(part.get("input") or {}).decode()
            yield _call(part.get("id"), part.get("name"), arguments)
    for call in map(as_object, calls):
        function = as_object(call.get("function"))
        yield _call(call.get("id"), function.get("name"), function.get("arguments"))


def _call(call_id: Any, name: Any, arguments: Any) -> JSON:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _output(call_id: Any, content: Any) -> JSON:
    given = content if isinstance(content, str) else [part_of(part, "user") for part in as_list(content)]
    return {"type": "function_call_output", "call_id": call_id, "output": given}


def part_of(part: Any, role: str) -> Any:
    told = as_object(part)
    match told.get("type"):
        case "text":
            return {**told, "type": "output_text" if role == "assistant" else "input_text"}
        case "image_url" if isinstance(told.get("image_url"), dict):
            picture = _picture(as_text(told["image_url"].get("url")))
            return picture | ({"detail": detail} if (detail := told["image_url"].get("detail")) else {})
        case "image":
            return _picture(address_of(as_object(told.get("source"))))
    return part


def _picture(address: str) -> JSON:
    return {"type": "input_image", "image_url": address, "detail": "auto"}


def address_of(source: JSON) -> str:
    if source.get("type") == "base64":
        return f"data:{as_text(source.get('media_type'))};base64,{as_text(source.get('data'))}"
    return as_text(source.get("url"))
