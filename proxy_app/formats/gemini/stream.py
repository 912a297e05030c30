"""Gemini streams, translated: provider answers in pieces to our events."""

from collections.abc import Sequence

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.gemini.response import PROVIDER, finish_of, read_part, refuse_error
from proxy_app.formats.gemini.usage import read_usage
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.sse import ServerSentEvent
from proxy_app.wire import (
    JSON,
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

    def feed(self, event: ServerSentEvent) -> Sequence[StreamEvent]:
        try:
            body = orjson.loads(event.data)
        except orjson.JSONDecodeError as error:
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        if isinstance(body, list) and len(body) == 1:
            body = body[0]
        body = as_object(body)
        refuse_error(body)
        events: list[StreamEvent] = []
        if not self._started:
            self._started = True
            self._response_id = as_text(body.get("responseId"))
            events.append(Started(self._response_id, as_text(body.get("modelVersion"))))
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

    def _read_candidate(self, candidate: JSON, events: list[StreamEvent]) -> None:
        if candidate.get("index"):
            return
        for part in as_list(as_object(candidate.get("content")).get("parts")):
            self._read_part(read_part(as_object(part), self._response_id, self._calls), events)
        if candidate.get("finishReason"):
            finish = finish_of(candidate, self._calls > 0)
            self._finished = True
            events.append(Finished(finish))

    def _read_part(self, part: Part, events: list[StreamEvent]) -> None:
        match part:
            case Text(text) if text:
                events.append(TextDelta(text))
            case Thinking(text) if text:
                events.append(ThinkingDelta(text))
            case ToolCall():
                index = self._calls
                self._calls += 1
                events.append(ToolCallStarted(index, part.id, part.name))
                events.append(ToolCallDelta(index, part.arguments))
                if part.signature is not None:
                    events.append(SignatureDelta(part.signature, call_index=index, provider=PROVIDER))
