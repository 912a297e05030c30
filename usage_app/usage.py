"""Token counts that can be trusted: clamped to what is possible, estimated where nobody told. Pure."""

from usage_app.records import Tokens

ABSURD_TOKENS = 100_000_000  # no call of any provider comes near
BYTES_PER_TOKEN = 4
CHARACTERS_PER_TOKEN = 4


def tokens_of(
    *,
    input_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    cache_write_1h_tokens: int | None = None,
    output_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    input_audio_tokens: int | None = None,
    output_audio_tokens: int | None = None,
    context_window: int | None = None,
) -> tuple[Tokens, tuple[str, ...]]:
    """The provider's numbers as Tokens, and the names of those that had to be corrected.

    Every count is clamped to [0, what the model can take], every part to its whole. Input includes
    cache reads and writes, output reasoning; None stays None.
    """
    absurd: list[str] = []
    limit = min(context_window * 2, ABSURD_TOKENS) if context_window else ABSURD_TOKENS

    def within(name: str, count: int | None, most: int | None) -> int | None:
        if count is None:
            return None
        kept = max(0, min(count, limit if most is None else most))
        if kept != count:
            absurd.append(name)
        return kept

    total_input = within("input_tokens", input_tokens, None)
    total_output = within("output_tokens", output_tokens, None)
    reads = within("cache_read_tokens", cache_read_tokens, total_input)
    left = None if total_input is None else total_input - (reads or 0)
    writes = within("cache_write_tokens", cache_write_tokens, left)
    tokens = Tokens(
        input_tokens=total_input,
        cache_read_tokens=reads,
        cache_write_tokens=writes,
        cache_write_1h_tokens=within("cache_write_1h_tokens", cache_write_1h_tokens, writes),
        output_tokens=total_output,
        reasoning_tokens=within("reasoning_tokens", reasoning_tokens, total_output),
        input_audio_tokens=within("input_audio_tokens", input_audio_tokens, total_input),
        output_audio_tokens=within("output_audio_tokens", output_audio_tokens, total_output),
    )
    return tokens, tuple(absurd)


def estimate_input_tokens(utf8_bytes: int) -> int:
    """A fair guess at a prompt's tokens from its size; at least 1 for a prompt of any size."""
    return -(-max(utf8_bytes, 0) // BYTES_PER_TOKEN)


def estimate_output_tokens(chars: int) -> int:
    """A fair guess at the tokens of a text that was delivered."""
    return -(-max(chars, 0) // CHARACTERS_PER_TOKEN)
