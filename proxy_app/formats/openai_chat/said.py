"""What a provider's message or delta says, in the shapes servers write it in."""

from collections.abc import Iterator
from typing import Any

import orjson

from proxy_app.formats.reading import as_list, as_object, as_text, uncarried
from proxy_app.wire import JSON, Refusal, RefusalDelta, Text, TextDelta, Thinking, ThinkingDelta

_REFERENCES = frozenset({"reference", "tool_reference"})  # Mistral's, to documents of its own


def read_content(content: Any) -> Iterator[Text | Thinking | Refusal]:
    """The parts of a content, which is a text or a list; Mistral's models that reason tell their thoughts in
    it. Raises UpstreamInvalid for a part that says neither."""
    for item in [content] if isinstance(content, str) else as_list(content):
        part = Text(item) if isinstance(item, str) else _part(as_object(item))
        if part is not None and part.text:
            yield part


def _part(item: JSON) -> Text | Thinking | Refusal | None:
    kind = as_text(item.get("type"))
    if kind == "thinking":
        return Thinking("".join(part.text for part in read_content(item.get("thinking"))))
    if kind == "refusal":
        return Refusal(as_text(item.get("refusal")))
    if isinstance(item.get("text"), str):
        return Text(item["text"])
    if kind and kind != "text" and kind not in _REFERENCES:
        raise uncarried(kind)
    return None


def delta_of(part: Text | Thinking | Refusal) -> TextDelta | ThinkingDelta | RefusalDelta:
    match part:
        case Text(text):
            return TextDelta(text)
        case Thinking(text):
            return ThinkingDelta(text)
        case Refusal(text):
            return RefusalDelta(text)


def read_reasoning(message: JSON) -> str:
    return as_text(message.get("reasoning_content")) or as_text(message.get("reasoning"))


def read_arguments(arguments: Any) -> str:
    """A JSON text; some servers send the object itself, and an empty one before the text."""
    if isinstance(arguments, str) or not arguments:
        return as_text(arguments)
    return orjson.dumps(arguments).decode()


def calls_in(message: JSON) -> list[JSON]:
    """The tool calls; a server that knows but the `function_call` of old makes one."""
    calls = [as_object(call) for call in as_list(message.get("tool_calls"))]
    if not calls and isinstance(function := message.get("function_call"), dict):
        return [{"function": function}]
    return calls


def refuse_media(message: JSON) -> None:
    """Raises UpstreamInvalid for what is neither text nor call, which no translated request asks for."""
    for kind in ("audio", "images"):
        if message.get(kind):
            raise uncarried(kind)
