"""Cohere's streams: its events to ours. Source: `V2ChatStreamResponse` of the SDK `cohere` 7.3."""

from collections.abc import Iterator, Sequence

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.cohere.response import (
    FINISHES,
    PLAN,
    PROVIDER,
    THOUGHT,
    check_reason,
    read_citation,
    read_usage,
)
from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.reading import as_count, as_object, as_text
from proxy_app.sse import ServerSentEvent
from proxy_app.wire import (
    JSON,
    CitationDelta,
    Finish,
    Finished,
    SignatureDelta,
    Started,
    StreamEvent,
    Terminated,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)


class Parser:
    """Goes by the event's type. `message-end`, which carries reason and usage, ends the stream."""

    def __init__(self) -> None:
        self._calls: dict[int | None, int] = {}  # the wire's index of a call -> ours
        self._with_arguments: set[int] = set()
        self._thought = ""  # what is being thought, as it is signed; nothing tells where a plan ends

    def feed(self, event: ServerSentEvent) -> Sequence[StreamEvent]:
        if event.data.strip() == b"[DONE]":
            return ()
        try:
            body = as_object(orjson.loads(event.data))
        except orjson.JSONDecodeError as error:
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        kind = as_text(body.get("type")) or event.event
        events = self._read(kind, body)
        if kind != "content-end" and not events:
            return ()
        ended, self._thought = self._thought, ""
        if events and isinstance(events[0], ThinkingDelta):
            self._thought = PLAN if kind == "tool-plan-delta" else THOUGHT
        if ended in ("", self._thought):
            return events
        return (SignatureDelta(ended, provider=PROVIDER), *events)

    def _read(self, kind: str, body: JSON) -> Sequence[StreamEvent]:
        delta = as_object(body.get("delta"))
        message = as_object(delta.get("message"))
        index = as_count(body.get("index"))
        match kind:
            case "content-delta" | "content-start":
                return _said(as_object(message.get("content")))
            case "tool-plan-delta":
                plan = as_text(message.get("tool_plan"))
                return (ThinkingDelta(plan),) if plan else ()
            case "tool-call-start":
                return self._call_started(index, as_object(message.get("tool_calls")))
            case "tool-call-delta":
                return self._arguments(index, as_object(message.get("tool_calls")))
            case "tool-call-end":
                return self._call_ended(index)
            case "citation-start":
                citation = read_citation(message.get("citations"))
                return (CitationDelta(citation),) if citation is not None else ()
            case "message-start":
                return (Started(as_text(body.get("id")), ""),)
            case "message-end":
                return tuple(_end(delta))
        if kind == "error" or body.get("error") or (not kind and body.get("message")):
            raise read_in_band(body.get("error") or body, as_text(body.get("message")))
        return ()

    def finish(self) -> Sequence[StreamEvent]:
        """Without its last event no message is whole."""
        return ()

    def _call_started(self, index: int | None, call: JSON) -> Sequence[StreamEvent]:
        number = len(self._calls)
        self._calls[index] = number
        name = as_text(as_object(call.get("function")).get("name"))
        return (ToolCallStarted(number, as_text(call.get("id")), name), *self._arguments(index, call))

    def _arguments(self, index: int | None, call: JSON) -> Sequence[StreamEvent]:
        fragment = as_text(as_object(call.get("function")).get("arguments"))
        number = self._calls.get(index)
        if number is None or not fragment:
            return ()
        self._with_arguments.add(number)
        return (ToolCallDelta(number, fragment),)

    def _call_ended(self, index: int | None) -> Sequence[StreamEvent]:
        number = self._calls.get(index)
        if number is None or number in self._with_arguments:
            return ()
        self._with_arguments.add(number)
        return (ToolCallDelta(number, "{}"),)


def _said(content: JSON) -> Sequence[StreamEvent]:
    if text := as_text(content.get("thinking")):
        return (ThinkingDelta(text),)
    text = as_text(content.get("text"))
    return (TextDelta(text),) if text else ()


def _end(delta: JSON) -> Iterator[StreamEvent]:
    reason = as_text(delta.get("finish_reason"))
    if (usage := read_usage(delta.get("usage"))) is not None:
        yield UsageReported(usage)
    check_reason(reason, as_text(delta.get("error")))
    if reason:
        yield Finished(FINISHES.get(reason, Finish.STOP))
    yield Terminated()
