"""What each provider says when it refuses, in the shapes its documentation shows, and what we make of it."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import CredentialRefused, UpstreamFailed, UpstreamRefused
from proxy_app.formats import exchange
from proxy_app.providers.presets import PRESETS
from proxy_app.wire import Target


def told(kind: str, status: int, body: Any, **headers: str) -> UpstreamFailed:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange.read_failure(Target(PRESETS[kind].format, "m"), status, named, raw)


def openai(message: str, kind: Any = None, code: Any = None, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


FILTERED = openai(
    "The response was filtered due to the prompt triggering the content management policy.",
    code="content_filter",
    status=400,
    innererror={
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"hate": {"filtered": True}},
    },
)
FLAGGED = {
    "code": 403,
    "message": "Your input was flagged",
    "metadata": {"reasons": ["violence"], "flagged_input": "…", "provider_name": "OpenAI"},
}
CREDENTIALS = [
    (
        "openai",
        401,
        openai("Incorrect API key provided: sk-abc***.", "invalid_request_error", "invalid_api_key"),
    ),
    ("openai", 403, openai("Project does not have access to the model", "invalid_request_error")),
    (
        "azure",
        401,
        {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid or expired."},
    ),
    ("azure", 403, openai("Access denied due to Virtual Network/Firewall rules.", code="AccessDenied")),
    (
        "anthropic",
        401,
        {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}},
    ),
    (
        "anthropic",
        400,
        {"type": "error", "error": {"type": "x", "message": "Your credit balance is too low to…"}},
    ),
    (
        "gemini",
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
        ),
    ),
    (
        "vertex_gemini",
        403,
        [google(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied")],
    ),
    (
        "vertex_claude",
        401,
        [google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")],
    ),
    ("mistral", 401, {"detail": "Unauthorized"}),
    ("groq", 401, openai("Invalid API Key", "invalid_request_error", "invalid_api_key")),
    ("deepseek", 402, openai("Insufficient Balance", "unknown_error", "invalid_request_error")),
    (
        "xai",
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***."},
    ),
    ("openrouter", 402, {"error": {"code": 402, "message": "Insufficient credits. Add more."}}),
    ("perplexity", 401, b"<html><head><title>401 Authorization Required</title></head></html>"),
    ("nvidia_nim", 402, {"status": 402, "title": "Payment Required", "detail": "Cloud credits expired"}),
    ("cohere", 401, {"message": "invalid api token"}),
    (
        "fireworks",
        401,
        {"error": {"object": "error", "type": "unauthorized", "message": "The API key is invalid"}},
    ),
    ("bedrock", 403, {"message": "The security token included in the request is expired"}),
    ("bedrock_claude", 403, {"Message": "User is not authorized to perform: bedrock:InvokeModel"}),
    ("litellm", 401, openai("Authentication Error, Invalid proxy server token passed", "auth_error", "401")),
    (
        "litellm",
        400,
        openai("Budget has been exceeded! Current cost: 2, Max budget: 1", "budget_exceeded", "400"),
    ),
]


@pytest.mark.parametrize(("kind", "status", "body"), CREDENTIALS)
def test_what_a_provider_thinks_of_our_credential_is_never_the_caller_s(
    kind: str, status: int, body: Any
) -> None:
    assert isinstance(told(kind, status, body), CredentialRefused)


CONTEXTS = [
    (
        "openai",
        400,
        openai("This model's maximum context length is 128000 tokens.", "x", "context_length_exceeded"),
    ),
    (
        "azure",
        400,
        openai("This model's maximum context length is 8192 tokens.", None, "context_length_exceeded"),
    ),
    (
        "anthropic",
        400,
        {"error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens"}},
    ),
    ("gemini", 400, google(400, "INVALID_ARGUMENT", "The input token count (2) exceeds the maximum (1).")),
    ("bedrock", 400, {"message": "Input is too long for requested model."}),
    ("bedrock_claude", 400, {"message": "Input is too long for requested model."}),
    (
        "vllm",
        400,
        openai("This model's maximum context length is 4096 tokens. However…", "BadRequestError", 400),
    ),
    ("vllm", 400, {"object": "error", "message": "maximum context length is 4096", "type": "x", "code": 400}),
    (
        "llama_cpp",
        400,
        {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "x"}},
    ),
    ("lm_studio", 400, {"error": "The model is loaded with context length of only 4096 tokens"}),
    (
        "tgi",
        422,
        {
            "error": "Input: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
            "error_type": "validation",
        },
    ),
    (
        "tgi",
        422,
        {"error": "Input validation error: `inputs` must have less than 1024 tokens.", "error_type": "x"},
    ),
    (
        "mistral",
        400,
        {"object": "error", "message": "Prompt contains 40000 tokens, too many tokens", "type": "x"},
    ),
    ("together", 422, openai("Input exceeds the context window of this model", "invalid_request_error")),
]


@pytest.mark.parametrize(("kind", "status", "body"), CONTEXTS)
def test_a_full_context_window_is_known_by_any_words(kind: str, status: int, body: Any) -> None:
    refused = told(kind, status, body)
    assert isinstance(refused, UpstreamRefused)
    assert (refused.upstream_code, refused.can_retry) == ("context_length_exceeded", False)


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("azure", 400, FILTERED),
        ("azure", 400, openai("Blocked.", None, None, innererror={"code": "ResponsibleAIPolicyViolation"})),
        ("openai", 400, openai("Rejected by our safety system.", "x", "content_policy_violation")),
        ("openrouter", 403, {"error": FLAGGED}),
    ],
)
def test_a_content_filter_is_known_whatever_its_status(kind: str, status: int, body: Any) -> None:
    refused = told(kind, status, body)
    assert isinstance(refused, UpstreamRefused)
    assert (refused.status, refused.upstream_code, refused.can_retry) == (400, "content_filter", False)


LATER = [
    (
        "openai",
        429,
        openai("Rate limit reached", "tokens", "rate_limit_exceeded"),
        {"retry_after_ms": "1500"},
        1.5,
    ),
    ("azure", 429, openai("Please retry after 7 seconds.", None, "429"), {"retry_after": "7"}, 7),
    ("anthropic", 529, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, {}, None),
    (
        "gemini",
        429,
        google(
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota.",
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"},
        ),
        {},
        34.07,
    ),
    (
        "vertex_claude",
        429,
        [google(429, "RESOURCE_EXHAUSTED", "Resource exhausted.")],
        {"retry_after": "5"},
        5,
    ),
    (
        "mistral",
        429,
        {"object": "error", "message": "Service tier capacity exceeded", "code": "3505"},
        {},
        None,
    ),
    (
        "groq",
        429,
        openai("Limit 6000, try again in 2s", "tokens", "rate_limit_exceeded"),
        {"retry_after": "2"},
        2,
    ),
    ("cerebras", 429, {"message": "Too many", "type": "too_many_requests_error", "code": "x"}, {}, None),
    ("openrouter", 502, {"error": {"code": 502, "message": "Provider returned error"}}, {}, None),
    ("together", 503, openai("The server is overloaded", "server_error"), {}, None),
    ("cohere", 429, {"message": "You are past the per minute request limit"}, {}, None),
    (
        "bedrock",
        429,
        {"message": "Too many requests"},
        {"x_amzn_errortype": "ThrottlingException:http://x"},
        None,
    ),
    ("bedrock_claude", 424, {"message": "The model failed"}, {}, None),
    (
        "llama_cpp",
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        {},
        None,
    ),
    ("tgi", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, {}, None),
    ("openai", 400, openai("Could not finish", "server_error"), {"x_should_retry": "true"}, None),
    ("vllm", 502, b"<html><body>502 Bad Gateway</body></html>", {}, None),
]


@pytest.mark.parametrize(("kind", "status", "body", "headers", "wait_s"), LATER)
def test_what_may_pass_elsewhere_is_tried_elsewhere(
    kind: str, status: int, body: Any, headers: dict[str, str], wait_s: float | None
) -> None:
    refused = told(kind, status, body, **headers)
    assert isinstance(refused, UpstreamRefused)
    assert (refused.can_retry, refused.retry_after_s) == (True, wait_s)
    assert refused.detail and "<html" not in refused.detail


WORDS = [
    (
        "mistral",
        {"object": "error", "message": {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs"}]}},
        "x: Extra",
    ),
    (
        "vllm",
        {"detail": [{"loc": ["body", "n"], "msg": "Field required"}, {"msg": "And more"}]},
        "n: Field required; A",
    ),
    ("nvidia_nim", {"type": "about:blank", "title": "Not Found", "status": 404}, "Not Found"),
    ("ollama", {"error": "model 'x' not found"}, "model 'x' not found"),
    (
        "xai",
        {"code": "Some requested entity was not found", "error": "The model x does not exist"},
        "The model x",
    ),
    ("azure", openai("The API deployment does not exist.", None, "DeploymentNotFound"), "The API deployment"),
    ("gemini", [google(404, "NOT_FOUND", "models/x is not found")], "models/x"),
    ("gemini", [google(404, "NOT_FOUND", "first"), google(404, "NOT_FOUND", "second")], "first"),
    ("bedrock", {"message": "The provided model identifier is invalid."}, "The provided model"),
    ("cohere", b"plain words", "plain words"),
    ("openai", b"<!DOCTYPE html><html>nginx</html>", "The provider answered with status 404."),
    ("openai", b"[1, 2]", "[1, 2]"),
]


@pytest.mark.parametrize(("kind", "body", "words"), WORDS)
def test_the_provider_s_words_reach_the_caller(kind: str, body: Any, words: str) -> None:
    refused = told(kind, 404, body)
    assert isinstance(refused, UpstreamRefused) and not refused.can_retry
    assert refused.detail.startswith(words)


@pytest.mark.parametrize(
    "words",
    [
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error",
        'Failed to parse tools: Unsupported tool type: {"type":"x"}; tools = []',
    ],
)
def test_a_callers_mistake_that_llama_cpp_takes_for_its_own_is_the_callers(words: str) -> None:
    refused = told("llama_cpp", 500, openai(words, "server_error", 500))
    assert isinstance(refused, UpstreamRefused)
    assert (refused.status, refused.upstream_type, refused.can_retry) == (400, "invalid_request_error", False)
    assert told("llama_cpp", 500, openai("Compute error.", "server_error", 500)).retryable


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("openai", "Invalid schema for function 'get_billing_address': 'x' is not of type 'object'."),
        (
            "anthropic",
            "tools.0.custom.name: 'change billing plan' should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        ),
        ("gemini", "Invalid value at 'tools[0].function_declarations[0].name' (billing-report)"),
    ],
)
def test_a_callers_tool_about_billing_is_no_want_of_credit(kind: str, words: str) -> None:
    error = told(kind, 400, {"type": "error", "error": {"type": "invalid_request_error", "message": words}})
    assert isinstance(error, UpstreamRefused) and error.status == 400 and words[:20] in error.detail


@pytest.mark.parametrize(
    "words",
    [
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
        "Billing hard limit has been reached.",
        "This API method requires billing to be enabled. Please enable billing on project #1.",
        "Your account is not active, please check your billing details on our website.",
        "User location is not supported for the API use without a billing account linked.",
    ],
)
def test_a_want_of_credit_is_the_accounts_in_any_words(words: str) -> None:
    error = told("openai", 400, openai(words, "invalid_request_error"))
    assert isinstance(error, CredentialRefused) and "no credit left" in error.detail


def test_odd_and_endless_words_are_no_trouble() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = {"detail": deep}
    for body in (
        {"detail": deep},
        {"message": {"loc": 5, "msg": "y"}},
        {"detail": [[[["z"]]], {"loc": [1]}]},
    ):
        assert isinstance(told("mistral", 422, body), UpstreamRefused)
