"""Mixed bodies in the shape of Messages, put into that format's own words: see `mixtures`. Pure."""

from typing import Any

import orjson

from proxy_app.formats.anthropic.blocks import UNSIGNED
from proxy_app.formats.mixtures import OWN_ROLES, function_of, role_of
from proxy_app.formats.reading import Fields, as_list, as_object, as_text, cache_mark
from proxy_app.wire import JSON

_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_EFFORTS = {"minimal": "low"}


def as_messages(body: JSON) -> JSON:
    """The body as Messages have it."""
    told = dict(body)
    if isinstance(told.get("tools"), list):
        told["tools"] = [messages_tool(tool) for tool in told["tools"]]
    _choose(told)
    if (stop := told.pop("stop", None)) is not None:
        told["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    _configure(told)
    _head_and_turns(told)
    return told


def messages_tool(tool: Any) -> Any:
    if "input_schema" in as_object(tool) or (function := function_of(tool)) is None:
        return tool
    schema = function.pop("parameters")
    return {**function, "input_schema": schema, **(_marks(tool) or _marks(as_object(tool.get("function"))))}


def _marks(holder: JSON) -> JSON:
    mark = cache_mark(Fields(holder))
    return {"cache_control": mark} if mark else {}


def _choose(told: JSON) -> None:
    choice, parallel = told.get("tool_choice"), told.pop("parallel_tool_calls", None)
    if isinstance(choice, str) and choice in _CHOICES:
        told["tool_choice"] = {"type": _CHOICES[choice]}
    elif name := as_text(as_object(as_object(choice).get("function")).get("name")):
        told["tool_choice"] = {"type": "tool", "name": name}
    if parallel is False and told.get("tools"):
        chosen = as_object(told.get("tool_choice")) or {"type": "auto"}
        told["tool_choice"] = {**chosen, "disable_parallel_tool_use": True}


def _configure(told: JSON) -> None:
    """How hard to think and what form to answer in. JSON of no schema has no word there."""
    settings = dict(as_object(told.get("output_config")))
    effort = told.pop("reasoning_effort", None)
    if effort == "none":
        told["thinking"] = {"type": "disabled"}
    elif effort is not None:
        settings["effort"] = _EFFORTS.get(effort, effort) if isinstance(effort, str) else effort
    form = as_object(told.get("response_format"))
    if form.get("type") == "json_schema":
        schema = as_object(form.get("json_schema")).get("schema") or {"type": "object"}
        settings["format"] = {"type": "json_schema", "schema": schema}
    if form.get("type") in ("json_schema", "text"):
        del told["response_format"]
    if settings:
        told["output_config"] = settings


def _head_and_turns(told: JSON) -> None:
    """System messages at the head join `system`; results in a row are one user's message."""
    messages = as_list(told.get("messages"))
    if head := heads(messages):
        said = [block for message in messages[:head] for block in _said(message)]
        told["system"] = blocks_of(told.get("system")) + said
        messages = messages[head:]
    turns: list[Any] = []
    was_result = False
    for message in messages:
        is_result = role_of(message) == "tool"
        if is_result and was_result:
            turns[-1]["content"].append(_result(message))
        else:
            turns.append(_turn(message))
        was_result = is_result
    told["messages"] = turns


def heads(messages: list[Any]) -> int:
    """How many system messages stand at the head; none where nothing follows them."""
    head = 0
    while head < len(messages) and role_of(messages[head]) in ("system", "developer"):
        head += 1
    return head if head < len(messages) else 0


def is_split(message: JSON) -> bool:
    """Whether a message of Chat Completions becomes another one, of what it says, calls and was given."""
    role = role_of(message)
    if role != "assistant":
        return role in ("tool", "developer")
    made = ("tool_calls", "thinking_blocks", "reasoning_content")
    return "refusal" in message or any(message.get(name) for name in made)


def _turn(message: Any) -> Any:
    told = as_object(message)
    role = role_of(message)
    if role == "tool":
        return {"role": "user", "content": [_result(told)]}
    if role == "developer":
        return {"role": "system", "content": told.get("content")}
    if is_split(told):
        said = _said(told) + blocks_of(told.get("refusal"))
        calls = [_tool_use(as_object(call)) for call in as_list(told.get("tool_calls"))]
        return {"role": role, "content": [*thoughts_of(told), *said, *calls]}
    if role in OWN_ROLES and isinstance(told.get("content"), list):
        return {**told, "content": blocks_of(told["content"])}
    return message


def thoughts_of(message: JSON) -> list[Any]:
    bare = as_text(message.get("reasoning_content"))
    unsigned = [{"type": "thinking", "thinking": bare, "signature": UNSIGNED}] if bare else []
    return as_list(message.get("thinking_blocks")) or unsigned


def _said(message: JSON) -> list[Any]:
    content = message.get("content")
    marks = _marks(message) if isinstance(content, str) else {}
    return [{**block, **marks} if marks else block for block in blocks_of(content)]


def blocks_of(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [block_of(part) for part in as_list(content)]


def block_of(part: Any) -> Any:
    """A picture or a file as Messages have it; every other part as it is."""
    told = as_object(part)
    url = as_text(as_object(told.get("image_url")).get("url"))
    data = as_text(as_object(told.get("file")).get("file_data"))
    if told.get("type") == "image_url" and url:
        return {"type": "image", "source": _source(url), **_marks(told)}
    if told.get("type") == "file" and data:
        title = as_text(as_object(told.get("file")).get("filename"))
        named = {"title": title} if title else {}
        return {"type": "document", "source": _source(data), **named, **_marks(told)}
    return part


def _source(url: str) -> JSON:
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma:
        return {"type": "url", "url": url}
    media_type = head.removeprefix("data:").removesuffix(";base64")
    return {"type": "base64", "media_type": media_type, "data": data}


def _tool_use(call: JSON) -> JSON:
    function = as_object(call.get("function"))
    text = as_text(function.get("arguments"))
    try:
        given = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        given = None
    arguments = given if isinstance(given, dict) else {"invalid_json": text}
    used = {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": arguments}
    return {**used, **_marks(call)}


def _result(message: JSON) -> JSON:
    content = message.get("content")
    said = content if isinstance(content, str) else blocks_of(content)
    given = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": said}
    return {**given, **_marks(message)}
