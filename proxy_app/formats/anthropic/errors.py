"""Errors of Anthropic Messages, both directions: `{"type": "error", "error": {…}, "request_id"}`."""

from collections.abc import Mapping

from gateway_project.errors import BudgetExceeded, GatehouseError, UpstreamFailed
from proxy_app.formats.contract import RenderedError
from proxy_app.formats.failures import Complaint, failure, plain_message, read_json
from proxy_app.formats.reading import as_object, as_text
from proxy_app.formats.refusals import refusal_headers, sentence, told_code, told_status
from proxy_app.wire import JSON

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUSES = {kind: status for status, kind in _TYPES.items() if status not in (408, 503)}
_STATUS = {503: 529}  # this format's word for "overloaded"


def _status(error: GatehouseError) -> int:
    status = told_status(error)
    return _STATUS.get(status, status)


def error_body(error: GatehouseError, request_id: str) -> JSON:
    status = _status(error)
    kind = _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    told: JSON = {"type": kind, "message": sentence(error, request_id)}
    if isinstance(error, BudgetExceeded) or told_code(error) != kind:
        told["details"] = {"error_code": told_code(error)}
    return {"type": "error", "error": told, "request_id": request_id}


def render_error(error: GatehouseError, request_id: str) -> RenderedError:
    """Any error of ours as this format tells it. SDKs read the id of a call from `request-id`."""
    headers = refusal_headers(error)
    if request_id:
        headers["request-id"] = request_id
    return RenderedError(_status(error), error_body(error, request_id), headers)


def read_failure(status: int, headers: Mapping[str, str], raw: bytes) -> UpstreamFailed:
    """A provider's error answer; compatible servers may send other JSON or none."""
    body = read_json(raw)
    complaint = _complaint(body) if isinstance(body, dict) else Complaint(plain_message(raw))
    return failure(status, complaint, headers)


def read_in_band(body: JSON) -> UpstreamFailed:
    """An error met inside an answer or a stream that began with 200."""
    complaint = _complaint(body)
    return failure(_STATUSES.get(complaint.type, 502), complaint)


def _complaint(body: JSON) -> Complaint:
    error = body.get("error")
    if not isinstance(error, dict):
        return Complaint(as_text(error) or as_text(body.get("message")) or as_text(body.get("detail")))
    code = as_text(as_object(error.get("details")).get("error_code"))
    return Complaint(as_text(error.get("message")), as_text(error.get("type")), code)
