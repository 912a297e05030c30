"""Usage that arrives in instalments: a later report overwrites an earlier one figure by figure."""

from proxy_app.wire import Usage


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
    )
