"""Errors of OpenAI's formats: `{"error": {message, type, param, code}}`, both directions."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway_project.errors import BudgetExceeded, GatehouseError, UpstreamFailed, UpstreamRefused
from proxy_app.formats.contract import RenderedError
from proxy_app.formats.failures import Complaint, failure, plain_message, read_json, words_in
from proxy_app.formats.reading import as_object, as_text
from proxy_app.formats.refusals import is_quota, refusal_headers, sentence, told_code, told_status
from proxy_app.wire import JSON

_STATUS = {529: 503}  # Anthropic's "overloaded" is no status of this format
_TYPES = {402: "insufficient_quota", 403: "permission_error", 408: "timeout", 429: "rate_limit_error"}
_CODES = {429: "rate_limit_exceeded", 503: "overloaded"}
#: Where servers that have no error object say what is wrong.
_SAID = ("error", "message", "detail", "title")
_IN_BAND = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "invalid_prompt": 400,
    "bio_policy": 400,
    "misalignment_policy_violation": 400,
    "overloaded_error": 503,
    "timeout": 504,
}


def error_type(status: int) -> str:
    """OpenAI's `type` for a status."""
    if status == 504:
        return "timeout"
    return _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")


def error_object(error: GatehouseError, request_id: str) -> JSON:
    status = _status(error)
    over_quota = isinstance(error, BudgetExceeded) or is_quota(error)
    return {
        "message": sentence(error, request_id),
        "type": "insufficient_quota" if over_quota else error_type(status),
        "param": error.param,
        "code": _code(error, status),
    }


def _code(error: GatehouseError, status: int) -> str:
    """The provider's own code where it has one; never another format's word for a rate limit."""
    if isinstance(error, UpstreamRefused) and not error.upstream_code and status in _CODES:
        return _CODES[status]
    return told_code(error)


def render_error(error: GatehouseError, request_id: str) -> RenderedError:
    """Any error of ours as this format tells it."""
    return RenderedError(_status(error), {"error": error_object(error, request_id)}, refusal_headers(error))


def _status(error: GatehouseError) -> int:
    status = told_status(error)
    return _STATUS.get(status, status)


def read_failure(status: int, headers: Mapping[str, str], raw: bytes) -> UpstreamFailed:
    """A provider's error answer. Compatible servers also say `{"error": "…"}`, `{"message": …}`,
    `{"detail": …}` or no JSON at all."""
    body = read_json(raw)
    complaint = Complaint(plain_message(raw)) if not isinstance(body, dict) else _complaint(body)
    return failure(status, complaint, headers)


def read_in_band(error: Any, message: str = "") -> UpstreamFailed:
    """An error object met inside an answer or a stream that began with 200."""
    complaint = _complaint({"error": error, "message": message})
    status = (
        _status_of(as_object(error)) or _IN_BAND.get(complaint.code) or _IN_BAND.get(complaint.type) or 502
    )
    if "image" in complaint.code:
        status = 400  # invalid_image_url, image_too_large and their like are the caller's image
    return failure(status, complaint)


def words_of(data: bytes) -> tuple[Any, str]:
    """The error object and the message of an error event's data."""
    try:
        body = as_object(orjson.loads(data))
    except orjson.JSONDecodeError:
        return None, data.decode("utf-8", "replace")
    return body.get("error") or body, as_text(body.get("message"))


def _status_of(error: JSON) -> int | None:
    """Some servers put an HTTP status where OpenAI has a code."""
    for key in ("status", "status_code", "code"):
        value = error.get(key)
        number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) == 3 else value
        if isinstance(number, int) and 400 <= number <= 599:
            return number
    return None


def _complaint(body: JSON) -> Complaint:
    error = body.get("error")
    if not isinstance(error, dict):
        words = next((found for said in _SAID if (found := words_in(body.get(said)))), "")
        kind = as_text(body.get("type")) or as_text(body.get("error_type"))
        return Complaint(words, kind, as_text(body.get("code")))
    return Complaint(
        words_in(error.get("message")),
        as_text(error.get("type")),
        _code_of(error),
        as_text(error.get("param")) or None,
    )


def _code_of(error: JSON) -> str:
    """Azure tells its filter inside; OpenRouter tells a moderator's reasons beside a 403."""
    inner = as_text(as_object(error.get("innererror")).get("code"))
    if inner == "ResponsibleAIPolicyViolation" or as_object(error.get("metadata")).get("reasons"):
        return "content_filter"
    return as_text(error.get("code"))
