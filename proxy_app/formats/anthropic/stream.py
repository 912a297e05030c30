"""Anthropic Messages streams, translated: provider events to ours."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.anthropic.blocks import PROVIDER
from proxy_app.formats.anthropic.citations import read_citation
from proxy_app.formats.anthropic.errors import read_in_band
from proxy_app.formats.anthropic.response import explanation, read_tier
from proxy_app.formats.anthropic.usage import FINISHES, read_usage
from proxy_app.formats.reading import as_count, as_list, as_object, as_text, unlisted
from proxy_app.sse import ServerSentEvent
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
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)

_DELTA = "content_block_delta"


class _Piece(msgspec.Struct, gc=False):
    type: str
    text: str = ""
    thinking: str = ""
    partial_json: str = ""


class _Delta(msgspec.Struct, gc=False):
    type: str
    index: int
    delta: _Piece


_decode = msgspec.json.Decoder(_Delta).decode


class Parser:
    """Goes by the data's `type`; unknown types are ignored, as the format demands. Usage figures are
    cumulative: each report is laid over the earlier ones before it is counted together."""

    def __init__(self) -> None:
        self._usage: JSON = {}
        self._calls: dict[int | None, int] = {}  # block index -> tool call index
        self._with_arguments: set[int] = set()
        self._signatures: dict[int | None, str] = {}  # block index of a thought -> its signature so far

    def feed(self, event: ServerSentEvent) -> Sequence[StreamEvent]:
        if event.event == _DELTA:
            try:
                told = _decode(event.data)
            except msgspec.MsgspecError:
                return self._feed_any(event)
            piece = told.delta
            match piece.type if told.type == _DELTA else "":
                case "text_delta":
                    return (TextDelta(piece.text),) if piece.text else ()
                case "input_json_delta":
                    return self._fragment(told.index, piece.partial_json)
                case "thinking_delta":
                    return (ThinkingDelta(piece.thinking),) if piece.thinking else ()
        return self._feed_any(event)

    def _feed_any(self, event: ServerSentEvent) -> Sequence[StreamEvent]:
        try:
            body = as_object(orjson.loads(event.data))
        except orjson.JSONDecodeError as error:
            if event.data.strip() == b"[DONE]":
                return ()
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        index = as_count(body.get("index"))
        match body.get("type"):
            case "content_block_delta":
                return self._delta(index, as_object(body.get("delta")))
            case "content_block_start":
                return self._block_started(index, as_object(body.get("content_block")))
            case "content_block_stop":
                return self._block_stopped(index)
            case "message_start":
                return self._started(as_object(body.get("message")))
            case "message_delta":
                return self._message_delta(body)
            case "message_stop":
                return (Terminated(),)
            case "error":
                raise read_in_band(body)
        if body.get("error"):
            raise read_in_band(body)
        return ()

    def finish(self) -> Sequence[StreamEvent]:
        """Only `message_stop` ends a message."""
        return ()

    def _started(self, message: JSON) -> list[StreamEvent]:
        usage = message.get("usage")
        started = Started(as_text(message.get("id")), as_text(message.get("model")))
        started.service_tier = read_tier(usage)
        events: list[StreamEvent] = [started]
        self._report(usage, events)
        return events

    def _report(self, usage: Any, events: list[StreamEvent]) -> None:
        told = {name: value for name, value in as_object(usage).items() if value is not None}
        self._usage |= told
        if told and (known := read_usage(self._usage)) is not None:
            events.append(UsageReported(known))

    def _block_started(self, index: int | None, block: JSON) -> Sequence[StreamEvent]:
        match block.get("type"):
            case "tool_use":
                call = len(self._calls)
                self._calls[index] = call
                events: list[StreamEvent] = [
                    ToolCallStarted(call, as_text(block.get("id")), as_text(block.get("name")))
                ]
                if block.get("input"):
                    self._with_arguments.add(call)
                    events.append(ToolCallDelta(call, orjson.dumps(block["input"]).decode()))
                return events
            case "text":
                text = as_text(block.get("text"))
                cited = [CitationDelta(read_citation(one)) for one in as_list(block.get("citations"))]
                return [TextDelta(text), *cited] if text else cited
            case "thinking":
                self._signatures[index] = as_text(block.get("signature"))
                text = as_text(block.get("thinking"))
                return (ThinkingDelta(text),) if text else ()
            case "redacted_thinking":
                return (SignatureDelta(as_text(block.get("data")), redacted=True, provider=PROVIDER),)
        return ()

    def _delta(self, index: int | None, delta: JSON) -> Sequence[StreamEvent]:
        match delta.get("type"):
            case "text_delta":
                text = as_text(delta.get("text"))
                return (TextDelta(text),) if text else ()
            case "input_json_delta":
                return self._fragment(index, as_text(delta.get("partial_json")))
            case "thinking_delta":
                text = as_text(delta.get("thinking"))
                return (ThinkingDelta(text),) if text else ()
            case "citations_delta":
                return (CitationDelta(read_citation(delta.get("citation"))),)
            case "signature_delta":
                self._signatures[index] = self._signatures.get(index, "") + as_text(delta.get("signature"))
        return ()

    def _fragment(self, index: int | None, fragment: str) -> Sequence[StreamEvent]:
        call = self._calls.get(index)
        if call is None or not fragment:
            return ()
        self._with_arguments.add(call)
        return (ToolCallDelta(call, fragment),)

    def _block_stopped(self, index: int | None) -> Sequence[StreamEvent]:
        call = self._calls.get(index)
        if call is not None and call not in self._with_arguments:
            self._with_arguments.add(call)
            return (ToolCallDelta(call, "{}"),)
        if signature := self._signatures.pop(index, ""):
            return (SignatureDelta(signature, provider=PROVIDER),)
        return ()

    def _message_delta(self, body: JSON) -> list[StreamEvent]:
        delta = as_object(body.get("delta"))
        events: list[StreamEvent] = []
        if word := as_text(delta.get("stop_reason")):
            finish = FINISHES.get(word, Finish.STOP)
            if finish is Finish.CONTENT_FILTER and (told := explanation(delta) or explanation(body)):
                events.append(RefusalDelta(told))
            stop_sequence = as_text(delta.get("stop_sequence")) or None
            events.append(Finished(finish, stop_sequence, word=unlisted(word, FINISHES)))
        self._report(body.get("usage"), events)
        return events
