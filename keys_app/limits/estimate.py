"""What a call must hold before it starts: what can be spent before we can act. Pure.

Input at its upper bound, output one slice ahead of a stream; a plain call holds the limit it names,
else a cap that has to be sent upstream with it.
"""

from collections.abc import Callable

import msgspec

SLICE_TOKENS = 4_096
IMAGE_TOKENS = 6_000  # the dearest of the providers' tables for one image given by its address
BYTES_PER_TOKEN = 4
#: of what a budget has left, the part one call may hold for output that has no limit of its own
SHARE_OF_LEFT = 4
LOWEST_CAP_TOKENS = 16


class Hold(msgspec.Struct, frozen=True):
    """Money for `reserve`, tokens for the limit of tokens a minute."""

    nanodollars: int
    tokens: int
    output_tokens: int  # covered by the hold, of all candidates together
    counted_output_tokens: int = 0  # of `tokens`, the part that is output
    least_nanodollars: int = 0  # with less than this left, the call is not worth being made
    output_cap: int | None = None  # must be sent upstream as the limit of one candidate's output


def input_bound(body_bytes: int, context_window: int | None, images: int = 0) -> int:
    """No text has more tokens than bytes, and no input more than the context window."""
    bound = body_bytes + images * IMAGE_TOKENS
    return bound if context_window is None else min(bound, context_window)


def hold_for(
    *,
    body_bytes: int,
    context_window: int | None,
    max_output_tokens: int | None,
    candidates: int,
    stream: bool,
    cost_of: Callable[[int, int], int],
    left_nanodollars: int | None = None,
    typical_output_tokens: int | None = None,
    hidden_output: bool = False,
    images: int = 0,
) -> Hold:
    """The hold of one call at one price.

    `cost_of(input_tokens, output_tokens)` is the dearest they can cost; `left_nanodollars` what the
    tightest budget has left (None: no budget); `typical_output_tokens` the model's recent 95th
    percentile; `hidden_output`: reasoning that a stream does not show.
    """
    candidates = max(1, candidates)
    input_tokens = input_bound(body_bytes, context_window, images)
    slice_tokens = min(typical_output_tokens or SLICE_TOKENS, SLICE_TOKENS)
    affordable = _affordable(cost_of, left_nanodollars, candidates)
    cap: int | None = None
    if stream and not hidden_output:
        # The stream tops up as it goes, so a small budget starts with a small slice.
        output = slice_tokens if affordable is None else min(slice_tokens, affordable)
        if max_output_tokens is not None:
            output = min(output, max_output_tokens)
    elif max_output_tokens is not None:
        output = max_output_tokens
    elif affordable is None:
        output = slice_tokens
    elif context_window is not None and affordable >= context_window:
        output = context_window
    else:
        output = cap = affordable
    output_tokens = output * candidates
    counted = min(output, slice_tokens) * candidates
    estimate = min(input_tokens, -(-body_bytes // BYTES_PER_TOKEN) + images * IMAGE_TOKENS)
    least = cost_of(input_tokens, min(output, LOWEST_CAP_TOKENS) * candidates)
    whole = cost_of(input_tokens, output_tokens)
    return Hold(whole, estimate + counted, output_tokens, counted, least, cap)


def covered_output(
    cost_of: Callable[[int, int], int], body_bytes: int, context_window: int | None, images: int, held: int
) -> int:
    """Output tokens, of all candidates together, that a hold pays for beside the input."""
    million = cost_of(0, 1_000_000)
    if million <= 0:
        return 1_000_000
    rest = held - cost_of(input_bound(body_bytes, context_window, images), 0)
    return max(0, rest) * 1_000_000 // million


def _affordable(
    cost_of: Callable[[int, int], int], left_nanodollars: int | None, candidates: int
) -> int | None:
    """Output tokens of one candidate that a share of what is left pays for; None: as many as wanted."""
    if left_nanodollars is None:
        return None
    million = cost_of(0, 1_000_000)
    if million <= 0:
        return None
    tokens = max(0, left_nanodollars) // SHARE_OF_LEFT * 1_000_000 // million // candidates
    return max(tokens, LOWEST_CAP_TOKENS)
