"""What the front door answers by itself, before a request is whole: in the dialect of what path was read."""

from http import HTTPStatus

import orjson

from proxy_app.dialects import dialect_of

HEAD_TOO_LARGE = (431, "headers_too_large", "The request's headers are larger than 64 KB.")
HEAD_TOO_SLOW = (408, "request_timeout", "The request's headers did not arrive in time.")
BODY_TOO_SLOW = (408, "request_timeout", "The request body did not arrive in time.")
NOT_HTTP = (400, "invalid_request", "This is not a valid HTTP request.")
TOO_MANY_CONNECTIONS = (429, "too_many_connections", "Your address holds too many connections.")
_GEMINI_STATUS = {408: "DEADLINE_EXCEEDED", 429: "RESOURCE_EXHAUSTED"}


def refusal(status: int, code: str, message: str, target: bytes = b"") -> bytes:
    """A whole HTTP/1.1 answer with an error, after which the connection closes. `target` is what was read
    of the request's address."""
    path = target.partition(b"?")[0].decode("latin-1")
    body = orjson.dumps(_body(dialect_of(path, {}), status, code, message))
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _body(dialect: str, status: int, code: str, message: str) -> dict[str, object]:
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    if dialect == "gemini":
        word = _GEMINI_STATUS.get(status, "INVALID_ARGUMENT")
        return {"error": {"code": status, "message": message, "status": word}}
    if dialect == "anthropic":
        kind = "timeout_error" if status == 408 else kind
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": None}
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
