"""Responses streams, read: provider events to ours."""

from collections.abc import Iterable, Iterator

from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.openai_responses.events import Event, decode_event, object_of, refuse_error
from proxy_app.formats.openai_responses.items import custom_arguments
from proxy_app.formats.openai_responses.request import PROVIDER
from proxy_app.formats.openai_responses.response import (
    call_id_of,
    finish_after,
    parse_citation,
    refuse_failed,
    refuse_media,
    sources,
    visible_parts,
)
from proxy_app.formats.openai_responses.usage import usage_of
from proxy_app.formats.reading import as_count, as_object, as_text
from proxy_app.formats.whole import said_by
from proxy_app.sse import ServerSentEvent
from proxy_app.wire import (
    JSON,
    CitationDelta,
    Finished,
    RefusalDelta,
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
    """Goes by the data's `type`; what it does not know is passed over. Only a terminal event, which also
    brings the usage, ends an answer."""

    def __init__(self) -> None:
        self._started = False
        self._said = False  # something to see was told in an event of its own
        self._cited = False
        self._calls: dict[int, int] = {}  # output_index of a call -> our index
        self._with_arguments: set[int] = set()
        self._custom: set[int] = set()

    def feed(self, event: ServerSentEvent) -> Iterable[StreamEvent]:
        if event.data.strip() == b"[DONE]":
            return ()
        told = decode_event(event.data)
        delta = told.delta
        match told.type:
            case "response.output_text.delta":
                self._said = True
                return (TextDelta(delta),) if delta else ()
            case "response.function_call_arguments.delta":
                return self._arguments(told.output_index, delta or "")
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return (ThinkingDelta(delta),) if delta else ()
            case "response.refusal.delta":
                self._said = True
                return (RefusalDelta(delta),) if delta else ()
            case "error":
                refuse_error(event.data)
            case "":
                if told.error is not None or event.event == "error":
                    refuse_error(event.data)
        return self._rare(told)

    def finish(self) -> Iterable[StreamEvent]:
        return ()

    def _rare(self, told: Event) -> Iterable[StreamEvent]:
        match told.type:
            case "response.output_item.added":
                return self._item_added(told.output_index, object_of(told.item))
            case "response.output_item.done":
                return self._item_done(told.output_index, object_of(told.item))
            case "response.function_call_arguments.done":
                return self._arguments_done(told.output_index, told.arguments or "{}")
            case "response.custom_tool_call_input.done":
                return self._arguments_done(told.output_index, custom_arguments(told.input or ""))
            case "response.reasoning_summary_part.added" if told.summary_index:
                return (ThinkingDelta("\n\n"),)
            case "response.output_text.annotation.added":
                citation = parse_citation(object_of(told.annotation))
                self._cited |= citation is not None
                return (CitationDelta(citation),) if citation is not None else ()
            case "response.content_part.added":
                refuse_media(object_of(told.part))
            case "response.created":
                return self._start(object_of(told.response))
            case "response.completed" | "response.incomplete" | "response.failed":
                return self._end(told.type, object_of(told.response))
        return ()

    def _start(self, response: JSON) -> Iterable[StreamEvent]:
        if self._started:
            return ()
        self._started = True
        created, tier = as_count(response.get("created_at")) or 0, as_text(response.get("service_tier"))
        started = Started(as_text(response.get("id")), as_text(response.get("model")), created)
        started.service_tier = tier if tier != "auto" else None  # what was asked for, until it is served
        return (started,)

    def _item_added(self, position: int | None, item: JSON) -> list[StreamEvent]:
        """A call begins; of other items their deltas tell."""
        refuse_media(item)
        kind = item.get("type")
        if position is None or kind not in ("function_call", "custom_tool_call") or position in self._calls:
            return []
        index = self._calls[position] = len(self._calls)
        events: list[StreamEvent] = [ToolCallStarted(index, call_id_of(item), as_text(item.get("name")))]
        if kind == "custom_tool_call":
            self._custom.add(position)
        elif arguments := as_text(item.get("arguments")):
            events += self._arguments(position, arguments)
        return events

    def _arguments(self, position: int | None, fragment: str) -> Iterable[StreamEvent]:
        index = self._calls.get(-1 if position is None else position)
        if index is None or not fragment:
            return ()
        self._with_arguments.add(index)
        return (ToolCallDelta(index, fragment),)

    def _arguments_done(self, position: int | None, arguments: str) -> Iterable[StreamEvent]:
        """Arguments that came in no delta."""
        index = self._calls.get(-1 if position is None else position)
        if index is None or index in self._with_arguments:
            return ()
        return self._arguments(position, arguments)

    def _item_done(self, position: int | None, item: JSON) -> Iterable[StreamEvent]:
        """A thought's signature; a call that no event announced, or whose arguments none told."""
        refuse_media(item)
        match item.get("type"):
            case "reasoning":
                if seal := as_text(item.get("encrypted_content")):
                    return (SignatureDelta(seal, provider=PROVIDER, id=as_text(item.get("id")) or None),)
            case "function_call":
                events = self._item_added(position, item | {"arguments": ""})
                events += self._arguments_done(position, as_text(item.get("arguments")) or "{}")
                return events
            case "custom_tool_call":
                events = self._item_added(position, item)
                events += self._arguments_done(position, custom_arguments(as_text(item.get("input"))))
                return events
        return ()

    def _end(self, kind: str, response: JSON) -> Iterator[StreamEvent]:
        """What a terminal event tells. Usage comes out even of an answer that failed: it may cost."""
        yield from self._start(response)
        usage = usage_of(response)
        if usage is not None:
            yield UsageReported(usage)
        refuse_failed(response)
        if kind == "response.failed":
            raise read_in_band(as_object(response.get("error")), "The provider's answer has failed.")
        if not (self._said or self._calls):
            yield from said_by(visible_parts(response))  # no event but this one tells of it
        elif not (self._cited or self._calls):
            yield from map(CitationDelta, sources(response))
        tier = as_text(response.get("service_tier")) or None
        yield Finished(finish_after(response, bool(self._calls)), None, tier)
        yield Terminated()
