"""Gemini streams, translated: provider answers in pieces to our events."""

from collections.abc import Sequence

from proxy_app.formats.gemini.citations import read_citations
from proxy_app.formats.gemini.pieces import Piece, decode_piece, load_piece, usage_of
from proxy_app.formats.gemini.response import finish_of, read_part, refuse_error
from proxy_app.formats.gemini.signatures import PROVIDER
from proxy_app.formats.gemini.usage import FINISHES, read_tier, read_usage
from proxy_app.formats.reading import as_list, as_object, as_text, unlisted
from proxy_app.sse import ServerSentEvent
from proxy_app.wire import (
    JSON,
    Citation,
    CitationDelta,
    Finish,
    Finished,
    Part,
    SignatureDelta,
    Started,
    StreamEvent,
    Terminated,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)


class Parser:
    """Reads candidate 0. Text comes in pieces, a call comes whole; usage is running, the last counts.
    The format has no terminator: after a finish reason the end of the connection is the end."""

    def __init__(self) -> None:
        self._response_id = ""
        self._started = False
        self._calls = 0
        self._finished = False
        self._tier: str | None = None
        self._text: list[str] = []
        self._cited: list[Citation] = []

    def feed(self, event: ServerSentEvent) -> Sequence[StreamEvent]:
        if self._started and (piece := decode_piece(event.data)) is not None and _is_plain(piece):
            return self._plain(piece, event.data)
        body = load_piece(event.data)
        refuse_error(body)
        events: list[StreamEvent] = []
        if not self._started:
            self._started = True
            self._response_id = as_text(body.get("responseId"))
            events.append(Started(self._response_id, as_text(body.get("modelVersion"))))
        self._tier = read_tier(body.get("usageMetadata")) or self._tier
        for candidate in as_list(body.get("candidates"))[:1]:
            self._read_candidate(as_object(candidate), events)
        if as_object(body.get("promptFeedback")).get("blockReason") and not self._finished:
            self._finished = True
            events.append(Finished(Finish.CONTENT_FILTER))
        usage = read_usage(body.get("usageMetadata"))
        if usage is not None:
            events.append(UsageReported(usage))
        return events

    def finish(self) -> Sequence[StreamEvent]:
        return (Terminated(),) if self._finished else ()

    def _plain(self, piece: Piece, data: bytes) -> list[StreamEvent]:
        """A piece of nothing but text and thoughts, and its usage."""
        events: list[StreamEvent] = []
        for candidate in piece.candidates or ():
            for part in (candidate.content and candidate.content.parts) or ():
                text = part.text or ""
                if part.thought:
                    events.append(ThinkingDelta(text))
                elif text:
                    self._text.append(text)
                    events.append(TextDelta(text))
        if piece.usage_metadata is not None and (usage := usage_of(piece.usage_metadata, data)) is not None:
            events.append(UsageReported(usage))
        return events

    def _read_candidate(self, candidate: JSON, events: list[StreamEvent]) -> None:
        if candidate.get("index"):
            return
        for wire in as_list(as_object(candidate.get("content")).get("parts")):
            for part in read_part(as_object(wire), self._response_id, self._calls):
                self._read_part(part, events)
        if candidate.get("citationMetadata") or candidate.get("groundingMetadata"):
            self._cite(candidate, events)
        if candidate.get("finishReason"):
            finish = finish_of(candidate, self._calls > 0)
            self._finished = True
            word = unlisted(as_text(candidate["finishReason"]), FINISHES)
            events.append(Finished(finish, service_tier=self._tier, word=word))

    def _cite(self, candidate: JSON, events: list[StreamEvent]) -> None:
        """Later pieces may name again what earlier ones named."""
        for citation in read_citations(candidate, "".join(self._text)):
            if citation not in self._cited:
                self._cited.append(citation)
                events.append(CitationDelta(citation))

    def _read_part(self, part: Part, events: list[StreamEvent]) -> None:
        match part:
            case Text(text):
                self._text.append(text)
                events.append(TextDelta(text))
            case Thinking(text, signature):
                if text:
                    events.append(ThinkingDelta(text))
                if signature:
                    events.append(SignatureDelta(signature, provider=PROVIDER))
            case ToolCall():
                index = self._calls
                self._calls += 1
                events.append(ToolCallStarted(index, part.id, part.name))
                events.append(ToolCallDelta(index, part.arguments))
                if part.signature is not None:
                    events.append(SignatureDelta(part.signature, call_index=index, provider=PROVIDER))


def _is_plain(piece: Piece) -> bool:
    if piece.error is not None or piece.prompt_feedback is not None or not piece.candidates:
        return False
    candidate = piece.candidates[0]
    if len(piece.candidates) > 1 or candidate.index or candidate.finish_reason is not None:
        return False
    if candidate.citation_metadata is not None or candidate.grounding_metadata is not None:
        return False
    parts = (candidate.content and candidate.content.parts) or ()
    return all(part.text and part.function_call is None and part.thought_signature is None for part in parts)
