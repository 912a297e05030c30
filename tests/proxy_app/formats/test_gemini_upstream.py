"""Gemini as a provider: what only its requests, answers and errors have."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import (
    BudgetExceeded,
    CredentialRefused,
    GatehouseError,
    InvalidBody,
    InvalidKey,
    Overloaded,
    RateLimited,
    UnsupportedContent,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
)
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.gemini.response import parse_answer, render_answer
from proxy_app.formats.gemini.usage import read_usage, render_usage
from proxy_app.wire import (
    NOWHERE,
    Answer,
    Citation,
    Finish,
    Refusal,
    Target,
    Text,
    Thinking,
    ToolCall,
    Usage,
)

OPTIONS = RenderOptions("public-model", "resp-ours", 1)
WEB = {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}}


def build(model: str = "gemini-3-pro", quirks: Any = None, **body: Any) -> Any:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body}
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    return orjson.loads(
        exchange.build_outgoing("openai_chat", Target("gemini", model, quirks or {}), b"", body, facts).body
    )


def shown(part: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("model", "quirks", "is_taken"),
    [
        ("gemini-3-pro", {}, True),
        ("models/gemini-2.5-flash", {}, True),
        ("gemini-2.0-flash", {}, False),
        ("gemini-1.5-pro", {}, False),
        ("gemma-4", {}, False),
        ("gemma-4", {"web_media": True}, True),
        ("gemini-3-pro", {"web_media": False}, False),
    ],
)
def test_media_by_address_goes_to_models_that_fetch_it_themselves(
    model: str, quirks: dict[str, Any], is_taken: bool
) -> None:
    """The gateway fetches nothing: an address in a body must not make it call anywhere."""
    if is_taken:
        (part,) = build(model, quirks, **shown(WEB))["contents"][0]["parts"]
        assert part == {"fileData": {"fileUri": "https://example.com/a.jpg", "mimeType": "image/jpeg"}}
        return
    with pytest.raises(UnsupportedContent) as caught:
        build(model, quirks, **shown(WEB))
    assert caught.value.param == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("http://example.com/a.jpg", False),
        ("https://generativelanguage.googleapis.com/v1beta/files/x", True),
        ("https://www.youtube.com/watch?v=x", True),
        ("https://generativelanguage.googleapis.com.evil.test/a", False),
    ],
)
def test_the_provider_s_own_addresses_go_to_every_model(url: str, is_taken: bool) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    if is_taken:
        assert (
            build("gemini-2.0-flash", **shown(part))["contents"][0]["parts"][0]["fileData"]["fileUri"] == url
        )
    else:
        with pytest.raises(UnsupportedContent):
            build("gemini-2.0-flash", **shown(part))


@pytest.mark.parametrize(
    ("tier", "told"), [("flex", "flex"), ("priority", "priority"), ("default", "standard"), ("auto", None)]
)
def test_service_tiers(tier: str, told: str | None) -> None:
    assert build(service_tier=tier).get("serviceTier") == told


def test_a_signature_goes_back_to_gemini_and_no_other_thought_does() -> None:
    blocks = [
        {"type": "thinking", "thinking": "claude's", "signature": "s1"},
        {"type": "thinking", "thinking": "", "signature": "gatehouse.gemini.c2ln"},
        {"type": "thinking", "thinking": "hm", "signature": "gatehouse.gemini.b3du"},
    ]
    said = {"role": "assistant", "content": "42", "thinking_blocks": blocks}
    user = {"role": "user", "content": "Hi"}
    parts = build(messages=[user, said, user])["contents"][1]["parts"]
    assert parts == [
        {"text": "", "thoughtSignature": "c2ln"},
        {"text": "hm", "thought": True, "thoughtSignature": "b3du"},
        {"text": "42"},
    ]


def candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    one = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", **more}
    return {"candidates": [one], "responseId": "r", "modelVersion": "m"}


def test_signatures_of_every_part_are_kept() -> None:
    answer = parse_answer(
        candidate(
            {"text": "hm", "thought": True, "thoughtSignature": "YQ=="},
            {"text": "42", "thoughtSignature": "Yg=="},
            {"text": "", "thoughtSignature": "Yw=="},
            {"functionCall": {"name": "f"}, "thoughtSignature": "ZA=="},
        )
    )
    assert answer.parts == [
        Thinking("hm", "YQ==", provider="gemini"),
        Text("42"),
        Thinking("", "Yg==", provider="gemini"),
        Thinking("", "Yw==", provider="gemini"),
        ToolCall("call_r_0", "f", "{}", "ZA=="),
    ]


def test_an_answer_that_is_to_be_continued_is_a_pause() -> None:
    answer = parse_answer(candidate({"text": "a"}, finishReason="CONTINUATION", continuationToken="eA=="))
    assert answer.finish is Finish.PAUSE


def test_citations_of_an_answer_count_its_characters_in_bytes() -> None:
    cited = Citation("https://x.test", "X", start=1, end=3)
    rendered = render_answer(
        Answer("r", "m", [Text("né"), Text("e!", citations=[cited])], Finish.STOP), OPTIONS
    )
    source = {"startIndex": 1, "endIndex": 4, "uri": "https://x.test", "title": "X"}
    assert rendered["candidates"][0]["citationMetadata"] == {"citationSources": [source]}
    (text, last) = parse_answer(rendered).parts
    assert isinstance(last, Text) and last.citations == [cited] and text == Text("né")


def test_a_filtered_prompt_and_a_refusal_are_told_apart() -> None:
    blocked = render_answer(Answer("", "m", [], Finish.CONTENT_FILTER, Usage(5)), OPTIONS)
    assert blocked["promptFeedback"] == {"blockReason": "SAFETY"} and "candidates" not in blocked
    assert blocked["responseId"] == "resp-ours"
    cut = render_answer(Answer("", "m", [], Finish.CONTENT_FILTER, Usage(5, output_tokens=7)), OPTIONS)
    assert cut["candidates"][0]["finishReason"] == "SAFETY"
    refused = render_answer(Answer("", "m", [Refusal("No.")], Finish.STOP), OPTIONS)["candidates"][0]
    assert (refused["finishReason"], refused["finishMessage"]) == ("SAFETY", "No.")
    assert refused["content"]["parts"] == [{"text": "No."}]


def test_usage_in_detail() -> None:
    usage = Usage(
        100, 60, output_tokens=40, reasoning_tokens=10, input_audio_tokens=30, output_audio_tokens=5
    )
    rendered = render_usage(usage)
    assert rendered == {
        "promptTokenCount": 100,
        "candidatesTokenCount": 30,
        "totalTokenCount": 140,
        "thoughtsTokenCount": 10,
        "cachedContentTokenCount": 60,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 70},
            {"modality": "AUDIO", "tokenCount": 30},
        ],
        "candidatesTokensDetails": [
            {"modality": "TEXT", "tokenCount": 25},
            {"modality": "AUDIO", "tokenCount": 5},
        ],
    }
    assert read_usage(rendered) == usage


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (InvalidBody("x", param="contents[0]"), 400, "INVALID_ARGUMENT"),
        (InvalidKey(), 401, "UNAUTHENTICATED"),
        (RateLimited(retry_after_s=2.5), 429, "RESOURCE_EXHAUSTED"),
        (BudgetExceeded(), 429, "RESOURCE_EXHAUSTED"),
        (Overloaded(retry_after_s=1), 503, "UNAVAILABLE"),
        (UpstreamTimeout(), 504, "DEADLINE_EXCEEDED"),
        (CredentialRefused(), 502, "INTERNAL"),
        (UpstreamRefused("x", status=529), 503, "UNAVAILABLE"),
        (UpstreamRefused("x", status=501), 501, "UNIMPLEMENTED"),
        (UpstreamRefused("x", status=412), 412, "FAILED_PRECONDITION"),
        (UpstreamRefused("x", status=413), 413, "INVALID_ARGUMENT"),
    ],
)
def test_errors_in_google_s_words(error: GatehouseError, status: int, word: str) -> None:
    rendered = exchange.render_error("gemini", error, "req-1")
    told = rendered.body["error"]
    assert list(rendered.body) == ["error"]
    assert (rendered.status, told["code"], told["status"]) == (status, status, word)
    info, *more = told["details"]
    assert (info["reason"], info["domain"]) == (error.code, "gatehouse")
    kinds = [detail["@type"].rpartition(".")[2] for detail in more]
    assert ("RetryInfo" in kinds) == (error.retry_after_s is not None)
    if error.param:
        assert more[-1]["fieldViolations"] == [{"field": "contents[0]", "description": "x"}]


def test_a_wait_is_never_more_than_a_minute_in_the_body_either() -> None:
    told = exchange.render_error("gemini", RateLimited(retry_after_s=3600), "r").body["error"]
    assert told["details"][1]["retryDelay"] == "60s"


def complaint(status: int, *details: Any, message: str = "No.") -> Any:
    body = {"error": {"code": status, "message": message, "status": "X", "details": list(details)}}
    return exchange.read_failure(Target("gemini", "m"), status, {}, orjson.dumps(body))


@pytest.mark.parametrize("reason", ["API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_HTTP_REFERRER_BLOCKED"])
def test_a_bad_key_is_the_gateway_s_matter_whatever_the_status(reason: str) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    assert isinstance(complaint(400, info), CredentialRefused)
    # another detail after it takes nothing back
    other = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SOMETHING"}
    assert isinstance(complaint(400, info, other), CredentialRefused)


@pytest.mark.parametrize(
    ("delay", "wait_s"), [("46s", 46.0), ("1.5s", 1.5), ("0s", 0.0), ("-1s", None), ("soon", None), (7, None)]
)
def test_the_wait_a_provider_asks_for(delay: Any, wait_s: float | None) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    assert complaint(429, info).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("error", "status"),
    [({"code": 503}, 503), ({"code": "429"}, 429), ({"status": "UNAVAILABLE"}, 503), ("x", 502)],
)
def test_an_error_in_band_has_its_status(error: Any, status: int) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        parse_answer({"error": error})
    assert caught.value.status == status


def test_an_answer_of_other_kinds_is_refused() -> None:
    with pytest.raises(UpstreamInvalid, match="executableCode"):
        parse_answer(candidate({"executableCode": {"code": "1"}, "thoughtSignature": "YQ=="}))
