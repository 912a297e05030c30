"""Errors of Bedrock: `{"message"}`, with the kind in the header `x-amzn-errortype`."""

from collections.abc import Mapping

from gateway_project.errors import UpstreamFailed
from proxy_app.formats.failures import Complaint, aws_error_type, failure, plain_message, read_json
from proxy_app.formats.reading import as_object, as_text
from proxy_app.wire import JSON

#: Kinds whose HTTP status says less than their name.
_STATUSES = {"ServiceQuotaExceededException": 429, "ModelNotReadyException": 503}
_IN_BAND = {
    "rate_limit_error": 429,
    "overloaded_error": 503,
    "timeout_error": 504,
    "invalid_request_error": 400,
    "permission_error": 403,
}


def read_failure(status: int, headers: Mapping[str, str], raw: bytes) -> UpstreamFailed:
    """An error answer of the service, or of a proxy before it."""
    body = read_json(raw)
    told = as_object(body)
    words = as_text(told.get("message")) or as_text(told.get("Message"))
    kind = aws_error_type(headers) or as_text(told.get("__type")).rpartition("#")[2]
    if not isinstance(body, dict):
        words = plain_message(raw)
    return failure(_STATUSES.get(kind, status), Complaint(words, kind), headers)


def read_in_band(body: JSON) -> UpstreamFailed:
    """An exception met in a stream that began with 200 (`event_stream.to_sse` gives it this shape)."""
    error = as_object(body.get("error"))
    kind = as_text(error.get("type"))
    return failure(_IN_BAND.get(kind, 502), Complaint(as_text(error.get("message")), kind))
