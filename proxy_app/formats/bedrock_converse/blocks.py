"""Converse content blocks, written from our parts. Source of the shapes: AWS's model of bedrock-runtime."""

import re
from typing import assert_never

from proxy_app.formats.carrying import arguments_object, cannot_carry
from proxy_app.wire import JSON, Audio, File, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult

PROVIDER = "bedrock"
_IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENT_FORMATS = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/csv": "csv",
    "text/html": "html",
    "application/json": "txt",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/opus": "opus",
}
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9\s()\[\]-]+")


def build_blocks(parts: list[Part]) -> list[JSON]:
    """The blocks of a message: a cache point stands behind the part that asks for one.

    Raises UnsupportedContent for what the format has no block for.
    """
    blocks: list[JSON] = []
    for part in parts:
        if (block := _block(part)) is not None:
            blocks.append(block)
            if isinstance(part, Text | Image | File | ToolCall | ToolResult):
                blocks += cache_point(part.cache_control)
    return blocks


def cache_point(cache_control: JSON | None) -> list[JSON]:
    """The point that ends what is to be cached, or nothing."""
    if cache_control is None:
        return []
    lifetime = cache_control.get("ttl")
    return [{"cachePoint": {"type": "default", **({"ttl": lifetime} if lifetime else {})}}]


def _block(part: Part) -> JSON | None:
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text else None
        case Image():
            return {"image": _image(part)}
        case File():
            return {"document": _document(part)}
        case Audio():
            return {"audio": _audio(part)}
        case ToolCall():
            call: JSON = {"toolUseId": part.id, "name": part.name}
            return {"toolUse": call | {"input": arguments_object(part)}}
        case ToolResult():
            return {"toolResult": _tool_result(part)}
        case Thinking():
            return _thought(part)
        case _:
            assert_never(part)


def _image(image: Image) -> JSON:
    media_type = image.media_type or "image/png"
    if image.url is not None and not image.url.startswith("s3://"):
        raise cannot_carry(image, "addresses of images cannot be carried to this model: send the image.")
    form = _IMAGE_FORMATS.get(media_type)
    if form is None or (image.url is None and image.data is None):
        raise cannot_carry(image, f"images of the type '{media_type}' cannot be carried to this model.")
    return {"format": form, "source": _source(image.url, image.data)}


def _document(file: File) -> JSON:
    media_type = file.media_type or "application/pdf"
    if file.url is not None and not file.url.startswith("s3://"):
        raise cannot_carry(file, "addresses of files cannot be carried to this model: send the file.")
    if file.url is None and file.data is None:
        raise cannot_carry(file, "a file known to another provider cannot be carried to this model.")
    form = _DOCUMENT_FORMATS.get(media_type)
    if form is None:
        raise cannot_carry(file, f"files of the type '{media_type}' cannot be carried to this model.")
    return {"format": form, "name": _document_name(file.filename), "source": _source(file.url, file.data)}


def _document_name(filename: str | None) -> str:
    """The name without its suffix, in the signs the format allows."""
    stem = (filename or "").rpartition(".")[0] or filename or ""
    return " ".join(_NOT_IN_NAME.sub(" ", stem).split())[:200] or "document"


def _audio(audio: Audio) -> JSON:
    form = _AUDIO_FORMATS.get(audio.media_type)
    if form is None:
        raise cannot_carry(audio, f"audio of the type '{audio.media_type}' cannot be carried to this model.")
    return {"format": form, "source": {"bytes": audio.data}}


def _source(url: str | None, data: str | None) -> JSON:
    return {"s3Location": {"uri": url}} if url is not None else {"bytes": data}


def _tool_result(result: ToolResult) -> JSON:
    inner = [block for part in result.parts if (block := _block(part)) is not None]
    told: JSON = {"toolUseId": result.call_id, "content": inner or [{"json": {}}]}
    if result.is_error:
        told["status"] = "error"
    return told


def _thought(thought: Thinking) -> JSON | None:
    """A thought that was signed here; the service refuses any other."""
    if thought.provider != PROVIDER:
        return None
    if thought.redacted is not None:
        return {"reasoningContent": {"redactedContent": thought.redacted}}
    if not thought.signature:
        return None
    return {"reasoningContent": {"reasoningText": {"text": thought.text, "signature": thought.signature}}}
