"""Anthropic content blocks, written from our parts."""

from typing import assert_never

from proxy_app.formats.carrying import arguments_object, cannot_carry
from proxy_app.formats.media import decode_text
from proxy_app.wire import JSON, Audio, File, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult

PROVIDER = "anthropic"
#: What signatures and indices begin with that this gateway made for answers of other providers.
MARK = "gatehouse."
#: In place of the signature of a thought that nobody signed.
UNSIGNED = f"{MARK}unsigned."
IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


def build_block(part: Part) -> JSON | None:
    """The block for a part; None for a thought this provider did not sign, which it would refuse.

    Raises UnsupportedContent for what the format has no block for.
    """
    match part:
        case Text():
            return _with_cache(part, {"type": "text", "text": part.text})
        case Image():
            return _with_cache(part, {"type": "image", "source": _image_source(part)})
        case File():
            return _with_cache(part, _document(part))
        case ToolCall():
            call: JSON = {"type": "tool_use", "id": part.id, "name": part.name}
            return _with_cache(part, call | {"input": arguments_object(part)})
        case ToolResult():
            return _with_cache(part, _tool_result(part))
        case Thinking():
            return _thought(part)
        case Refusal():
            return {"type": "text", "text": part.text} if part.text else None
        case Audio():
            raise cannot_carry(part, "audio cannot be carried to this model.")
        case _:
            assert_never(part)


def _with_cache(part: Text | Image | File | ToolCall | ToolResult, block: JSON) -> JSON:
    if part.cache_control is not None:
        block["cache_control"] = part.cache_control
    return block


def _image_source(image: Image) -> JSON:
    if image.url is not None:
        return {"type": "url", "url": image.url}
    media_type = "image/jpeg" if image.media_type == "image/jpg" else image.media_type or "image/png"
    if image.data is None or media_type not in IMAGE_TYPES:
        raise cannot_carry(image, f"images of the type '{media_type}' cannot be carried to this model.")
    return {"type": "base64", "media_type": media_type, "data": image.data}


def _document(file: File) -> JSON:
    block: JSON = {"type": "document", "source": _document_source(file)}
    if file.filename:
        block["title"] = file.filename
    return block


def _document_source(file: File) -> JSON:
    if file.url is not None:
        return {"type": "url", "url": file.url}
    if file.data is None:
        raise cannot_carry(file, "a file known to another provider cannot be carried to this model.")
    media_type = file.media_type or "application/pdf"
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": file.data}
    if media_type.startswith("text/") or media_type == "application/json":
        return {"type": "text", "media_type": "text/plain", "data": decode_text(file.data, file.path)}
    raise cannot_carry(file, f"files of the type '{media_type}' cannot be carried to this model.")


def _tool_result(result: ToolResult) -> JSON:
    inner = [built for part in result.parts if not _is_blank(part) and (built := build_block(part))]
    block: JSON = {"type": "tool_result", "tool_use_id": result.call_id}
    if inner:
        block["content"] = inner
    if result.is_error:
        block["is_error"] = True
    return block


def _is_blank(part: Part) -> bool:
    return isinstance(part, Text) and not part.text


def _thought(thought: Thinking) -> JSON | None:
    if thought.provider != PROVIDER:
        return None
    if thought.redacted is not None:
        return {"type": "redacted_thinking", "data": thought.redacted}
    if not thought.signature:
        return None
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}
