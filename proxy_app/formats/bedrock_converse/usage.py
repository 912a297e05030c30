"""Tokens and ends as Converse tells them: cache reads and writes stand beside the input."""

from proxy_app.formats.reading import as_count, as_list, as_object, total
from proxy_app.wire import Finish, Usage

#: stopReason -> ours. A word not listed counts as a natural end.
FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "guardrail_intervened": Finish.CONTENT_FILTER,
    "content_filtered": Finish.CONTENT_FILTER,
}
#: Ends of what is no answer: the model wrote what cannot be read.
MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})


def read_usage(value: object) -> Usage | None:
    told = as_object(value)
    fresh, output = as_count(told.get("inputTokens")), as_count(told.get("outputTokens"))
    if fresh is None and output is None:
        return None
    read = as_count(told.get("cacheReadInputTokens"))
    write = as_count(told.get("cacheWriteInputTokens"))
    lives = [as_object(detail) for detail in as_list(told.get("cacheDetails"))]
    write_1h = total(*(as_count(life.get("inputTokens")) for life in lives if life.get("ttl") == "1h"))
    return Usage(
        input_tokens=total(fresh, read, write),
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
    )
