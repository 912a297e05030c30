"""Tokens as Anthropic counts them: cache reads and writes beside the input, thinking inside the output; and
the searches of its own tool, which cost beside the tokens."""

from proxy_app.formats.reading import as_count, as_list, as_object, as_text, searches, total
from proxy_app.wire import JSON, Finish, Usage

#: stop_reason -> ours. A word not listed counts as a natural end.
FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "refusal": Finish.CONTENT_FILTER,
    "pause_turn": Finish.PAUSE,
}
#: ours -> stop_reason. Every member of Finish has its word.
FINISH_WORDS = {
    Finish.STOP: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL_CALLS: "tool_use",
    Finish.CONTENT_FILTER: "refusal",
    Finish.PAUSE: "pause_turn",
}
#: What a `message_delta` tells of it.
OF_DELTA = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)


def read_usage(value: object) -> Usage | None:
    """Our usage from a `usage` object (in a stream: from all of them, laid over one another).

    What shortened the conversation on the way (`iterations` of the type `compaction`) is billed at the same
    rates, and is no part of the figures at the top; an advisor is another model, whose tokens are counted.
    Where a model declined and another answered (`fallback_message`), the figures at the top are the other's.
    """
    if not isinstance(value, dict):
        return None
    usage = _counts(value)
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    usage.reasoning_tokens = as_count(as_object(value.get("output_tokens_details")).get("thinking_tokens"))
    usage.geography = as_text(value.get("inference_geo"))
    usage.units = searches(as_object(value.get("server_tool_use")).get("web_search_requests"))
    for iteration in map(as_object, as_list(value.get("iterations"))):
        match as_text(iteration.get("type")):
            case "compaction":
                _add(usage, _counts(iteration))
            case "advisor_message":
                told = _counts(iteration)
                count = (told.input_tokens or 0) + (told.output_tokens or 0)
                usage.units["advisor_tokens"] = usage.units.get("advisor_tokens", 0) + count
            case "fallback_message":
                usage.answered_by = as_text(iteration.get("model"))
    if usage.answered_by and (declined := _declined(value, usage.answered_by)):
        usage.units["declined_tokens"] = declined
    return usage


def _declined(value: JSON, answered_by: str) -> int:
    """Tokens of other models that had begun to answer when they declined: billed at their own rates. What is
    declined before any output is not billed (platform.claude.com, "Refusals and fallback")."""
    tokens = 0
    for iteration in map(as_object, as_list(value.get("iterations"))):
        model = as_text(iteration.get("model"))
        if iteration.get("type") == "message" and model and model != answered_by:
            told = _counts(iteration)
            tokens += (told.input_tokens or 0) + told.output_tokens if told.output_tokens else 0
    return tokens


def _counts(told: JSON) -> Usage:
    """The figures that a message and an iteration of it tell alike."""
    read = as_count(told.get("cache_read_input_tokens"))
    write = as_count(told.get("cache_creation_input_tokens"))
    by_life = as_object(told.get("cache_creation"))
    write_1h = as_count(by_life.get("ephemeral_1h_input_tokens"))
    if write is None:
        write = total(as_count(by_life.get("ephemeral_5m_input_tokens")), write_1h)
    return Usage(
        input_tokens=total(as_count(told.get("input_tokens")), read, write),
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
        output_tokens=as_count(told.get("output_tokens")),
    )


def _add(usage: Usage, more: Usage) -> None:
    usage.input_tokens = total(usage.input_tokens, more.input_tokens)
    usage.cache_read_tokens = total(usage.cache_read_tokens, more.cache_read_tokens)
    usage.cache_write_tokens = total(usage.cache_write_tokens, more.cache_write_tokens)
    usage.cache_write_1h_tokens = total(usage.cache_write_1h_tokens, more.cache_write_1h_tokens)
    usage.output_tokens = total(usage.output_tokens, more.output_tokens)


def render_usage(usage: Usage | None) -> JSON:
    """A `usage` object; what was not told is 0, since the format's counts are never null."""
    usage = usage or Usage()
    read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    write_1h = usage.cache_write_1h_tokens or 0
    thought = usage.reasoning_tokens
    return {
        "input_tokens": max((usage.input_tokens or 0) - read - write, 0),
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": max(write - write_1h, 0),
            "ephemeral_1h_input_tokens": write_1h,
        },
        "output_tokens": usage.output_tokens or 0,
        "output_tokens_details": None if thought is None else {"thinking_tokens": thought},
        "server_tool_use": None,
        "service_tier": None,
        "inference_geo": None,
    }


def render_last_usage(usage: Usage) -> JSON:
    """The cumulative usage of a `message_delta`, which has fewer fields."""
    rendered = render_usage(usage)
    return {name: rendered[name] for name in OF_DELTA}
