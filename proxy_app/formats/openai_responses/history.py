"""What was said so far, written as Responses input items. Only thoughts bear their id again: other ids
name what a provider stored, and nothing is stored."""

from typing import Any

from proxy_app.formats.carrying import cannot_carry, told_by
from proxy_app.formats.media import AUDIO_FORMATS, image_address
from proxy_app.formats.openai_responses.request import PROVIDER
from proxy_app.wire import (
    JSON,
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)


def build_items(turns: list[Turn], system_role: str) -> list[JSON]:
    """Raises UnsupportedContent for what the format has no item or part for."""
    items: list[JSON] = []
    for turn in turns:
        match turn.role:
            case "system":
                items += _said(turn.parts, system_role)
            case "user":
                items += _said(turn.parts, "user")
            case "assistant":
                items += _assistant(turn.parts)
    return items


def has_signed_thoughts(turns: list[Turn]) -> bool:
    return any(_is_ours(part) for turn in turns for part in turn.parts)


def _is_ours(part: Part) -> bool:
    return isinstance(part, Thinking) and bool(part.signature) and part.provider == PROVIDER


def _said(parts: list[Part], role: str) -> list[JSON]:
    """Tool results first, one item each, then the message."""
    items = [_result(part) for part in parts if isinstance(part, ToolResult)]
    content = [
        _input_part(part)
        for part in parts
        if not isinstance(part, ToolResult) and not (isinstance(part, Text) and not part.text)
    ]
    if content:
        items.append(_message(role, content))
    elif not items:
        items.append(_message(role, [{"type": "input_text", "text": ""}]))
    return items


def _message(role: str, content: list[JSON]) -> JSON:
    return {"type": "message", "role": role, "content": content}


def _result(result: ToolResult) -> JSON:
    output: Any
    if all(isinstance(part, Text) for part in result.parts):
        output = told_by(result)
    else:
        for part in result.parts:
            if isinstance(part, Audio):
                raise cannot_carry(part, "audio in a tool's result cannot be carried to this model.")
        parts = result.parts
        if result.is_error:
            parts = [Text(told_by(result)), *(part for part in parts if not isinstance(part, Text))]
        output = [_input_part(part) for part in parts]
    return {"type": "function_call_output", "call_id": result.call_id, "output": output}


def _input_part(part: Part) -> JSON:
    match part:
        case Text(text):
            return {"type": "input_text", "text": text}
        case Image():
            return {"type": "input_image", "image_url": image_address(part), "detail": part.detail or "auto"}
        case File():
            return _file(part)
        case Audio() if part.media_type in AUDIO_FORMATS:
            audio = {"data": part.data, "format": AUDIO_FORMATS[part.media_type]}
            return {"type": "input_audio", "input_audio": audio}
    kind = type(part).__name__.lower()
    raise cannot_carry(part, f"a part of the kind '{kind}' cannot be carried in an input message.")


def _file(file: File) -> JSON:
    if file.url is not None:
        return {"type": "input_file", "file_url": file.url}
    if file.data is None and file.file_id is not None and file.file_id.startswith("file-"):
        return {"type": "input_file", "file_id": file.file_id}  # the form of OpenAI's own ids
    if file.data is None:
        raise cannot_carry(file, "a file known to another provider cannot be carried to this model.")
    data = f"data:{file.media_type or 'application/pdf'};base64,{file.data}"
    return {"type": "input_file", "filename": file.filename or "document.pdf", "file_data": data}


def _assistant(parts: list[Part]) -> list[JSON]:
    """Thoughts, messages and calls in their order; a thought that nothing follows is left out, since the
    provider takes none without what it led to."""
    items: list[JSON] = []
    for part in parts:
        match part:
            case Text(text):
                if text:
                    _say(items, {"type": "output_text", "text": text, "annotations": []})
            case Refusal(text):
                _say(items, {"type": "refusal", "refusal": text})
            case ToolCall():
                call = {"type": "function_call", "call_id": part.id, "name": part.name}
                items.append(call | {"arguments": part.arguments or "{}"})
            case Thinking():
                if _is_ours(part):
                    items.append(_thought(part))
            case _:
                raise cannot_carry(part, "this part cannot be carried in an assistant's message.")
    while items and items[-1]["type"] == "reasoning":
        items.pop()
    return items


def _say(items: list[JSON], part: JSON) -> None:
    if items and items[-1]["type"] == "message":
        items[-1]["content"].append(part)
    else:
        items.append(_message("assistant", [part]))


def _thought(thought: Thinking) -> JSON:
    item: JSON = {"type": "reasoning"}
    if thought.id is not None:
        item["id"] = thought.id
    item["summary"] = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    return item | {"encrypted_content": thought.signature}
