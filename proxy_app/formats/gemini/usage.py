"""Tokens as Gemini counts them: cached input inside the prompt, thoughts beside the candidates."""

from typing import Any

from proxy_app.formats.reading import as_count, as_list, as_object, as_text, total
from proxy_app.wire import JSON, Finish, Usage

#: finishReason -> ours. Reasons not listed mean that the model failed: see `is_failure`.
FINISHES = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "SAFETY": Finish.CONTENT_FILTER,
    "RECITATION": Finish.CONTENT_FILTER,
    "BLOCKLIST": Finish.CONTENT_FILTER,
    "PROHIBITED_CONTENT": Finish.CONTENT_FILTER,
    "SPII": Finish.CONTENT_FILTER,
    "IMAGE_SAFETY": Finish.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": Finish.CONTENT_FILTER,
    "IMAGE_RECITATION": Finish.CONTENT_FILTER,
    "MODEL_ARMOR": Finish.CONTENT_FILTER,
    "CONTINUATION": Finish.PAUSE,
}
#: ours -> finishReason. There is no reason for tool calls: they end with STOP.
FINISH_WORDS = {
    Finish.STOP: "STOP",
    Finish.STOP_SEQUENCE: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.TOOL_CALLS: "STOP",
    Finish.CONTENT_FILTER: "SAFETY",
    Finish.PAUSE: "STOP",
}
_FAILURES = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "LANGUAGE",
        "OTHER",
        "NO_IMAGE",
        "IMAGE_OTHER",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",  # the account has been limited meanwhile
    }
)


def is_failure(reason: str) -> bool:
    """The model broke off: no answer a caller can use."""
    return reason in _FAILURES


def read_usage(value: Any) -> Usage | None:
    """Our usage from `usageMetadata`: tool prompts belong to the input, thoughts to the output."""
    if not isinstance(value, dict):
        return None
    thoughts = as_count(value.get("thoughtsTokenCount"))
    into = total(as_count(value.get("promptTokenCount")), as_count(value.get("toolUsePromptTokenCount")))
    out = total(as_count(value.get("candidatesTokenCount")), thoughts)
    if into is None and out is None:
        return None
    return Usage(
        input_tokens=into,
        cache_read_tokens=as_count(value.get("cachedContentTokenCount")),
        output_tokens=out,
        reasoning_tokens=thoughts,
        input_audio_tokens=_audio(value.get("promptTokensDetails")),
        output_audio_tokens=_audio(value.get("candidatesTokensDetails")),
    )


def read_tier(usage: Any) -> str | None:
    """The tier that `usageMetadata` tells, in OpenAI's words; None where it tells none."""
    told = as_object(usage)
    traffic = as_text(told.get("trafficType")).removeprefix("ON_DEMAND")
    word = as_text(told.get("serviceTier")) or traffic.removeprefix("_")
    return {"standard": "default"}.get(word.lower(), word.lower()) or None


def searched(grounding: Any, model: str) -> int:
    """Google's searches that are billed: each query of an answer, or the answer once before Gemini 3."""
    queries = len(as_list(as_object(grounding).get("webSearchQueries")))
    return min(queries, 1) if model.startswith(("gemini-1", "gemini-2")) else queries


def _audio(details: Any) -> int | None:
    counts = [
        as_count(detail.get("tokenCount"))
        for detail in map(as_object, as_list(details))
        if detail.get("modality") == "AUDIO"
    ]
    return total(*counts)


def render_usage(usage: Usage) -> JSON:
    """A `usageMetadata`; optional counts stand only when there are any."""
    into, out, thoughts = usage.input_tokens or 0, usage.output_tokens or 0, usage.reasoning_tokens or 0
    rendered: JSON = {
        "promptTokenCount": into,
        "candidatesTokenCount": max(out - thoughts, 0),
        "totalTokenCount": into + max(out, thoughts),
    }
    if thoughts:
        rendered["thoughtsTokenCount"] = thoughts
    if usage.cache_read_tokens:
        rendered["cachedContentTokenCount"] = usage.cache_read_tokens
    if usage.input_audio_tokens:
        rendered["promptTokensDetails"] = _details(into, usage.input_audio_tokens)
    if usage.output_audio_tokens:
        rendered["candidatesTokensDetails"] = _details(max(out - thoughts, 0), usage.output_audio_tokens)
    return rendered


def _details(tokens: int, audio: int) -> list[JSON]:
    rest = {"modality": "TEXT", "tokenCount": max(tokens - audio, 0)}
    return [rest, {"modality": "AUDIO", "tokenCount": audio}]
