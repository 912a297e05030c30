"""Gemini parts, written from ours."""

from typing import assert_never

from proxy_app.formats.carrying import arguments_object, cannot_carry
from proxy_app.formats.media import guess_type
from proxy_app.wire import JSON, Audio, File, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult

#: Google's documented stand-in for a signature that another model's call never had.
SKIP_SIGNATURE = "skip_thought_signature_validator"


def build_part(part: Part) -> JSON | None:
    """The wire part; None for thoughts, which are not sent back (a call carries its own signature).

    Raises UnsupportedContent for what the format has no part for.
    """
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text else None
        case Image() | File():
            return _blob(part)
        case Audio():
            return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
        case ToolCall():
            call: JSON = {"functionCall": {"id": part.id, "name": part.name, "args": arguments_object(part)}}
            if part.signature is not None:
                call["thoughtSignature"] = part.signature
            return call
        case ToolResult():
            return {"functionResponse": _function_response(part)}
        case Thinking():
            return None
        case _:
            assert_never(part)


def _blob(part: Image | File) -> JSON:
    """Inline data, or an address: the provider itself fetches what stands at it."""
    if part.url is not None:
        file: JSON = {"fileUri": part.url}
        if media_type := part.media_type or guess_type(part.url):
            file["mimeType"] = media_type
        return {"fileData": file}
    if part.data is None:
        raise cannot_carry(part, "a file known to another provider cannot be carried to this model.")
    default = "image/png" if isinstance(part, Image) else "application/pdf"
    return {"inlineData": {"mimeType": part.media_type or default, "data": part.data}}


def _function_response(result: ToolResult) -> JSON:
    """`response` must be an object: the result's text as `output` or `error`; media as parts."""
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    media = [built for part in result.parts if not isinstance(part, Text) and (built := build_part(part))]
    rendered: JSON = {"id": result.call_id, "name": result.name or result.call_id}
    rendered["response"] = {"error" if result.is_error else "output": text}
    if media:
        rendered["parts"] = media
    return rendered
