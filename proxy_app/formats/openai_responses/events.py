"""One event of a Responses stream, decoded into the fields that are looked at; the rest is skipped."""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.reading import as_count, as_object, as_text
from proxy_app.wire import JSON

NOT_JSON = "The provider sent a stream event that is not JSON."
#: Events that end an answer, each with the whole `response`.
TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
#: Deltas of what the caller sees, told as text.
TEXT_DELTAS = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
        "response.audio.transcript.delta",
    }
)


class Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: str | None = None
    output_index: int | None = None
    sequence_number: int | None = None
    summary_index: int | None = None
    response: msgspec.Raw | None = None
    item: msgspec.Raw | None = None
    annotation: msgspec.Raw | None = None
    part: msgspec.Raw | None = None
    error: msgspec.Raw | None = None
    arguments: str | None = None
    input: str | None = None


_decode = msgspec.json.Decoder(Event).decode


def decode_event(data: bytes | memoryview) -> Event:
    """The event of a frame's data. Raises UpstreamInvalid for what is no JSON object.

    Known fields of unknown types, as new kinds of events may have, count as not told.
    """
    try:
        return _decode(data)
    except msgspec.ValidationError:
        return _untyped(load_object(bytes(data)))
    except msgspec.DecodeError as error:
        raise UpstreamInvalid(NOT_JSON) from error


def _untyped(body: JSON) -> Event:
    def raw(name: str) -> msgspec.Raw | None:
        value = body.get(name)
        return None if value is None else msgspec.Raw(orjson.dumps(value))

    def text(name: str) -> str | None:
        return as_text(body.get(name)) or None

    return Event(
        as_text(body.get("type")),
        text("delta"),
        as_count(body.get("output_index")),
        as_count(body.get("sequence_number")),
        as_count(body.get("summary_index")),
        raw("response"),
        raw("item"),
        raw("annotation"),
        raw("part"),
        raw("error"),
        text("arguments"),
        text("input"),
    )


def load_object(data: bytes) -> JSON:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalid(NOT_JSON) from error
    return as_object(value)


def object_of(raw: msgspec.Raw | None) -> JSON:
    """A field kept raw, as an object; empty when it is none."""
    return {} if raw is None else load_object(bytes(raw))


def refuse_error(data: bytes) -> None:
    """Raises UpstreamFailed for an `error` event: flat (`code`, `message`) or nested in `error`."""
    body = load_object(data)
    nested: Any = body.get("error")
    told = nested or {name: value for name, value in body.items() if name != "type"}
    raise read_in_band(told, as_text(body.get("message")))
