"""What a call must hold."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from keys_app.limits.estimate import IMAGE_TOKENS, SLICE_TOKENS, Hold, hold_for


def priced(price_in: int, price_out: int) -> Callable[[int, int], int]:
    """Nanodollars a token."""
    return lambda tokens_in, tokens_out: tokens_in * price_in + tokens_out * price_out


def hold(**values: object) -> Hold:
    plain: dict[str, object] = {
        "body_bytes": 1_000, "context_window": 128_000, "max_output_tokens": None, "candidates": 1,
        "stream": True, "cost_of": priced(2, 10),
    }  # fmt: skip
    return hold_for(**{**plain, **values})  # type: ignore[arg-type]


def test_a_stream_holds_its_input_bound_and_one_slice() -> None:
    assert hold().nanodollars == 1_000 * 2 + SLICE_TOKENS * 10


def test_no_input_is_larger_than_the_context_window() -> None:
    assert hold(body_bytes=10**7, context_window=500).nanodollars == 500 * 2 + SLICE_TOKENS * 10


def test_a_stream_that_names_64k_holds_a_slice_and_one_that_names_less_holds_that() -> None:
    assert hold(max_output_tokens=64_000) == hold()
    assert hold(max_output_tokens=100).output_tokens == 100


def test_a_plain_call_holds_the_limit_it_names() -> None:
    assert hold(stream=False, max_output_tokens=64_000).nanodollars == 1_000 * 2 + 64_000 * 10


def test_hidden_reasoning_in_a_stream_is_held_like_a_plain_call() -> None:
    assert hold(hidden_output=True, max_output_tokens=64_000).output_tokens == 64_000


def test_every_candidate_is_held() -> None:
    assert hold(candidates=3, max_output_tokens=100).output_tokens == 300
    assert hold(candidates=0, max_output_tokens=100).output_tokens == 100


def test_a_model_that_answers_shortly_holds_a_shorter_slice() -> None:
    assert hold(typical_output_tokens=300).output_tokens == 300
    assert hold(typical_output_tokens=90_000).output_tokens == SLICE_TOKENS


def test_a_plain_call_without_a_limit_is_capped_at_a_quarter_of_what_is_left() -> None:
    capped = hold(stream=False, left_nanodollars=4_000)
    assert capped.output_cap == 100
    assert capped.output_tokens == 100
    each_of_two = hold(stream=False, left_nanodollars=4_000, candidates=2)
    assert (each_of_two.output_cap, each_of_two.output_tokens) == (50, 100)


def test_with_plenty_left_no_cap_is_needed() -> None:
    plenty = hold(stream=False, left_nanodollars=10**12)
    assert plenty.output_cap is None
    assert plenty.output_tokens == 128_000


def test_a_stream_starts_with_what_a_small_budget_can_bear() -> None:
    assert hold(left_nanodollars=4_000).output_tokens == 100
    assert hold(left_nanodollars=4_000).output_cap is None


def test_what_costs_nothing_is_not_capped() -> None:
    free = hold(stream=False, left_nanodollars=0, cost_of=priced(0, 0))
    assert (free.nanodollars, free.output_cap) == (0, None)


def test_an_image_by_address_counts_more_than_its_address() -> None:
    assert hold(images=2).nanodollars - hold().nanodollars == 2 * IMAGE_TOKENS * 2


def test_tokens_a_minute_count_an_estimate_not_the_bound() -> None:
    assert hold(max_output_tokens=64_000, stream=False).tokens == 250 + SLICE_TOKENS
    assert hold(body_bytes=10**6, context_window=100, max_output_tokens=1).tokens == 101


@given(
    left=st.integers(0, 10**12),
    price_in=st.integers(0, 100_000),
    price_out=st.integers(1, 100_000),
    size=st.integers(0, 10**6),
    stream=st.booleans(),
    candidates=st.integers(1, 8),
)
def test_output_never_holds_more_than_a_quarter_of_what_is_left(
    left: int, price_in: int, price_out: int, size: int, stream: bool, candidates: int
) -> None:
    held = hold(
        body_bytes=size,
        cost_of=priced(price_in, price_out),
        left_nanodollars=left,
        stream=stream,
        candidates=candidates,
    )
    least = 16 * candidates * price_out
    assert held.output_tokens * price_out <= max(left // 4, least)
    assert held.nanodollars == min(size, 128_000) * price_in + held.output_tokens * price_out
