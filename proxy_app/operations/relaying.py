"""What operations relay as it is: bodies with the model renamed, answers, events and plain bytes."""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamInvalid
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_errors import error_object, read_in_band
from proxy_app.formats.reading import as_object, as_text, total
from proxy_app.operations.contract import Asked, Converted, OperationPipe, Route
from proxy_app.sse import Framer, encode, read_block
from proxy_app.wire import JSON, Observed, Outgoing, Target, Usage

JSON_HEADERS = {"content-type": "application/json"}
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
ReadUsage = Callable[[JSON, Asked], Usage | None]


def relay(path: str, read_usage: ReadUsage) -> Route:
    """The route to providers that speak OpenAI's own shape."""

    def build(asked: Asked, target: Target) -> Outgoing:
        return relayed(path, asked, target)

    def convert(raw: bytes, content_type: str, asked: Asked, options: RenderOptions) -> Converted:
        body = read_answer(raw)
        return Converted(raw, observed_whole(read_usage(body, asked), body))

    def open_pipe(content_type: str, asked: Asked) -> OperationPipe | None:
        if not is_events(content_type):
            return None
        return EventRelay(lambda event: read_usage(event, asked), asked.facts.candidates)

    return Route(build, convert, open_pipe)


def relayed(path: str, asked: Asked, target: Target) -> Outgoing:
    """The caller's own body with the model renamed; every other value keeps its bytes."""
    if asked.form is not None:
        headers = {"content-type": asked.form.content_type}
        body = asked.form.with_model(target.upstream_model)
        return Outgoing(path, body, headers, model=target.upstream_model)
    fields: dict[str, Any] = _decode_fields(asked.raw)
    fields["model"] = target.upstream_model
    return Outgoing(path, msgspec.json.encode(fields), dict(JSON_HEADERS), model=target.upstream_model)


def read_answer(raw: bytes) -> JSON:
    """A provider's 2xx answer as an object. Raises UpstreamFailed for an error that came with 200."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalid from error
    if not isinstance(body, dict):
        raise UpstreamInvalid
    if body.get("error"):
        raise read_in_band(body["error"])
    return body


def observed_whole(usage: Usage | None, body: JSON) -> Observed:
    return Observed(
        usage=usage,
        content_started=True,
        ended=True,
        upstream_id=as_text(body.get("id")) or None,
        served_model=as_text(body.get("model")) or None,
    )


def added(one: Usage, other: Usage) -> Usage:
    """What two of several answers used together."""
    units = {**one.units}
    for unit, count in other.units.items():
        units[unit] = units.get(unit, 0) + count
    return Usage(
        input_tokens=total(one.input_tokens, other.input_tokens),
        output_tokens=total(one.output_tokens, other.output_tokens),
        input_audio_tokens=total(one.input_audio_tokens, other.input_audio_tokens),
        units=units,
    )


def is_events(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


class EventRelay:
    """Server-sent events forwarded as they are. The end is `[DONE]`, or as many events whose type ends in
    `.completed` or `.done` as things were asked for; each tells its own usage."""

    is_text = True

    def __init__(self, read_usage: Callable[[JSON], Usage | None], things: int = 1) -> None:
        self.observed = Observed()
        self._framer = Framer()
        self._read_usage = read_usage
        self._things = things
        self._done = 0

    def feed(self, chunk: bytes) -> bytes:
        return b"".join([self._pass(block) for block in self._framer.feed(chunk)])

    def finish(self) -> bytes:
        rest = self._framer.take_rest()
        sent = self._pass(rest) if rest else b""
        if not self._done and not self.observed.ended:
            raise UpstreamCut
        self.observed.ended = True
        return sent

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        told = {"type": "error", "error": error_object(error, request_id)}
        return encode(orjson.dumps(told), "error")

    def _pass(self, block: bytes) -> bytes:
        block = block.strip(b"\n")
        event = read_block(block) if block else None
        if event is None:
            return block + b"\n\n" if block else b""
        observed = self.observed
        if event.data.strip() == b"[DONE]":
            observed.ended = True
            return block + b"\n\n"
        try:
            body = as_object(orjson.loads(event.data))
        except orjson.JSONDecodeError as error:
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        kind = as_text(body.get("type")) or event.event
        if body.get("error") or kind == "error":
            raise read_in_band(body.get("error") or body)
        observed.content_started = True
        observed.output_events += 1
        if usage := self._read_usage(body):
            observed.usage = usage if observed.usage is None else added(observed.usage, usage)
        if kind.endswith((".completed", ".done")):
            self._done += 1
            observed.ended = self._done >= self._things
        return block + b"\n\n"


class ByteRelay:
    """Bytes forwarded as they come. A broken connection is all that can tell of a failure."""

    is_text = False

    def __init__(self) -> None:
        self.observed = Observed()

    def feed(self, chunk: bytes) -> bytes:
        self.observed.content_started = True
        return chunk

    def finish(self) -> bytes:
        if not self.observed.content_started:
            raise UpstreamInvalid("The provider's answer is empty.")
        self.observed.ended = True
        return b""

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return b""
