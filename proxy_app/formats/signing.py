"""Signed thoughts across formats: what an answer's tool calls must be sent back with, and giving it back.

A provider that signs its thoughts wants them again, unchanged, with the calls they led to. Formats
without a field for them lose them; the gateway keeps them by tool call id. Pure.
"""

from collections.abc import Mapping

from proxy_app.wire import (
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
