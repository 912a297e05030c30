"""How a caller of each format reads an answer. Bytes that break the format's grammar fail the test."""

from collections.abc import Callable
from typing import Any

from tests.proxy_app.harness import Answer
from tests.proxy_app.pairs.heard import Heard
from tests.proxy_app.pairs.hearing_claude import hear_message, hear_message_stream
from tests.proxy_app.pairs.hearing_gemini import hear_pieces
from tests.proxy_app.pairs.hearing_openai import (
    hear_chat_stream,
    hear_completion,
    hear_response,
    hear_response_stream,
)
from tests.proxy_app.pairs.reading import data_of, events_of

_PLAIN: dict[str, Callable[[Any], Heard]] = {
    "openai_chat": hear_completion,
    "openai_responses": hear_response,
    "anthropic": hear_message,
    "gemini": lambda body: hear_pieces([body]),
}
_STREAMED: dict[str, Callable[[bytes], Heard]] = {
    "openai_chat": lambda raw: hear_chat_stream(data_of(raw)),
    "openai_responses": lambda raw: hear_response_stream(events_of(raw)),
    "anthropic": lambda raw: hear_message_stream(events_of(raw)),
    "gemini": lambda raw: hear_pieces(data_of(raw)),
}


def hear(format: str, answer: Answer) -> Heard:
    """A whole answer, a stream, or an error in the caller's own shape."""
    if answer.status != 200:
        return Heard(status=answer.status, error=error_in(format, answer.status, answer.json()))
    if answer.headers["content-type"].startswith("text/event-stream"):
        return _STREAMED[format](answer.body)
    return _PLAIN[format](answer.json())


def error_in(format: str, status: int, body: Any) -> dict[str, Any]:
    """The error of a body, which must have the format's shape for that status."""
    error = body["error"]
    assert isinstance(error["message"], str) and error["message"]
    if format == "anthropic":
        assert body["type"] == "error" and error["type"].endswith(("_error", "_too_large"))
        assert body["request_id"]
    elif format == "gemini":
        assert next(iter(body)) == "error" and error["code"] == status and error["status"].isupper()
    else:
        assert set(error) >= {"message", "type", "param", "code"} and error["type"]
    return error
