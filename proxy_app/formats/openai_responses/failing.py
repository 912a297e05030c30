"""How a Responses stream that breaks off says so: `response.failed`, where agents look for the reason, with
an `error` beside the response, on which OpenAI's SDKs raise. A flat `error` event they hand on like any
other, and whoever waits for text alone would take what came for the whole answer.
"""

import msgspec

from gateway_project.errors import GatehouseError, UpstreamRefused
from proxy_app.formats.openai_errors import error_object
from proxy_app.formats.openai_responses.events import object_of
from proxy_app.formats.openai_responses.open_items import event_frame
from proxy_app.formats.reading import as_text
from proxy_app.wire import JSON

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def failed_event(error: GatehouseError, request_id: str, response: JSON, number: int) -> bytes:
    """The end of an answer that has begun, as `response` tells it."""
    told = error_object(error, request_id)
    # The published codes of a failed response are few; ours stands beside it.
    code = "rate_limit_exceeded" if told["type"] == "rate_limit_error" else "server_error"
    failed = {**response, "status": "failed", "error": {"code": code, "message": told["message"]}}
    return event_frame("response.failed", {"response": failed, "error": told}, number)


def error_event(error: GatehouseError, request_id: str, number: int) -> bytes:
    """The end of a stream in which no answer has begun."""
    told = error_object(error, request_id)
    flat = {"code": told["code"], "message": told["message"], "param": told["param"]}
    return event_frame("error", {**flat, "error": told}, number)


def failed_as_told(refused: UpstreamRefused, block: bytes) -> bytes:
    """The provider's own `response.failed` as it came, but for a message that would tell a secret."""
    start = block.index(b"data: {") + 6
    event = _decode_fields(memoryview(block)[start:])
    response = _decode_fields(event["response"])
    told = object_of(response.get("error"))
    if as_text(told.get("message")) in ("", refused.detail):
        return block + b"\n\n"
    words = {name: value for name, value in told.items() if isinstance(value, str)}
    response["error"] = msgspec.Raw(msgspec.json.encode(words | {"message": refused.detail}))
    event["response"] = msgspec.Raw(msgspec.json.encode(response))
    return block[:start] + msgspec.json.encode(event) + b"\n\n"
