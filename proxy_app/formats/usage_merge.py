"""Usage that arrives in instalments: a later report overwrites an earlier one figure by figure."""

from proxy_app.wire import Usage


def merge_usage(known: Usage | None, later: Usage) -> Usage:
    """A new usage; figures the later report does not tell stay as known."""
    if known is None:
        return later
    return Usage(
        _told(later.input_tokens, known.input_tokens),
        _told(later.cache_read_tokens, known.cache_read_tokens),
        _told(later.cache_write_tokens, known.cache_write_tokens),
        _told(later.cache_write_1h_tokens, known.cache_write_1h_tokens),
        _told(later.output_tokens, known.output_tokens),
        _told(later.reasoning_tokens, known.reasoning_tokens),
        _told(later.input_audio_tokens, known.input_audio_tokens),
        _told(later.output_audio_tokens, known.output_audio_tokens),
    )


def _told(later: int | None, known: int | None) -> int | None:
    return known if later is None else later
