"""Usage that arrives in instalments: a later report overwrites an earlier one figure by figure. And usage
that does not count all that was said."""

from dataclasses import replace
from typing import Final

from proxy_app.wire import JSON, Usage

#: What llama.cpp's own server says in every answer, and nobody else.
LLAMA_CPP_MARK: Final = "timings"


def merge_usage(known: Usage | None, later: Usage) -> Usage:
    """A new usage; figures the later report does not tell stay as known. Written out: some providers
    report with every piece of a stream."""
    if known is None:
        return later
    return Usage(
        known.input_tokens if later.input_tokens is None else later.input_tokens,
        known.cache_read_tokens if later.cache_read_tokens is None else later.cache_read_tokens,
        known.cache_write_tokens if later.cache_write_tokens is None else later.cache_write_tokens,
        known.cache_write_1h_tokens if later.cache_write_1h_tokens is None else later.cache_write_1h_tokens,
        known.output_tokens if later.output_tokens is None else later.output_tokens,
        known.reasoning_tokens if later.reasoning_tokens is None else later.reasoning_tokens,
        known.input_audio_tokens if later.input_audio_tokens is None else later.input_audio_tokens,
        known.output_audio_tokens if later.output_audio_tokens is None else later.output_audio_tokens,
        {**known.units, **later.units} if later.units else known.units,
        later.geography or known.geography,
        later.answered_by or known.answered_by,
    )


def of_first_answer(usage: Usage | None, body: JSON, answers: int) -> Usage | None:
    """Of a whole body with several answers (`n`), of which llama.cpp counts the first alone: without its
    output, which is estimated then."""
    if usage is None or answers < 2 or LLAMA_CPP_MARK not in body:
        return usage
    return replace(usage, output_tokens=None, reasoning_tokens=None)


def with_next_answer(known: Usage | None, later: Usage | None) -> Usage | None:
    """Of a stream of several answers, each of which llama.cpp counts by itself: all so far."""
    if known is None or later is None:
        return later or known
    return replace(later, output_tokens=(known.output_tokens or 0) + (later.output_tokens or 0))
