"""What the sandbox gives back: a status, headers and the body in pieces; and its errors."""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import orjson


class SandboxCut(Exception):
    """Raised by `SandboxReply.chunks` where a real connection would break in mid-body."""


@dataclass(slots=True)
class SandboxReply:
    status: int
    headers: dict[str, str]
    chunks: AsyncGenerator[bytes, None]


@dataclass(slots=True)
class Refused(Exception):
    """An answer that is an error, in the OpenAI shape."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


#: status -> (type, code, message) of the `sandbox/error-…` models.
ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", "invalid_value", "The request is invalid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("permission_error", "permission_denied", "This credential may not use this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    408: ("timeout", "request_timeout", "The request took too long."),
    409: ("conflict_error", "conflict", "The request conflicts with another one."),
    422: ("invalid_request_error", "unprocessable_entity", "The request cannot be processed."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached. Try again in 1 second."),
    500: ("server_error", "internal_error", "The server had an error while processing the request."),
    502: ("server_error", "bad_gateway", "Bad gateway."),
    503: ("server_error", "unavailable", "The service is temporarily unavailable."),
    529: ("server_error", "overloaded", "The service is overloaded."),
}


def scripted_error(status: int) -> Refused:
    """The error of `sandbox/error-<status>`; says that it was asked for."""
    kind, code, message = ERRORS[status]
    headers = {"retry-after": "1"} if status == 429 else {}
    return Refused(
        status, f"Sandbox: {message} (An error asked for by the model's name.)", kind, code, None, headers
    )


def json_reply(status: int, body: Any, extra: dict[str, str] | None = None) -> SandboxReply:
    raw = orjson.dumps(body)
    headers = {"content-type": "application/json", "content-length": str(len(raw))}
    return SandboxReply(status, headers | (extra or {}), one_chunk(raw))


async def one_chunk(raw: bytes) -> AsyncGenerator[bytes, None]:
    yield raw


def digest(*parts: object) -> str:
    """A stable hexadecimal hash of values; the sandbox's only source of variety."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
