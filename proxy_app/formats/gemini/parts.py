"""Gemini parts of a request, written from ours."""

from typing import assert_never

from proxy_app.formats.carrying import arguments_object
from proxy_app.formats.gemini.media import build_media
from proxy_app.formats.gemini.signatures import PROVIDER
from proxy_app.wire import (
    JSON,
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)


def build_part(part: Part, target: Target) -> JSON | None:
    """The wire part; None for thoughts that Gemini did not sign.

    Raises UnsupportedContent for what the format, or the model, has no part for.
    """
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text else None
        case Image() | File() | Audio():
            return build_media(part, target)
        case ToolCall():
            call: JSON = {"functionCall": {"id": part.id, "name": part.name, "args": arguments_object(part)}}
            if part.signature is not None:
                call["thoughtSignature"] = part.signature
            return call
        case ToolResult():
            return {"functionResponse": _function_response(part, target)}
        case Thinking():
            return _thought(part)
        case _:
            assert_never(part)


def _thought(thought: Thinking) -> JSON | None:
    """A signature alone stood on a text without words, and goes back there."""
    if thought.provider != PROVIDER or not thought.signature:
        return None
    shown: JSON = {"thought": True} if thought.text else {}
    return {"text": thought.text, **shown, "thoughtSignature": thought.signature}


def _function_response(result: ToolResult, target: Target) -> JSON:
    """`response` must be an object: the result's text as `output` or `error`; media as parts."""
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    others = [part for part in result.parts if not isinstance(part, Text)]
    media = [built for part in others if (built := build_part(part, target))]
    rendered: JSON = {"id": result.call_id, "name": result.name or result.call_id}
    rendered["response"] = {"error" if result.is_error else "output": text}
    if media:
        rendered["parts"] = media
    return rendered
