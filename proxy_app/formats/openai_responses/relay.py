"""A Responses stream on its way from a provider of the same format: read once, forwarded as it is.

The hot path: one typed decode an event, which skips what is not looked at.
"""

import msgspec

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamInvalid, UpstreamRefused
from proxy_app.formats.lenient import mended
from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.openai_responses.events import (
    NOT_JSON,
    TERMINAL,
    TEXT_DELTAS,
    Event,
    decode_event,
    load_object,
    object_of,
    refuse_error,
)
from proxy_app.formats.openai_responses.failing import error_event, failed_as_told, failed_event
from proxy_app.formats.openai_responses.response import finish_after, has_calls, observe_answer, refuse_failed
from proxy_app.formats.openai_responses.unfolding import unfolded
from proxy_app.formats.openai_responses.usage import usage_of
from proxy_app.formats.reading import as_object, as_text
from proxy_app.formats.whole import take_whole
from proxy_app.sse import Framer, read_block
from proxy_app.wire import JSON, CallFacts, Observed

#: Events of an answer that has begun and shows nothing yet.
_QUIET = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
    }
)


class Relay:
    """One stream. Forwards each event's bytes with LF line ends, unknown ones too; see `StreamPipe`."""

    __slots__ = ("_begun", "_failed", "_framer", "_number", "_saw_call", "observed")

    def __init__(self, facts: CallFacts) -> None:
        self.observed = Observed()
        self._framer = Framer()
        self._number = -1  # the last sequence number that was sent
        self._saw_call = False
        self._begun: msgspec.Raw | None = None  # the response as it was told first
        self._failed: tuple[UpstreamRefused, bytes] | None = None

    def feed(self, chunk: bytes) -> bytes:
        blocks = self._framer.feed(chunk)
        if len(blocks) == 1:
            return self._pass(blocks[0])
        return b"".join([self._pass(block) for block in blocks])

    def finish(self) -> bytes:
        """The upstream closed. A last event without its blank line counts when it can be read whole."""
        sent = b""
        rest = self._framer.take_rest()
        if rest and not self.observed.ended:
            sent = self._pass_rest(rest)
        if not self.observed.ended:
            raise UpstreamCut
        return sent

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        """The provider's own `response.failed` where that is what went wrong: clients read its code."""
        if self._failed is not None and error is self._failed[0]:
            return failed_as_told(*self._failed)
        if self._begun is None:
            return error_event(error, request_id, self._number + 1)
        return failed_event(error, request_id, object_of(self._begun), self._number + 1)

    def _pass(self, block: bytes) -> bytes:
        """The bytes to send for one block; reads what it says on the way. Nothing after the end."""
        observed = self.observed
        if observed.ended:
            return b""
        start = block.find(b"\ndata: {") + 7 if block.startswith(b"event: ") else 6
        if (start == 6 and not block.startswith(b"data: {")) or b"\n" in block[start:]:
            return self._pass_unusual(block)
        try:
            event = decode_event(memoryview(block)[start:])
        except UpstreamInvalid:
            return self._pass_mended(block, start)
        kind = event.type
        if kind in TEXT_DELTAS and event.delta is not None:
            observed.output_chars += len(event.delta)
            observed.output_events += 1
            observed.content_started = True
        elif kind not in _QUIET:
            self._note(event, block, start)
        elif event.response is not None:
            self._note_start(event)
        elif event.item is not None:
            self._saw_call |= has_calls([object_of(event.item)])
        if event.sequence_number is not None:
            self._number = event.sequence_number
        return block + b"\n\n"

    def _pass_mended(self, block: bytes, start: int) -> bytes:
        """What only strict decoders refuse, read without it and passed as it came."""
        if (written := mended(block[start:])) is None:
            raise UpstreamInvalid(NOT_JSON)
        self._pass(block[:start] + written)
        return block + b"\n\n"

    def _note_start(self, event: Event) -> None:
        if self.observed.upstream_id is None:
            response = object_of(event.response)
            self._begun = event.response if response else None
            self.observed.upstream_id = as_text(response.get("id")) or None
            self.observed.served_model = as_text(response.get("model")) or None

    def _note(self, event: Event, block: bytes, start: int) -> None:
        """Endings, errors, and content of kinds that are not counted. A new kind of event of the answer
        counts as content; any other (a keep-alive, say) does not."""
        observed, kind = self.observed, event.type
        is_error = event.error is not None or block.startswith(b"event: error\n")
        if kind == "error" or (not kind and is_error):
            refuse_error(block[start:])
        if kind in TERMINAL:
            try:
                self._note_end(event)
            except UpstreamRefused as refused:
                if kind == "response.failed":
                    self._failed = refused, block
                raise
        elif kind.startswith("response."):
            observed.content_started = True
            observed.output_events += kind.endswith(".delta")

    def _note_end(self, event: Event) -> None:
        observed = self.observed
        self._note_start(event)
        response = object_of(event.response)
        observed.usage = usage_of(response) or observed.usage
        observed.service_tier = as_text(response.get("service_tier")) or None
        refuse_failed(response)
        if event.type == "response.failed":
            raise read_in_band(as_object(response.get("error")), "The provider's answer has failed.")
        observed.finish = finish_after(response, self._saw_call)
        observed.content_started = observed.ended = True

    def _pass_unusual(self, block: bytes) -> bytes:
        """Comments, several lines of data, other spacing, other fields, `[DONE]`."""
        block = block.strip(b"\n")
        event = read_block(block) if block else None
        if event is None:
            if block.startswith(b"{"):
                return self._pass_whole(block)
            return block + b"\n\n" if block else b""
        data = event.data.strip()
        if data == b"[DONE]":
            return b""
        if not data.startswith(b"{"):
            raise UpstreamInvalid(NOT_JSON)
        if event.event == "error" and not load_object(data).get("type"):
            refuse_error(data)
        plain = b"data: " + event.data.replace(b"\n", b" ").strip()
        self._pass(plain)
        return block + b"\n\n"

    def _pass_whole(self, raw: bytes) -> bytes:
        """A whole answer in place of the stream, as the events that say it; what is none as it came."""
        body = take_whole(raw, self.observed, _observe_ended)
        return raw + b"\n\n" if body is None else unfolded(body)

    def _pass_rest(self, rest: bytes) -> bytes:
        """What came after the last blank line: whole, or the sign of a cut."""
        if rest.lstrip().startswith(b"{"):
            sent = self._pass_whole(rest)
            if self.observed.ended:
                return sent
            refuse_error(rest)
        if read_block(rest) is None:
            return b""
        try:
            return self._pass(rest)
        except UpstreamInvalid as invalid:
            raise UpstreamCut from invalid


def _observe_ended(body: JSON) -> Observed:
    told = observe_answer(body)
    if told.finish is None:  # of what is made in the background only the beginning is told
        raise UpstreamCut
    return told
