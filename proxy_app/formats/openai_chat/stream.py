"""Chat Completions streams, translated: provider chunks to our events, our events to chunks."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from gateway_project.errors import GatehouseError, UpstreamFailed, UpstreamInvalid
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_chat.response import (
    SERVICE_TIERS,
    read_citations,
    render_citation,
    signature_field,
    thinking_block,
)
from proxy_app.formats.openai_chat.said import (
    calls_in,
    delta_of,
    read_arguments,
    read_content,
    read_reasoning,
    refuse_media,
)
from proxy_app.formats.openai_chat.usage import FINISH_WORDS, read_usage, render_usage
from proxy_app.formats.openai_endings import failure_of, read_finish
from proxy_app.formats.openai_errors import error_object, read_in_band
from proxy_app.formats.reading import as_count, as_list, as_object, as_text
from proxy_app.formats.usage_merge import merge_usage
from proxy_app.sse import ServerSentEvent, encode
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

DONE = b"data: [DONE]\n\n"


class _Delta(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What almost every delta is; any other is read field by field."""

    content: str | None = None
    reasoning_content: str | None = None
    role: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta
    finish_reason: None = None
    error: None = None
    index: int = 0


class _Chunk(msgspec.Struct, gc=False):
    choices: tuple[_Choice]
    usage: None = None
    error: None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class Parser:
    """Reads candidate 0. Tool deltas are told apart by `index`, else by a new id, else they go on
    with the latest call: some compatible servers send no index. An answer that was broken off is told as a
    failure at its end: what it used comes after the reason."""

    def __init__(self) -> None:
        self._started = False
        self._finished = False
        self._failure: UpstreamFailed | None = None
        self._calls: dict[object, int] = {}  # wire key of a call -> our index
        self._ids: list[str] = []

    def feed(self, event: ServerSentEvent) -> Sequence[StreamEvent]:
        if self._started and not event.event:
            try:
                [choice] = _decode(event.data).choices
            except msgspec.DecodeError:
                pass
            else:
                return _plain_delta(choice)
        return self._feed_unusual(event)

    def _feed_unusual(self, event: ServerSentEvent) -> Sequence[StreamEvent]:
        if event.data.strip() == b"[DONE]":
            return self._end()
        try:
            body = as_object(orjson.loads(event.data))
        except orjson.JSONDecodeError as error:
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        if body.get("error") or event.event == "error":
            raise read_in_band(body.get("error") or body, as_text(body.get("message")))
        events: list[StreamEvent] = []
        tier = as_text(body.get("service_tier")) or None
        is_first = not self._started
        if is_first:
            self._started = True
            created = as_count(body.get("created")) or 0
            events.append(Started(as_text(body.get("id")), as_text(body.get("model")), created, tier))
        for choice in as_list(body.get("choices")):
            choice = as_object(choice)
            if not choice.get("index"):
                self._read_delta(as_object(choice.get("delta")), events)
                if is_first and len(events) == 1:  # the whole answer in one event, if it says anything
                    self._read_delta(as_object(choice.get("message")), events)
                self._read_end(choice, tier, events)
        usage = read_usage(body.get("usage"))
        if usage is not None:
            events.append(UsageReported(usage))
        return events

    def finish(self) -> Sequence[StreamEvent]:
        """Some compatible servers omit `[DONE]`: a finish reason is enough."""
        return self._end() if self._finished or self._failure is not None else []

    def _end(self) -> Sequence[StreamEvent]:
        if self._failure is not None:
            raise self._failure
        return [Terminated()]

    def _read_end(self, choice: JSON, tier: str | None, events: list[StreamEvent]) -> None:
        self._failure = self._failure or failure_of(choice)
        word = as_text(choice.get("finish_reason"))
        if word and self._failure is None:
            self._finished = True
            finish, own = read_finish(word)
            events.append(Finished(finish, None, tier, own))

    def _read_delta(self, delta: JSON, events: list[StreamEvent]) -> None:
        refuse_media(delta)
        if text := read_reasoning(delta):
            events.append(ThinkingDelta(text))
        events += [delta_of(part) for part in read_content(delta.get("content"))]
        if text := as_text(delta.get("refusal")):
            events.append(RefusalDelta(text))
        for call in calls_in(delta):
            self._read_call(call, events)
        events += [CitationDelta(citation) for citation in read_citations(delta.get("annotations"))]

    def _read_call(self, call: JSON, events: list[StreamEvent]) -> None:
        function = as_object(call.get("function"))
        call_id, name = as_text(call.get("id")), as_text(function.get("name"))
        index = self._index_of(call.get("index"), call_id, name)
        if index is None:
            return
        if index == len(self._ids):
            self._ids.append(call_id)
            events.append(ToolCallStarted(index, call_id, name))
        if fragment := read_arguments(function.get("arguments")):
            events.append(ToolCallDelta(index, fragment))

    def _index_of(self, wire_index: Any, call_id: str, name: str) -> int | None:
        """Our index of the call a delta belongs to; the next free one for a new call."""
        key: object = wire_index if isinstance(wire_index, int) else call_id or None
        if key is None and not name:
            return len(self._ids) - 1 if self._ids else None
        if key is None:
            key = object()
        known = self._calls.get(key)
        if known is not None and call_id and name and self._ids[known] != call_id:
            known = None  # a server that numbers every call 0: a new id and name is a new call
        if known is None:
            known = self._calls[key] = len(self._ids)
        return known


def _plain_delta(choice: _Choice) -> Sequence[StreamEvent]:
    text, thought = choice.delta.content, choice.delta.reasoning_content
    if choice.index or not (text or thought):
        return ()
    if not thought:
        return (TextDelta(text),) if text else ()
    return (ThinkingDelta(thought), TextDelta(text)) if text else (ThinkingDelta(thought),)


class Renderer:
    """Writes chunks. Every chunk has the same id, model and creation time."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._id = options.answer_id
        self._created = options.created
        self._head = b""
        self._tier: str | None = None
        self._usage: Usage | None = None
        self._finish = Finish.STOP
        self._has_finish = False
        self._saw_call = False
        self._thought: list[str] = []
        self._thoughts = 0

    def feed(self, event: StreamEvent) -> bytes:
        match event:
            case TextDelta(text):
                return self._content(b"content", text)
            case ThinkingDelta(text):
                self._thought.append(text)
                return self._content(b"reasoning_content", text)
            case ToolCallDelta(index, fragment):
                return self._delta({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})
            case ToolCallStarted(index, call_id, name):
                self._saw_call = True
                function = {"name": name, "arguments": ""}
                call = {"index": index, "id": call_id, "type": "function", "function": function}
                return self._delta({"tool_calls": [call]})
            case RefusalDelta(text):
                return self._content(b"refusal", text)
            case SignatureDelta():
                return self._signature(event)
            case UsageReported(usage):
                if self._options.include_usage:
                    self._usage = merge_usage(self._usage, usage)
                return b""
            case Started():
                return self._start(event)
            case Finished(finish):
                self._finish, self._has_finish = finish, True
                if event.service_tier in SERVICE_TIERS and event.service_tier != self._tier:
                    self._tier, self._head = event.service_tier, b""
                return b""
            case Terminated():
                return self._end()
            case CitationDelta():
                return self._delta({"annotations": [render_citation(event.citation)]})

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return encode(orjson.dumps({"error": error_object(error, request_id)}))

    def _start(self, event: Started) -> bytes:
        if self._head:
            return b""
        self._id = event.id or self._id
        self._created = event.created or self._created
        self._tier = event.service_tier if event.service_tier in SERVICE_TIERS else None
        return self._delta({"role": "assistant", "content": "", "refusal": None})

    def _frame(self) -> bytes:
        """The part all chunks begin with, up to the choices."""
        if not self._head:
            self._head = b"data: " + orjson.dumps(self._common())[:-1]
            if self._options.include_usage:
                self._head += b',"usage":null'
            self._head += b',"choices":[{"index":0,"delta":'
        return self._head

    def _common(self) -> JSON:
        common: JSON = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._options.model,
        }
        return common if self._tier is None else common | {"service_tier": self._tier}

    def _content(self, field: bytes, text: str) -> bytes:
        return b'%b{"%b":%b},"logprobs":null,"finish_reason":null}]}\n\n' % (
            self._head or self._frame(),
            field,
            orjson.dumps(text),
        )

    def _delta(self, delta: JSON) -> bytes:
        return b'%b%b,"logprobs":null,"finish_reason":null}]}\n\n' % (self._frame(), orjson.dumps(delta))

    def _signature(self, event: SignatureDelta) -> bytes:
        if event.call_index is not None:
            # The official SDK's accumulator asserts a function in every delta of a call.
            call = {"index": event.call_index, "function": {"arguments": ""}}
            return self._delta({"tool_calls": [call | {"extra_content": signature_field(event.signature)}]})
        thought = Thinking("".join(self._thought), event.signature, provider=event.provider)
        if event.redacted:
            thought = Thinking("", redacted=event.signature)
        self._thought = []
        block = {"index": self._thoughts, **thinking_block(thought)}
        self._thoughts += 1
        return self._delta({"thinking_blocks": [block]})

    def _end(self) -> bytes:
        """Finish reason, usage when asked for, terminator: only ever for a whole answer."""
        word = FINISH_WORDS[self._finish]
        if not self._has_finish and self._saw_call:
            word = "tool_calls"
        last = b'%b{},"logprobs":null,"finish_reason":"%b"}]}\n\n' % (self._frame(), word.encode())
        if not self._options.include_usage or self._usage is None:
            return last + DONE
        chunk = self._common() | {"choices": [], "usage": render_usage(self._usage)}
        return last + encode(orjson.dumps(chunk)) + DONE
