"""Signed thoughts across formats: what an answer's tool calls must be sent back with, and giving it back.

A provider that signs its thoughts wants them again, unchanged, with the calls they led to. Formats
without a field for them lose them; the gateway keeps them by tool call id. Formats whose field is meant
for another family's signatures carry them there under a tag that names who signed. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from proxy_app.wire import (
    JSON,
    Conversation,
    Part,
    SignatureDelta,
    Signed,
    StreamEvent,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallStarted,
)

_TAG = "gatehouse."
_REDACTED = "+redacted"  # after the family's name: data in place of a thought, not a signature of one


def tag_signature(signature: str, provider: str | None, own: str) -> str:
    """A signature as a format of the family `own` may carry it: its own as it is, another family's as
    `gatehouse.<provider>.<signature>`."""
    return signature if provider is None or provider == own else f"{_TAG}{provider}.{signature}"


def untag_signature(text: str, own: str) -> tuple[str, str]:
    """(signature, the family that signed) of what `tag_signature` gave; without a tag it is `own`'s."""
    provider, dot, signature = text.removeprefix(_TAG).partition(".")
    return (signature, provider) if text.startswith(_TAG) and provider and dot else (text, own)


def is_foreign(text: str, own: str) -> bool:
    """A signature under the tag of another family."""
    return untag_signature(text, own)[1] != own


def seal_of(thought: Thinking, own: str) -> str | None:
    """What signs a thought or stands for it, tagged; None for a bare one."""
    if thought.redacted is not None:
        return tag_signature(thought.redacted, f"{thought.provider or own}{_REDACTED}", own)
    return tag_signature(thought.signature, thought.provider, own) if thought.signature else None


def sealed_thought(text: str, seal: str | None, own: str, id: str | None = None) -> Thinking:
    """The thought a caller sent back with what `seal_of` gave."""
    if not seal:
        return Thinking(text, id=id)
    signature, provider = untag_signature(seal, own)
    if provider.endswith(_REDACTED):
        return Thinking(text, redacted=signature, provider=provider.removesuffix(_REDACTED), id=id)
    return Thinking(text, signature, provider=provider, id=id)


def gather(parts: list[Part]) -> dict[str, Signed]:
    """What is to be kept of an answer: for each tool call its signature and the signed thoughts before it."""
    signed: dict[str, Signed] = {}
    thoughts: list[Thinking] = []
    for part in parts:
        if isinstance(part, Thinking) and (part.signature or part.redacted):
            thoughts.append(part)
        elif isinstance(part, ToolCall) and part.id and (part.signature or thoughts):
            signed[part.id] = Signed(part.signature, tuple(thoughts))
    return signed


class Gatherer:
    """`gather` for a stream: `signed` grows as its events are fed."""

    __slots__ = ("_ids", "_text", "_thoughts", "signed")

    def __init__(self, signed: dict[str, Signed]) -> None:
        self.signed = signed
        self._ids: dict[int, str] = {}
        self._text: list[str] = []
        self._thoughts: list[Thinking] = []

    def feed(self, event: StreamEvent) -> None:
        match event:
            case ThinkingDelta(text):
                self._text.append(text)
            case ToolCallStarted(index, call_id, _):
                self._ids[index] = call_id
                if self._thoughts and call_id:
                    self.signed[call_id] = Signed(None, tuple(self._thoughts))
            case SignatureDelta(signature, None):
                self._end_thought(event)
            case SignatureDelta(signature, index):
                if call_id := self._ids.get(index or 0, ""):
                    self.signed[call_id] = Signed(signature, tuple(self._thoughts))
            case _:
                pass

    def _end_thought(self, event: SignatureDelta) -> None:
        text = "" if event.redacted else "".join(self._text)
        self._text = []
        sign, redacted = (None, event.signature) if event.redacted else (event.signature, None)
        self._thoughts.append(Thinking(text, sign, redacted, provider=event.provider, id=event.id))


def give_back(conversation: Conversation, signed: Mapping[str, Signed]) -> None:
    """Put what was kept where the caller's format lost it. What the caller did send is left alone."""
    for turn in conversation.turns:
        if turn.role != "assistant":
            continue
        calls = [part for part in turn.parts if isinstance(part, ToolCall)]
        for call in calls:
            kept = signed.get(call.id)
            if kept is not None and call.signature is None:
                call.signature = kept.signature
        has_own = any(isinstance(part, Thinking) and (part.signature or part.redacted) for part in turn.parts)
        kept_thoughts = next((signed[call.id].thoughts for call in calls if call.id in signed), ())
        if kept_thoughts and not has_own:
            rest = [part for part in turn.parts if not isinstance(part, Thinking)]
            turn.parts = [*kept_thoughts, *rest]


def latest_call_ids(body: JSON, limit: int = 128) -> list[str]:
    """Ids of the tool calls that a caller's body tells of, in any format, the latest first."""
    items = body.get("messages") or body.get("input") or body.get("contents")
    ids: list[str] = []
    for item in reversed(items) if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("role") not in ("user", "tool", "system", "developer"):
            ids += [found for found in _call_ids(item) if isinstance(found, str) and found]
        if len(ids) >= limit:
            break
    return ids[:limit]


def _call_ids(item: JSON) -> Iterator[Any]:
    """Of one message or item: Chat Completions, Responses, Messages, generateContent in turn."""
    if "call_id" in item and item.get("type") in ("function_call", "custom_tool_call"):
        yield item["call_id"]
    for name in ("tool_calls", "content", "parts"):
        parts = item.get(name)
        for part in parts if isinstance(parts, list) else ():
            if not isinstance(part, dict):
                continue
            call = part.get("functionCall") or part.get("function_call")
            if name == "tool_calls" or part.get("type") == "tool_use":
                yield part.get("id")
            elif isinstance(call, dict):
                yield call.get("id")
