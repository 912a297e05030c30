"""Tokens and endings as Responses tells them: cached input inside the input, reasoning inside the output."""

from collections import Counter
from typing import Any

from proxy_app.formats.reading import as_count, as_list, as_object, as_text, searches
from proxy_app.wire import JSON, Finish, Usage

#: incomplete_details.reason -> ours. A reason not listed is an answer that ran out of room.
_REASONS = {"max_output_tokens": Finish.LENGTH, "content_filter": Finish.CONTENT_FILTER}
#: ours -> incomplete_details.reason; the others are complete. PAUSE has no word here.
_REASON_WORDS = {Finish.LENGTH: "max_output_tokens", Finish.CONTENT_FILTER: "content_filter"}


def read_usage(value: Any) -> Usage | None:
    """Our usage from a `usage` object; None when there is none."""
    if not isinstance(value, dict):
        return None
    into, out = as_object(value.get("input_tokens_details")), as_object(value.get("output_tokens_details"))
    usage = Usage(
        input_tokens=as_count(value.get("input_tokens")),
        cache_read_tokens=as_count(into.get("cached_tokens")),
        cache_write_tokens=as_count(into.get("cache_write_tokens")),
        output_tokens=as_count(value.get("output_tokens")),
        reasoning_tokens=as_count(out.get("reasoning_tokens")),
        input_audio_tokens=as_count(into.get("audio_tokens")),
        output_audio_tokens=as_count(out.get("audio_tokens")),
    )
    return None if usage.input_tokens is None and usage.output_tokens is None else usage


def usage_of(response: JSON) -> Usage | None:
    """Our usage of a `response` object, with its provider's own tools, which cost beside the tokens."""
    usage = read_usage(response.get("usage"))
    if usage is not None:
        usage.units = _hosted(response)
    return usage


def _hosted(response: JSON) -> dict[str, int]:
    """Searches of the web as the provider counts them, else by their calls; searches of files by their calls;
    containers that ran code; images that were made."""
    calls = [each for each in as_list(response.get("output")) if isinstance(each, dict)]
    kinds = Counter(as_text(call.get("type")) for call in calls)
    told = response.get("tool_usage")
    found = kinds["web_search_call"] - sum(map(_only_opens, calls))
    if isinstance(told, dict):
        found = as_count(as_object(told.get("web_search")).get("num_requests")) or 0
    elif made := as_object(as_object(response.get("usage")).get("tool_calls_details")).get("search_web"):
        found = as_count(as_object(made).get("invocation")) or 0  # Perplexity's
    units = searches(found)
    if count := kinds["file_search_call"]:
        units["file_searches"] = count
    if ran := {as_text(call.get("container_id")) for call in calls if _is_of(call, "code_interpreter_call")}:
        units["code_sessions"] = len(ran)
    for call in calls:
        if _is_of(call, "image_generation_call") and call.get("status") in (None, "completed"):
            kind = f"images:{as_text(call.get('quality'))}:{as_text(call.get('size'))}"
            units[kind] = units.get(kind, 0) + 1
    return units


def _is_of(call: JSON, kind: str) -> bool:
    return call.get("type") == kind


def _only_opens(call: JSON) -> bool:
    """A page that is opened or looked through is no search."""
    action = as_object(call.get("action")).get("type")
    return _is_of(call, "web_search_call") and action not in (None, "search")


def render_usage(usage: Usage) -> JSON:
    """The `usage` object of an answer. A count that was not told is 0: the format knows no null."""
    into, out = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "input_tokens": into,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": into + out,
    }


def finish_of(response: JSON, has_calls: bool) -> Finish:
    """How a `response` object ended: a call is told by its item, an early end by its reason."""
    if response.get("status") == "incomplete":
        reason = as_text(as_object(response.get("incomplete_details")).get("reason"))
        return _REASONS.get(reason, Finish.LENGTH)
    return Finish.TOOL_CALLS if has_calls else Finish.STOP


def ending(finish: Finish) -> tuple[str, JSON | None]:
    """(status, incomplete_details) of a whole answer."""
    reason = _REASON_WORDS.get(finish)
    return ("incomplete", {"reason": reason}) if reason else ("completed", None)
