"""Errors of Gemini: `{"error": {code, message, status, details}}`, both directions."""

import re
from collections.abc import Mapping
from typing import Any

from gateway_project.errors import GatehouseError, UpstreamFailed
from proxy_app.formats.contract import RenderedError
from proxy_app.formats.failures import Complaint, failure, plain_message, read_json
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.formats.refusals import refusal_headers, sentence, told_code, told_status
from proxy_app.wire import JSON

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_WORDS = {word: status for status, word in reversed(_STATUSES.items())} | {"INTERNAL": 500}
_KEY_REASONS = ("API_KEY_", "ACCESS_TOKEN_", "ACCOUNT_STATE_INVALID", "CREDENTIALS_MISSING")
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_DELAY = re.compile(r"(\d{1,9}(?:\.\d+)?)s")


def error_object(error: GatehouseError, request_id: str) -> JSON:
    status = _status(error)
    word = _STATUSES.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    details: list[JSON] = [{"@type": _ERROR_INFO, "reason": told_code(error), "domain": "gatehouse"}]
    if error.retry_after_s is not None:
        delay = f"{min(max(error.retry_after_s, 0.0), 60.0):g}s"
        details.append({"@type": _RETRY_INFO, "retryDelay": delay})
    if error.param:
        violation = {"field": error.param, "description": error.detail}
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [violation]})
    return {"code": status, "message": sentence(error, request_id), "status": word, "details": details}


def _status(error: GatehouseError) -> int:
    status = told_status(error)
    return 503 if status == 529 else status


def render_error(error: GatehouseError, request_id: str) -> RenderedError:
    """Any error of ours as this format tells it. `error` is the body's first key: SDKs look only there."""
    return RenderedError(_status(error), {"error": error_object(error, request_id)}, refusal_headers(error))


def read_failure(status: int, headers: Mapping[str, str], raw: bytes) -> UpstreamFailed:
    """A provider's error answer, alone or as the one element of an array. A bad key is a 400 here."""
    body = read_json(raw)
    complaint = _complaint(body) if isinstance(body, dict) else Complaint(plain_message(raw))
    return failure(status, complaint, headers)


def read_in_band(error: Any) -> UpstreamFailed:
    """An error object met inside an answer or a stream that began with 200."""
    told = as_object(error)
    code = told.get("code")
    number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code
    if not isinstance(number, int) or not 400 <= number <= 599:
        number = _WORDS.get(as_text(told.get("status")), 502)
    return failure(number, _complaint({"error": error}))


def _complaint(body: JSON) -> Complaint:
    error = body.get("error")
    if not isinstance(error, dict):
        return Complaint(as_text(error) or as_text(body.get("message")))
    complaint = Complaint(as_text(error.get("message")), as_text(error.get("status")))
    for detail in as_list(error.get("details")):
        detail = as_object(detail)
        kind = as_text(detail.get("@type"))
        if kind.endswith("RetryInfo") and (found := _DELAY.fullmatch(as_text(detail.get("retryDelay")))):
            complaint.retry_after_s = float(found[1])
        elif kind.endswith("ErrorInfo"):
            complaint.is_credential |= as_text(detail.get("reason")).startswith(_KEY_REASONS)
    if "api key not valid" in complaint.message.lower():
        complaint.is_credential = True
    return complaint
