"""Tokens as Chat Completions counts them: cached input inside the input, reasoning inside the output."""

from typing import Any

from proxy_app.formats.reading import as_count, as_object, searches
from proxy_app.wire import JSON, Finish, Usage

#: ours -> finish_reason. Every member of Finish has its word.
FINISH_WORDS = {
    Finish.STOP: "stop",
    Finish.STOP_SEQUENCE: "stop",
    Finish.LENGTH: "length",
    Finish.TOOL_CALLS: "tool_calls",
    Finish.CONTENT_FILTER: "content_filter",
    Finish.PAUSE: "stop",
}


def read_usage(value: Any) -> Usage | None:
    """Our usage from a `usage` object; None when there is none.

    xAI counts reasoning beside the output: told by a total that is larger by just that much.
    DeepSeek names its cache hits `prompt_cache_hit_tokens`; Perplexity counts its `num_search_queries`, and
    Mistral the `prompt_audio_seconds` that it heard, which cost beside the tokens.
    """
    if not isinstance(value, dict):
        return None
    into, out = (
        as_object(value.get("prompt_tokens_details")),
        as_object(value.get("completion_tokens_details")),
    )
    cached = as_count(into.get("cached_tokens"))
    usage = Usage(
        input_tokens=as_count(value.get("prompt_tokens")),
        cache_read_tokens=as_count(value.get("prompt_cache_hit_tokens")) if cached is None else cached,
        cache_write_tokens=as_count(into.get("cache_write_tokens")),
        output_tokens=as_count(value.get("completion_tokens")),
        reasoning_tokens=as_count(out.get("reasoning_tokens")),
        input_audio_tokens=as_count(into.get("audio_tokens")),
        output_audio_tokens=as_count(out.get("audio_tokens")),
        units=searches(value.get("num_search_queries")),
    )
    if heard := value.get("prompt_audio_seconds"):
        usage.units |= {"audio_ms": count} if (count := as_count(_thousandfold(heard))) else {}
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    told = as_count(value.get("total_tokens"))
    known = (usage.input_tokens or 0) + (usage.output_tokens or 0)
    if usage.reasoning_tokens and told == known + usage.reasoning_tokens:
        usage.output_tokens = (usage.output_tokens or 0) + usage.reasoning_tokens
    return usage


def _thousandfold(told: Any) -> Any:
    return told * 1000 if isinstance(told, int | float) and not isinstance(told, bool) else None


def render_usage(usage: Usage) -> JSON:
    """The `usage` object of an answer. A count that was not told is 0: the format knows no null."""
    into, out = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": into,
        "completion_tokens": out,
        "total_tokens": into + out,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
            "audio_tokens": usage.input_audio_tokens or 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens or 0,
            "audio_tokens": usage.output_audio_tokens or 0,
        },
    }
