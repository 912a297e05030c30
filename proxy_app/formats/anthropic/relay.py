"""An Anthropic Messages stream on its way from a provider of the same format: read once, forwarded as it is.

The hot path: one typed decode an event, which skips what is not looked at. Pings, comments and events of
types nobody knows yet pass too.
"""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamInvalid
from proxy_app.formats.anthropic.errors import error_body, read_in_band
from proxy_app.formats.anthropic.response import observe_answer, read_speed
from proxy_app.formats.anthropic.unfolding import unfolded
from proxy_app.formats.anthropic.usage import FINISHES, read_usage
from proxy_app.formats.lenient import load
from proxy_app.formats.reading import as_object, as_text, unlisted
from proxy_app.formats.whole import take_whole
from proxy_app.sse import Framer, encode, read_block
from proxy_app.wire import JSON, CallFacts, Finish, Observed

_DELTA = b"event: content_block_delta\ndata: {"
_DELTA_DATA = len(_DELTA) - 1
_UNSEEN = frozenset({"text", "thinking"})  # blocks that begin with nothing to show


class _Delta(msgspec.Struct, gc=False):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: msgspec.Raw | None = None


class _DeltaEvent(msgspec.Struct, gc=False):
    type: str | None = None
    delta: _Delta | None = None


_decode = msgspec.json.Decoder(_DeltaEvent).decode


class Relay:
    """One stream. Forwards each event's bytes with LF line ends; see `StreamPipe` for the contract."""

    __slots__ = ("_framer", "_usage", "observed")

    def __init__(self, facts: CallFacts) -> None:
        self.observed = Observed()
        self._framer = Framer()
        self._usage: JSON = {}

    def feed(self, chunk: bytes) -> bytes:
        blocks = self._framer.feed(chunk)
        if len(blocks) == 1:
            return self._pass(blocks[0])
        return b"".join([self._pass(block) for block in blocks])

    def finish(self) -> bytes:
        """Only `message_stop` ends a message; a last one without its blank line counts."""
        sent = b""
        rest = self._framer.take_rest()
        if rest and not self.observed.ended:
            sent = self._pass_rest(rest)
        if not self.observed.ended:
            raise UpstreamCut
        return sent

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return encode(orjson.dumps(error_body(error, request_id)), "error")

    def _pass(self, block: bytes) -> bytes:
        """The bytes to send for one block; reads what it says on the way."""
        if not block.startswith(_DELTA) or self.observed.ended:
            return self._pass_other(block)
        try:
            event = _decode(memoryview(block)[_DELTA_DATA:])
        except msgspec.MsgspecError:
            return self._pass_other(block)
        delta = event.delta
        if delta is None or event.type != "content_block_delta":
            return self._pass_other(block)
        text = delta.text or delta.partial_json or delta.thinking
        if text:
            observed = self.observed
            observed.output_chars += len(text)
            observed.output_events += 1
            observed.content_started = True
        elif text is None and delta.signature is None:
            self._count(0)  # a kind of delta that is not known yet
        return block + b"\n\n"

    def _count(self, chars: int) -> None:
        observed = self.observed
        observed.output_chars += chars
        observed.output_events += 1
        observed.content_started = True

    def _pass_other(self, block: bytes) -> bytes:
        """Whatever is not a plain delta: reads it whole. An event without its `event:` line is given one,
        since the official SDKs pass over it otherwise; nothing passes after the end."""
        block = block.strip(b"\n")
        if not block or self.observed.ended:
            return b""
        event = read_block(block)
        if event is None:
            return self._pass_whole(block) if block.startswith(b"{") else block + b"\n\n"
        if event.data.strip() == b"[DONE]":
            return b""
        try:
            body = load(event.data)
        except orjson.JSONDecodeError as error:
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        body = as_object(body)
        kind = as_text(body.get("type"))
        self._read(event.event or kind, kind, body)
        if event.event or not kind:
            return block + b"\n\n"
        return encode(event.data, kind)

    def _read(self, name: str, kind: str, body: JSON) -> None:
        if "error" in (name, kind) or body.get("error"):
            raise read_in_band(body)
        match kind:
            case "content_block_delta":
                self._read_delta(body)
            case "content_block_start":
                self._read_start(as_object(body.get("content_block")))
            case "message_start":
                message = as_object(body.get("message"))
                self.observed.upstream_id = as_text(message.get("id")) or None
                self.observed.served_model = as_text(message.get("model")) or None
                self._report(message.get("usage"))
            case "message_delta":
                if word := as_text(as_object(body.get("delta")).get("stop_reason")):
                    self.observed.finish = FINISHES.get(word, Finish.STOP)
                    self.observed.finish_word = unlisted(word, FINISHES)
                    self.observed.content_started = True
                self._report(body.get("usage"))
            case "message_stop":
                if self.observed.finish is None:
                    raise UpstreamCut  # a provider's end that gives no reason is none
                self.observed.ended = True

    def _read_delta(self, body: JSON) -> None:
        """A delta whose bytes or fields are not the usual ones."""
        delta = {key: value for key, value in as_object(body.get("delta")).items() if key != "type"}
        if any(delta.values()) and list(delta) != ["signature"]:
            self._count(sum(len(value) for value in delta.values() if isinstance(value, str)))

    def _read_start(self, block: JSON) -> None:
        """Text may stand in the first event of a block already; other kinds of block show themselves."""
        if text := as_text(block.get("text")) or as_text(block.get("thinking")):
            self._count(len(text))
        elif block.get("input"):
            self._count(len(orjson.dumps(block["input"])))
        elif as_text(block.get("type")) not in _UNSEEN:
            self.observed.content_started = True

    def _report(self, usage: Any) -> None:
        """Figures are cumulative: each report is laid over the earlier ones before it is counted."""
        self._usage |= {name: value for name, value in as_object(usage).items() if value is not None}
        self.observed.usage = read_usage(self._usage) or self.observed.usage
        self.observed.service_tier = read_speed(self._usage)

    def _pass_whole(self, raw: bytes) -> bytes:
        """A whole answer in place of the stream, as the events that say it; what is none as it came."""
        body = take_whole(raw, self.observed, observe_answer)
        return raw + b"\n\n" if body is None else unfolded(body)

    def _pass_rest(self, rest: bytes) -> bytes:
        """What came after the last blank line: whole, or the sign of a cut."""
        if rest.lstrip().startswith(b"{"):
            sent = self._pass_whole(rest)
            if self.observed.ended:
                return sent
            raise read_in_band(as_object(_load(rest)))
        try:
            return self._pass(rest) if read_block(rest) is not None else b""
        except UpstreamInvalid as invalid:
            raise UpstreamCut from invalid


def _load(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return {"error": data.decode("utf-8", "replace")}
