"""Converse streams: the service's events (framed as AWS does it, read as server-sent ones) to ours."""

from collections.abc import Iterable, Iterator, Sequence

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.bedrock_converse.blocks import PROVIDER
from proxy_app.formats.bedrock_converse.errors import read_in_band
from proxy_app.formats.bedrock_converse.response import check_reason, read_citation
from proxy_app.formats.bedrock_converse.usage import FINISHES, read_usage
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
    """Goes by the event's name. `metadata`, which carries the usage, comes last and ends the stream."""

    def __init__(self) -> None:
        self._calls: dict[int | None, int] = {}  # block index -> tool call index
        self._with_arguments: set[int] = set()
        self._signatures: dict[int | None, str] = {}  # block index of a thought -> its signature so far
        self._finished: Finished | None = None

    def feed(self, event: ServerSentEvent) -> Iterable[StreamEvent]:
        try:
            body = as_object(orjson.loads(event.data))
        except orjson.JSONDecodeError as error:
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        index = as_count(body.get("contentBlockIndex"))
        match event.event:
            case "contentBlockDelta":
                return self._delta(index, as_object(body.get("delta")))
            case "contentBlockStart":
                return self._block_started(index, as_object(body.get("start")))
            case "contentBlockStop":
                return self._block_stopped(index)
            case "messageStart":
                return (Started("", ""),)
            case "messageStop":
                return self._message_stopped(body)
            case "metadata":
                return self._end(body)
            case "error":
                raise read_in_band(body)
        return ()

    def finish(self) -> Sequence[StreamEvent]:
        """A message that stopped is whole, even where its figures were lost."""
        return (self._finished, Terminated()) if self._finished is not None else ()

    def _block_started(self, index: int | None, start: JSON) -> Sequence[StreamEvent]:
        if "toolUse" not in start:
            return ()
        told, call = as_object(start["toolUse"]), len(self._calls)
        self._calls[index] = call
        return (ToolCallStarted(call, as_text(told.get("toolUseId")), as_text(told.get("name"))),)

    def _delta(self, index: int | None, delta: JSON) -> Sequence[StreamEvent]:
        if text := as_text(delta.get("text")):
            return (TextDelta(text),)
        if "toolUse" in delta:
            fragment, call = as_text(as_object(delta["toolUse"]).get("input")), self._calls.get(index)
            if call is None or not fragment:
                return ()
            self._with_arguments.add(call)
            return (ToolCallDelta(call, fragment),)
        if "reasoningContent" in delta:
            return self._thought(index, as_object(delta["reasoningContent"]))
        if "citation" in delta:
            return (CitationDelta(read_citation(delta["citation"])),)
        return ()

    def _thought(self, index: int | None, content: JSON) -> Sequence[StreamEvent]:
        if redacted := as_text(content.get("redactedContent")):
            return (SignatureDelta(redacted, redacted=True, provider=PROVIDER),)
        if signature := as_text(content.get("signature")):
            self._signatures[index] = self._signatures.get(index, "") + signature
        text = as_text(content.get("text"))
        return (ThinkingDelta(text),) if text else ()

    def _block_stopped(self, index: int | None) -> Sequence[StreamEvent]:
        call = self._calls.get(index)
        if call is not None and call not in self._with_arguments:
            self._with_arguments.add(call)
            return (ToolCallDelta(call, "{}"),)
        if signature := self._signatures.pop(index, ""):
            return (SignatureDelta(signature, provider=PROVIDER),)
        return ()

    def _message_stopped(self, body: JSON) -> Sequence[StreamEvent]:
        reason = as_text(body.get("stopReason"))
        check_reason(reason)
        more = as_object(body.get("additionalModelResponseFields"))
        self._finished = Finished(
            FINISHES.get(reason, Finish.STOP), as_text(more.get("stop_sequence")) or None
        )
        return ()

    def _end(self, body: JSON) -> Iterator[StreamEvent]:
        """The tier that served comes with the figures: the message's end waits for both."""
        if self._finished is not None:
            self._finished.service_tier = as_text(as_object(body.get("serviceTier")).get("type")) or None
            yield self._finished
        if (usage := read_usage(body.get("usage"))) is not None:
            yield UsageReported(usage)
        yield Terminated()
