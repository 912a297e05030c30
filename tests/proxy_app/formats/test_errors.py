"""Errors, from every provider's dialect and into the caller's."""

import math
from typing import Any

import orjson
import pytest

from gateway_project.errors import (
    ERROR_CATALOGUE,
    BudgetExceeded,
    CallStopped,
    CredentialRefused,
    GatehouseError,
    InvalidBody,
    RateLimited,
    UpstreamInvalid,
    UpstreamRefused,
)
from proxy_app.formats import anthropic, exchange, gemini, registry
from proxy_app.formats.anthropic import errors as anthropic_errors
from proxy_app.formats.failures import without_secrets
from proxy_app.formats.gemini import errors as gemini_errors
from proxy_app.wire import CallFacts, Target

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "46.5s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
WIRES = ["openai_chat", "openai_responses", "anthropic", "gemini"]


def body_of(wire: str, message: str, kind: str = "", code: Any = None, **more: Any) -> bytes:
    if wire.startswith("openai"):
        return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
    if wire == "anthropic":
        return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"})
    return orjson.dumps([{"error": {"code": 400, "message": message, "status": kind, **more}}])


def failure(wire: str, status: int, raw: bytes, **headers: str) -> Any:
    return exchange.read_failure(Target(wire, "m"), status, headers, raw)


def every_error() -> list[GatehouseError]:
    kinds = [kind for kind in ERROR_CATALOGUE.values() if not issubclass(kind, UpstreamRefused)]
    return [UpstreamRefused("Why.", status=418), *(kind("Why.") for kind in kinds)]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_every_error_is_told_in_openais_shape(error: GatehouseError) -> None:
    rendered = exchange.render_error("openai_chat", error, "req-1")
    told = rendered.body["error"]
    assert set(told) == {"message", "type", "param", "code"}
    assert told["message"] == "Why. (request id: req-1)"
    assert told["type"] and told["code"]
    assert rendered.status == (418 if isinstance(error, UpstreamRefused) else error.status_code)


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_every_error_has_words_in_the_other_dialects(error: GatehouseError) -> None:
    told = anthropic_errors.render_error(error, "req-1").body
    assert (told["type"], told["request_id"]) == ("error", "req-1") and told["error"]["type"]
    told = gemini_errors.render_error(error, "req-1").body
    assert next(iter(told)) == "error" and told["error"]["status"].isupper()


def test_the_parameter_at_fault_is_named() -> None:
    rendered = exchange.render_error("openai_chat", InvalidBody("No.", param="messages[0]"), "r")
    assert (rendered.status, rendered.body["error"]["param"]) == (400, "messages[0]")
    assert rendered.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(("wait_s", "told"), [(0.2, "1"), (3, "3"), (3.2, "4"), (60, "60"), (3600, "60")])
def test_a_rate_limit_tells_how_long_to_wait_but_never_more_than_a_minute(wait_s: float, told: str) -> None:
    headers = exchange.render_error("openai_chat", RateLimited(retry_after_s=wait_s), "r").headers
    assert headers["retry-after"] == told
    assert headers["retry-after-ms"] == str(math.ceil(min(wait_s, 60) * 1000))
    assert "x-should-retry" not in headers


def test_a_used_up_budget_tells_not_to_try_again() -> None:
    error = BudgetExceeded(headers={"x-gatehouse-resets-at": "2026-12-01T00:00:00Z"})
    rendered = exchange.render_error("openai_chat", error, "r")
    assert rendered.headers == {"x-should-retry": "false", "x-gatehouse-resets-at": "2026-12-01T00:00:00Z"}
    assert (rendered.status, rendered.body["error"]["type"]) == (429, "insufficient_quota")
    assert rendered.body["error"]["code"] == "budget_exceeded"
    held = exchange.render_error("openai_chat", BudgetExceeded(retry_after_s=2), "r")
    assert held.headers == {"retry-after": "2", "retry-after-ms": "2000"}
    assert exchange.render_error("openai_chat", CallStopped(), "r").headers == {"x-should-retry": "false"}


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (529, 503, "server_error"),
        (503, 503, "server_error"),
        (500, 500, "server_error"),
        (429, 429, "rate_limit_error"),
        (404, 404, "invalid_request_error"),
    ],
)
def test_a_provider_s_refusal_keeps_its_status_and_words(status: int, told: int, kind: str) -> None:
    error = failure("anthropic", status, body_of("anthropic", "Sorry.", "some_error"))
    rendered = exchange.render_error("openai_chat", error, "r")
    assert (rendered.status, rendered.body["error"]["type"]) == (told, kind)
    assert rendered.body["error"]["message"] == "Sorry. (request id: r)"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("status", [400, 404, 405, 413, 422])
def test_the_caller_s_own_mistakes_are_not_retried(wire: str, status: int) -> None:
    error = failure(wire, status, body_of(wire, "Bad field.", "invalid_request_error", "unsupported_value"))
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.can_retry, error.detail) == (status, False, "Bad field.")
    assert error.upstream_type == "invalid_request_error"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_retried(wire: str, status: int) -> None:
    error = failure(wire, status, body_of(wire, "Later.", "x"), **{"Retry-After": "7"})
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.can_retry, error.retry_after_s) == (status, True, 7.0)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_the_gateway_s_matter(wire: str, status: int) -> None:
    error = failure(wire, status, body_of(wire, "Incorrect API key provided: sk-proj-abc123def456"))
    assert isinstance(error, CredentialRefused)
    rendered = exchange.render_error("openai_chat", error, "r")
    assert (rendered.status, rendered.headers) == (502, {"x-should-retry": "false"})
    assert "abc123" not in orjson.dumps(rendered.body).decode()


def test_gemini_calls_a_bad_key_a_bad_request() -> None:
    raw = body_of("gemini", "API key not valid.", "INVALID_ARGUMENT", details=[BAD_KEY])
    assert isinstance(failure("gemini", 400, raw), CredentialRefused)


def test_an_account_without_credit_is_the_gateway_s_matter() -> None:
    raw = body_of("anthropic", "Your credit balance is too low to access the API.", "invalid_request_error")
    assert isinstance(failure("anthropic", 400, raw), CredentialRefused)
    assert isinstance(failure("openai_chat", 402, b""), CredentialRefused)


def test_a_used_up_quota_of_the_provider_is_not_worth_the_caller_s_retry() -> None:
    error = failure(
        "openai_chat", 429, body_of("openai_chat", "Quota.", "insufficient_quota", "insufficient_quota")
    )
    rendered = exchange.render_error("openai_chat", error, "r")
    assert error.can_retry
    assert (rendered.headers, rendered.body["error"]["type"]) == (
        {"x-should-retry": "false"},
        "insufficient_quota",
    )


@pytest.mark.parametrize(
    ("wire", "message", "code"),
    [
        ("openai_chat", "This model's maximum context length is 128000 tokens.", None),
        ("openai_chat", "Too long.", "context_length_exceeded"),
        ("anthropic", "prompt is too long: 210000 tokens > 200000 maximum", None),
        ("gemini", "The input token count (1100000) exceeds the maximum number of tokens allowed.", None),
    ],
)
def test_a_context_that_is_too_long_has_one_code(wire: str, message: str, code: str | None) -> None:
    assert failure(wire, 400, body_of(wire, message, "x", code)).upstream_code == "context_length_exceeded"


def test_a_content_filter_has_one_code() -> None:
    for code in ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"):
        assert (
            failure("openai_chat", 400, body_of("openai_chat", "No.", "x", code)).upstream_code
            == "content_filter"
        )


def test_gemini_says_in_the_body_how_long_to_wait() -> None:
    assert failure("gemini", 429, body_of("gemini", "Slow down.", "X", details=[RETRY])).retry_after_s == 46.5


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after": "Tue, 24 Nov 2026 00:01:00 GMT", "date": "Tue, 24 Nov 2026 00:00:20 GMT"}, 40.0),
        ({"retry-after": "Tue, 24 Nov 2026 00:01:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_how_long_a_provider_asks_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    assert failure("openai_chat", 429, b"{}", **headers).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"error": "model is loading"}', "model is loading"),
        (b'{"message": "no such route"}', "no such route"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"upstream connect error", "upstream connect error"),
        (b"<html><body>502</body></html>", "The provider answered with status 502."),
        (b"", "The provider answered with status 502."),
        (b"\xff\xfe", "��"),
        (b"[]", "[]"),
    ],
)
def test_bodies_that_are_not_what_they_should_be(raw: bytes, told: str) -> None:
    assert failure("openai_chat", 502, raw).detail == told


def test_a_redirect_is_not_an_answer() -> None:
    assert isinstance(failure("openai_chat", 302, b""), UpstreamInvalid)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-AbC_123-xyz",
        "sk-ant-api03-abcdef",
        "sk-ab***********wxyz",
        "AIzaSyA1234567890abcdefghij",
        "Bearer eyJhbGciOi.x.y",
        "https://x.test/v1?key=hunter2secret&alt=sse",
        "x-api-key: hunter2secret",
        '{"api-key": "hunter2secret"}',
        "api_key=hunter2secret",
    ],
)
def test_no_error_text_carries_a_credential(secret: str) -> None:
    shown = without_secrets(f"Refused ({secret}), sorry")
    assert "[hidden]" in shown and shown.endswith("sorry")
    for part in ("AbC_123", "abcdef", "wxyz", "SyA12", "eyJ", "hunter2"):
        assert part not in shown
    for wire in WIRES:
        raw = body_of(wire, secret, secret, secret)
        error = failure(wire, 400, raw)
        rendered = exchange.render_error("openai_chat", error, "r")
        assert not any(
            p in orjson.dumps(rendered.body).decode() for p in ("AbC_123", "hunter2", "wxyz", "eyJ")
        )


def test_ordinary_words_are_left_alone() -> None:
    text = "The task-force key was missing: use max_tokens, not monkey business; ask-me-anything"
    assert without_secrets(text) == text
    assert len(without_secrets("x" * 5000)) <= 1001


def test_the_registry_names_every_format_by_its_own_name() -> None:
    assert all(name == known.name for name, known in registry.INBOUND.items())
    assert all(name == known.name for name, known in registry.UPSTREAM.items())
    assert (anthropic.NAME, gemini.NAME) == ("anthropic", "gemini")
    for name in registry.INBOUND:
        assert exchange.keep_alive(name) and exchange.stream_content_type(name, CallFacts("m"))
