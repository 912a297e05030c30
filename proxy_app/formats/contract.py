"""What a format offers, and what the pipeline may ask of two formats in one call.

The pipeline talks to `proxy_app.formats.exchange` only:

    choose_format(inbound, formats, quirks, body, model) -> str
    read_call(inbound, body, address) -> CallFacts
    build_outgoing(inbound, target, raw, body, facts, signed) -> Outgoing
    convert_answer(inbound, target, raw, facts, options) -> (bytes, Observed)
    open_pipe(inbound, target, facts, options) -> StreamPipe
    read_failure(target, status, headers, raw) -> UpstreamFailed
    render_error(inbound, error, request_id) -> RenderedError
    keep_alive(inbound) -> bytes
    stream_content_type(inbound, facts) -> str
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from gateway_project.errors import GatehouseError, UpstreamFailed
from proxy_app.formats.knowing import Known
from proxy_app.sse import ServerSentEvent
from proxy_app.wire import (
    JSON,
    Address,
    Answer,
    CallFacts,
    Conversation,
    Finish,
    Observed,
    Outgoing,
    StreamEvent,
    Target,
    Usage,
)


class RenderOptions(msgspec.Struct):
    """Arguments a renderer cannot know by itself."""

    model: str  # what the answer calls the model
    answer_id: str  # used when the provider gave none
    created: int  # seconds since the epoch
    include_usage: bool = True
    input_estimate: int = 0  # tokens, for formats that name the input before it is known
    request: JSON = msgspec.field(default_factory=dict)  # the caller's body: some repeat parts of it
    framing: str = "sse"


@dataclass(slots=True)
class RenderedError:
    status: int
    body: JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """How an answer ended that a provider kept for its caller."""

    usage: Usage | None
    finish: Finish | None = None
    failure: UpstreamFailed | None = None
    is_cancelled: bool = False


class StreamParser(Protocol):
    """Provider events in, our events out. Raises UpstreamFailed on an in-band error, perhaps only after
    the events that came before it."""

    def feed(self, event: ServerSentEvent) -> Iterable[StreamEvent]: ...

    def finish(self) -> Iterable[StreamEvent]:
        """The connection closed: what that means here (Gemini ends so); may return Terminated."""
        ...


class StreamRenderer(Protocol):
    """Our events in, the caller's bytes out."""

    def feed(self, event: StreamEvent) -> bytes: ...

    def error(self, error: GatehouseError, request_id: str) -> bytes: ...


class StreamPipe(Protocol):
    """One stream on its way through: same format or translated, the pipeline cannot tell.

    `feed` takes provider bytes cut anywhere and gives the bytes to send now (perhaps none).
    It raises UpstreamFailed when the provider reports an error in band or sends what cannot be
    read. Until `observed.content_started` is true the pipeline has sent the caller nothing, so
    everything `feed` returned before that may still be thrown away for another attempt.
    """

    observed: Observed

    def feed(self, chunk: bytes) -> bytes: ...

    def finish(self) -> bytes:
        """The upstream closed: the last bytes; raises UpstreamCut when the answer is not whole."""
        ...

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        """The error event that ends the caller's stream: no finish reason, no false terminator."""
        ...


class SameFormatPipe(StreamPipe, Protocol):
    """A pipe that forwards the provider's bytes as they are, apart from usage not asked for."""


@dataclass(frozen=True, slots=True)
class InboundFormat:
    """A format callers may speak. `known` are the fields that a translation reads; `keep_alive`
    is what may be sent while nothing comes; the relay functions serve providers of the same format, which are
    also sent the `forwarded` headers of the caller (lower case)."""

    name: str
    known: Known
    keep_alive: bytes
    stream_content_type: str
    read_call: Callable[[JSON, Address], CallFacts]
    parse_request: Callable[[JSON, CallFacts], Conversation]
    relay_request: Callable[[bytes, JSON, CallFacts, Target], Outgoing]
    observe_answer: Callable[[JSON], Observed]
    open_relay: Callable[[CallFacts], StreamPipe]
    render_answer: Callable[[Answer, RenderOptions], JSON]
    open_renderer: Callable[[RenderOptions], StreamRenderer]
    render_error: Callable[[GatehouseError, str], RenderedError]
    forwarded: frozenset[str] = frozenset()
    output_limit: tuple[str, ...] = ()  # where a body names its longest answer: the field, or its path
    words: Mapping[str, str] = field(default_factory=dict)  # a parameter's name in Chat Completions -> here


@dataclass(frozen=True, slots=True)
class UpstreamFormat:
    """A format providers speak. `tool_name` and `call_id` match the names of tools and the ids of calls that
    it takes; `any_schema`: an answer's may be no object's; `output_limit` is as a caller's format has it, for
    one that no caller speaks."""

    name: str
    build_request: Callable[[Conversation, Target], Outgoing]
    parse_answer: Callable[[JSON], Answer]
    open_parser: Callable[[], StreamParser]
    read_failure: Callable[[int, Mapping[str, str], bytes], UpstreamFailed]
    tool_name: re.Pattern[str] = re.compile(r"[a-zA-Z0-9_-]{1,64}")
    call_id: re.Pattern[str] = re.compile(r"[a-zA-Z0-9_-]{1,64}")
    any_schema: bool = False
    output_limit: tuple[str, ...] = ()


Format = InboundFormat | UpstreamFormat
