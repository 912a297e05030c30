"""A provider's refusal in our error tree: what status, code and wait it means, and no secret in its text.

Formats find their own words in the body; this module judges them alike for every format.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from gateway_project.errors import CredentialRefused, UpstreamFailed, UpstreamInvalid, UpstreamRefused

MAX_MESSAGE_CHARS = 1000
_HIDDEN = "[hidden]"
_SECRETS = (
    (re.compile(r"\bsk-[\w*.\-]{4,}"), _HIDDEN),
    (re.compile(r"\bAIza[\w*\-]{4,}"), _HIDDEN),
    (re.compile(r"\b(Bearer\s+)[^\s\"',;]+", re.IGNORECASE), rf"\1{_HIDDEN}"),
    (re.compile(r"((?:api[-_ ]?)?key\s*=\s*)[^\s&\"',;]+", re.IGNORECASE), rf"\1{_HIDDEN}"),
    (re.compile(r"((?:x-)?(?:goog-)?api-key[\"']?\s*:\s*)[\"']?[^\s\"',;]+", re.IGNORECASE), rf"\1{_HIDDEN}"),
)
_CONTEXT = re.compile(
    r"context[ _](?:length|window)|maximum context|prompt is too long|too many (?:input )?tokens"
    r"|input token count.{0,60}exceeds|exceed.{0,40}context|input is too long"
    r"|`inputs` (?:tokens \+ `max_new_tokens` )?must (?:be <=|have less than)",
    re.IGNORECASE | re.DOTALL,
)
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_RETRYABLE = frozenset({408, 409, 424, 429})  # 424: a model on Bedrock failed by itself
#: Whole phrases: a caller's tool or field may be about billing too.
_NO_CREDIT = re.compile(
    r"credit balance is too low|budget has been exceeded|billing hard limit|billing (?:account|details)"
    r"|enable billing|billing (?:(?:to|must) be|is not|not) (?:enabled|active)"
    r"|billing is (?:disabled|inactive)",
    re.IGNORECASE,
)
#: Some providers say 400 of a key they do not know.
_BAD_KEY = re.compile(r"(?:incorrect|invalid) api[ _-]?(?:key|token)", re.IGNORECASE)
#: llama.cpp says 500 of these, though no other try will do better.
_UNREADABLE = re.compile(
    r"(?:image|audio|video) input is not supported"
    r"|failed to (?:parse|load) (?:messages|tools|tool call|image)",
    re.IGNORECASE,
)
_MOST_DETAILS = 5


@dataclass(slots=True)
class Complaint:
    """What a provider's error body said, in the provider's own words."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str | None = None
    retry_after_s: float | None = None
    is_credential: bool = False  # the provider means our key, whatever the status


def without_secrets(text: str) -> str:
    """The text with everything that looks like a credential hidden, cut to a bearable length."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text if len(text) <= MAX_MESSAGE_CHARS else text[:MAX_MESSAGE_CHARS] + "…"


def read_json(raw: bytes) -> Any:
    """The body as JSON, an array of objects unwrapped to its first; None when it is not JSON."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return body[0] if isinstance(body, list) and body and isinstance(body[0], dict) else body


def words_in(value: Any, depth: int = 4) -> str:
    """The words of a message that may be more than text: servers on FastAPI tell a list of what is wrong
    with which field, some wrapped once more."""
    if isinstance(value, str):
        return value
    if depth and isinstance(value, dict):
        place = value.get("loc")
        named = [str(part) for part in place if part != "body"] if isinstance(place, list) else []
        said = (words_in(value.get(name), depth - 1) for name in ("msg", "message", "detail"))
        words = next(filter(None, said), "")
        return f"{'.'.join(named)}: {words}" if named and words else words
    if depth and isinstance(value, list):
        return "; ".join(filter(None, (words_in(item, depth - 1) for item in value[:_MOST_DETAILS])))
    return ""


def plain_message(raw: bytes) -> str:
    """The words of a body that is not JSON; nothing of a web page."""
    text = raw[:4000].decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else text


def failure(status: int, complaint: Complaint, headers: Mapping[str, str] | None = None) -> UpstreamFailed:
    """The error for a provider's status and words.

    401 and 403 are the gateway's credential, never the caller's fault. 400, 404, 413, 422 and their
    like go back to the caller; 408, 409, 424, 429 and 5xx may be tried elsewhere.
    """
    if status < 400:
        return UpstreamInvalid(f"The provider answered with status {status}.", upstream_status=status)
    code = _code(status, complaint)
    if status == 403 and code == "content_filter":
        status = 400  # a moderator's no, not the door's
    if status == 500 and _UNREADABLE.match(complaint.message):
        status, complaint.type = 400, "invalid_request_error"
    if complaint.is_credential or status in (401, 403) or (status == 400 and _is_bad_key(complaint)):
        return CredentialRefused(upstream_status=status)
    if status == 402 or (status == 400 and _NO_CREDIT.search(complaint.message)):
        return CredentialRefused("The provider's account has no credit left.", upstream_status=status)
    retry_after_s = complaint.retry_after_s
    if retry_after_s is None and headers is not None:
        retry_after_s = read_retry_after(headers)
    message = without_secrets(complaint.message) or f"The provider answered with status {status}."
    return UpstreamRefused(
        message,
        status=status,
        upstream_type=without_secrets(complaint.type),
        upstream_code=code,
        can_retry=status in _RETRYABLE or status >= 500 or asks_again(headers),
        param=complaint.param,
        retry_after_s=retry_after_s,
    )


def _is_bad_key(complaint: Complaint) -> bool:
    return _BAD_KEY.match(complaint.message) is not None


def asks_again(headers: Mapping[str, str] | None) -> bool:
    """The provider itself says that the same request may pass (`x-should-retry: true`)."""
    told = {name.lower(): value for name, value in (headers or {}).items()}
    return told.get("x-should-retry", "").lower() == "true"


def _code(status: int, complaint: Complaint) -> str:
    code = without_secrets(complaint.code)
    if code.lower() in _FILTER_CODES:
        return "content_filter"
    if code == "context_length_exceeded":
        return code
    if status in (400, 413, 422) and _CONTEXT.search(complaint.message):
        return "context_length_exceeded"
    return code


def aws_error_type(headers: Mapping[str, str]) -> str:
    """The kind of an AWS error, without the address that may stand behind it."""
    for name, value in headers.items():
        if name.lower() == "x-amzn-errortype":
            return value.partition(":")[0].rpartition("#")[2]
    return ""


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a provider asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date
    (told against the answer's own `date`, so that no clock is needed)."""
    found = {name.lower(): value for name, value in headers.items()}
    millis = _number(found.get("retry-after-ms"))
    if millis is not None:
        return millis / 1000
    value = found.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    until, now = _date(value), _date(found.get("date"))
    return max((until - now).total_seconds(), 0.0) if until and now else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else -1.0
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


def _date(value: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(value) if value else None
    except (TypeError, ValueError):
        return None
    return found if found is not None and found.tzinfo is not None else None
