"""A stream between two formats: a parser of the provider's, a renderer of the caller's, and what passes."""

from collections.abc import Callable, Iterable, Mapping

import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamInvalid
from proxy_app.formats.contract import StreamParser, StreamRenderer
from proxy_app.formats.lenient import Halves, load, marked
from proxy_app.formats.naming import made_up_id
from proxy_app.formats.one_call import is_of_a_further_call
from proxy_app.formats.signing import Gatherer, gather
from proxy_app.formats.usage_merge import merge_usage
from proxy_app.formats.whole import answer_events
from proxy_app.formats.wrapping import Unwrapping
from proxy_app.sse import Framer, read_block
from proxy_app.wire import (
    JSON,
    Answer,
    Finished,
    Observed,
    Refusal,
    RefusalDelta,
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


class Translation:
    """The translated `StreamPipe`. Nothing is rendered after the terminator."""

    __slots__ = (
        "_answer_id",
        "_began",
        "_framer",
        "_gatherer",
        "_halves",
        "_one_call",
        "_parse_whole",
        "_parser",
        "_renderer",
        "_saw_call",
        "_tool_names",
        "_unwrapping",
        "observed",
    )

    def __init__(
        self,
        parser: StreamParser,
        renderer: StreamRenderer,
        tool_names: Mapping[str, str] | None = None,  # the provider's -> the caller's, where they differ
        parse_whole: Callable[[JSON], Answer] | None = None,  # of a provider that answers whole all the same
        *,
        answer_id: str = "",  # the gateway's own, for calls whose provider gave them no id
        one_call: bool = False,
        wrapped: bool = False,
    ) -> None:
        self._answer_id = answer_id
        self._one_call = one_call
        self._unwrapping = Unwrapping() if wrapped else None
        self._parse_whole = parse_whole
        self._began = False  # an event has come
        self._halves: Halves | None = None  # from the first text that was cut within a character on
        self._saw_call = False
        self._tool_names = tool_names or {}
        self.observed = Observed()
        self._gatherer = Gatherer(self.observed.signed)
        self._framer = Framer()
        self._parser = parser
        self._renderer = renderer

    def feed(self, chunk: bytes) -> bytes:
        sent: list[bytes] = []
        for block in self._framer.feed(chunk):
            self._pass_block(block, sent)
        return sent[0] if len(sent) == 1 else b"".join(sent)

    def finish(self) -> bytes:
        """The upstream closed. A last event without its blank line counts when it can be read whole."""
        sent: list[bytes] = []
        rest = self._framer.take_rest()
        if rest and not self.observed.ended:
            self._pass_rest(rest, sent)
        if not self.observed.ended:
            self._pass_events(self._parser.finish(), sent)
        if not self.observed.ended:
            raise UpstreamCut
        return b"".join(sent)

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return self._renderer.error(error, request_id)

    def _pass_rest(self, rest: bytes, sent: list[bytes]) -> None:
        if rest.lstrip().startswith(b"{") and self._pass_whole(rest, sent):
            return
        if rest.lstrip().startswith(b"{"):
            rest = b"data: " + rest.replace(b"\n", b" ").strip()
        try:
            self._pass_block(rest, sent)
        except UpstreamInvalid as invalid:
            raise UpstreamCut from invalid

    def _pass_block(self, block: bytes, sent: list[bytes]) -> None:
        event = read_block(block)
        if event is None:
            if block.lstrip().startswith(b"{"):
                self._pass_whole(block, sent)
        elif not self.observed.ended:
            self._began = True
            try:
                events = self._parser.feed(event)
            except UpstreamInvalid:
                if (written := marked(event.data)) is None:
                    raise
                self._halves = self._halves or Halves()
                events = self._parser.feed(event._replace(data=written))
            self._pass_events(events, sent)

    def _pass_whole(self, raw: bytes, sent: list[bytes]) -> bool:
        """Whether it is a whole answer, in place of a stream."""
        if self._parse_whole is None or self._began:
            return False
        try:
            body = load(raw)
        except orjson.JSONDecodeError:
            return False
        if body.get("error"):
            return False
        self._began = True
        self._pass_events(answer_events(self._parse_whole(body)), sent)
        return True

    def _pass_events(self, events: Iterable[StreamEvent], sent: list[bytes]) -> None:
        if self._halves is not None:
            events = self._halves.feed(events)
        if self._unwrapping is not None:
            events = self._unwrapping.events(events)
        for event in events:
            if self._one_call and is_of_a_further_call(event):
                continue
            self._observe(event)
            if rendered := self._renderer.feed(event):
                sent.append(rendered)

    def _observe(self, event: StreamEvent) -> None:
        observed = self.observed
        match event:
            case TextDelta(text) | ThinkingDelta(text) | RefusalDelta(text) | ToolCallDelta(_, text):
                observed.output_chars += len(text)
                observed.output_events += 1
                observed.content_started = True
                if type(event) is ThinkingDelta:
                    self._gatherer.feed(event)
            case ToolCallStarted():
                event.name = self._tool_names.get(event.name, event.name)
                event.id = event.id or made_up_id(self._answer_id, event.index)
                observed.content_started = self._saw_call = True
                self._gatherer.feed(event)
            case SignatureDelta():
                self._gatherer.feed(event)
            case Started(upstream_id, model):
                observed.upstream_id = upstream_id or None
                observed.served_model = model or None
                observed.service_tier = event.service_tier
            case UsageReported(usage):
                observed.usage = merge_usage(observed.usage, usage)
            case Finished(finish):
                observed.finish, observed.finish_word = finish, event.word
                observed.service_tier = event.service_tier or observed.service_tier
                observed.content_started = True
            case Terminated():
                if observed.finish is None and not self._saw_call:
                    raise UpstreamCut  # a provider's end that gives no reason is none; calls are one
                observed.ended = True
            case _:
                pass


def observe_parts(answer: Answer) -> Observed:
    """What a whole answer tells, counted as its stream would be."""
    chars = 0
    for part in answer.parts:
        if isinstance(part, Text | Thinking | Refusal):
            chars += len(part.text)
        elif isinstance(part, ToolCall):
            chars += len(part.arguments)
    return Observed(
        usage=answer.usage,
        finish=answer.finish,
        finish_word=answer.finish_word,
        content_started=True,
        ended=True,
        output_chars=chars,
        output_events=len(answer.parts),
        upstream_id=answer.id or None,
        served_model=answer.model or None,
        service_tier=answer.service_tier,
        signed=gather(answer.parts),
    )
