"""Responses streams, written from our events: items opened, filled and closed in the format's grammar.

At most one message and one thought is open at a time; tool calls stay open until the answer ends, since
providers may go on with any of them at any time.
"""

import orjson

from gateway_project.errors import GatehouseError
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_responses.failing import failed_event
from proxy_app.formats.openai_responses.open_items import (
    Events,
    Item,
    OpenCall,
    OpenMessage,
    OpenThought,
)
from proxy_app.formats.openai_responses.rendering import answer_ids, repeated, response_object
from proxy_app.formats.openai_responses.tools import offered_tools
from proxy_app.formats.openai_responses.usage import ending
from proxy_app.formats.usage_merge import merge_usage
from proxy_app.wire import (
    JSON,
    CitationDelta,
    Finish,
    Finished,
    RefusalDelta,
    SignatureDelta,
    Started,
    StreamEvent,
    Terminated,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)


class Renderer:
    """Writes one answer. Every event has its `sequence_number`, from 0 on."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._events = Events()
        self._offered = offered_tools(options.request)
        self._common: JSON = {}
        self._id, self._stem = answer_ids("", options)
        self._created = options.created
        self._items: list[Item] = []
        self._calls: dict[int, OpenCall] = {}
        self._open: OpenMessage | OpenThought | None = None
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._tier: str | None = None

    def feed(self, event: StreamEvent) -> bytes:
        match event:
            case TextDelta(text):
                opened = self._open
                if type(opened) is OpenMessage and opened.takes_text:
                    return opened.text_delta(text)
                return self._message().add_text(text)
            case ToolCallDelta(index, fragment):
                call = self._calls.get(index)
                return call.delta(fragment) if call is not None else b""
            case ThinkingDelta(text):
                return self._thought().add_text(text)
            case ToolCallStarted(index, call_id, name):
                return self._start_call(index, call_id, name)
            case RefusalDelta(text):
                return self._message().add_refusal(text)
            case SignatureDelta():
                return self._sign(event)
            case CitationDelta(citation):
                return self._message().add_citation(citation)
            case UsageReported(usage):
                self._usage = merge_usage(self._usage, usage)
                return b""
            case Started():
                return self._start(event)
            case Finished(finish):
                self._finish, self._tier = finish, event.service_tier or self._tier
                return b""
            case Terminated():
                return self._end()

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        self._begin()
        response = response_object(
            self._common, self._id, self._created, "failed", [], service_tier=self._tier
        )
        return self._events.take() + failed_event(error, request_id, response, self._events.next_number())

    def _start(self, event: Started) -> bytes:
        if self._common:
            return b""
        self._id, self._stem = answer_ids(event.id, self._options)
        self._created = event.created or self._created
        self._common = repeated(self._options)
        self._tier = event.service_tier
        response = response_object(
            self._common, self._id, self._created, "in_progress", [], service_tier=self._tier
        )
        raw = orjson.Fragment(orjson.dumps(response))
        for kind in ("response.created", "response.in_progress"):
            self._events.add(kind, {"response": raw})
        return self._events.take()

    def _begin(self) -> None:
        """The events every stream begins with, if the provider told no start of its own."""
        if not self._common:
            self._events.put(self._start(Started("", "")))

    def _message(self) -> OpenMessage:
        """The open message; what else was open is closed first."""
        if isinstance(self._open, OpenMessage):
            return self._open
        self._begin()
        self._close()
        self._open = message = OpenMessage(self._events, self._stem, len(self._items))
        self._items.append(message)
        return message

    def _thought(self) -> OpenThought:
        if isinstance(self._open, OpenThought):
            return self._open
        self._begin()
        self._close()
        self._open = thought = OpenThought(self._events, self._stem, len(self._items))
        self._items.append(thought)
        return thought

    def _close(self) -> None:
        if self._open is not None:
            self._open.close("completed")
            self._open = None

    def _sign(self, event: SignatureDelta) -> bytes:
        """A thought's end. A call's own signature has no field here: the gateway keeps it."""
        if event.call_index is not None:
            return b""
        if event.redacted and isinstance(self._open, OpenThought):
            self._close()
        signature, redacted = (None, event.signature) if event.redacted else (event.signature, None)
        self._thought().seal(Thinking("", signature, redacted, event.provider))
        self._close()
        return self._events.take()

    def _start_call(self, index: int, call_id: str, name: str) -> bytes:
        self._begin()
        self._close()
        call = OpenCall(self._events, self._stem, len(self._items), call_id, name, self._offered)
        self._items.append(call)
        self._calls[index] = call
        return self._events.take()

    def _end(self) -> bytes:
        """Everything closed, then the terminal event: only ever for a whole answer."""
        self._begin()
        finish = self._finish or (Finish.TOOL_CALLS if self._calls else Finish.STOP)
        status, details = ending(finish)
        last = self._items[-1] if self._items else None
        for item in self._items:
            item.close(status if item is last else "completed")
        self._open = None
        output = [item.done for item in self._items]
        response = response_object(
            self._common, self._id, self._created, status, output, self._usage, details, self._tier
        )
        self._events.add(f"response.{status}", {"response": response})
        return self._events.take()
