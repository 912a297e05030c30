"""Prices and costs: exact, never guessed, never negative, found in the right order."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_app.pricing import (
    CompiledPrice,
    PriceBook,
    PriceRow,
    Rates,
    compile_rates,
    cost,
    cost_lines,
    worst_case,
)
from usage_app.records import Tokens
from usage_app.usage import estimate_input_tokens, estimate_output_tokens, tokens_of

DOLLAR = 10**9
COUNTS = st.one_of(st.none(), st.integers(-100, 3_000_000))
RATE = st.one_of(st.none(), st.integers(0, 200 * DOLLAR))


def price(model: str = "gpt-4o", kind: str = "openai", source: str = "list", **rates: Any) -> CompiledPrice:
    conditions = {name: rates.pop(name) for name in list(rates) if name in CompiledPrice.__slots__}
    tiers = rates.pop("steps", ())
    compiled, steps = compile_rates(rates or {"input": 2 * DOLLAR, "output": 8 * DOLLAR}, tiers)
    return CompiledPrice(str(uuid.uuid4()), kind, model, source, compiled, steps, **conditions)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        # OpenAI and Gemini: cached input inside the input.
        (Tokens(1_000_000, 400_000, None, None, 100_000), 600 * 3 + 400 * 0.3 + 100 * 15),
        # Anthropic: 5-minute and 1-hour writes, the input made inclusive of them.
        (Tokens(1_000_000, 200_000, 300_000, 100_000, 0), 500 * 3 + 200 * 0.3 + 200 * 3.75 + 100 * 6),
        (Tokens(10_000, None, None, None, 2_000, 1_500), 10 * 3 + 2 * 15),
    ],
)
def test_a_cost_is_the_sum_of_its_kinds(tokens: Tokens, expected: float) -> None:
    sonnet = price(
        input=3 * DOLLAR,
        cache_read=DOLLAR * 3 // 10,
        cache_write=DOLLAR * 15 // 4,
        cache_write_1h=6 * DOLLAR,
        output=15 * DOLLAR,
    )
    assert cost(sonnet, tokens) == round(expected * DOLLAR / 1000)


def test_unknown_usage_has_no_cost_and_no_usage_costs_nothing() -> None:
    assert cost(price(), Tokens()) is None
    assert cost(price(), Tokens(output_tokens=5)) is None
    assert cost(price(), Tokens(0, 0, 0, 0, 0)) == 0


def test_a_cost_is_rounded_once_half_to_even() -> None:
    half = price(input=500_000, output=0)
    assert [cost(half, Tokens(n, output_tokens=0)) for n in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_crossing_a_tier_reprices_the_whole_call() -> None:
    tiered = price(
        input=DOLLAR, output=10 * DOLLAR, steps=[{"from_input_tokens": 200_001, "input": 2 * DOLLAR}]
    )
    assert cost(tiered, Tokens(200_000, output_tokens=0)) == 200_000_000
    assert cost(tiered, Tokens(200_001, output_tokens=0)) == 400_002_000


@given(*[COUNTS] * 8, st.tuples(*[RATE] * 8))
def test_no_usage_however_absurd_is_charged_less_than_nothing_or_more_than_the_dearest(
    a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, rates: tuple[Any, ...]
) -> None:
    compiled = price(**dict(zip(Rates._fields, rates, strict=True)))
    tokens = Tokens(a, b, c, d, e, f, g, h)
    charged = cost(compiled, tokens)
    if a is None:
        assert charged == (0 if compiled.is_free else None)
        return
    lines = cost_lines(compiled, tokens) or []
    assert all(line.units > 0 for line in lines)
    assert sum(line.units for line in lines) == max(a, 0) + max(e or 0, 0)
    assert 0 <= charged <= worst_case(compiled, max(a, 0), max(e or 0, 0))


@given(st.tuples(*[COUNTS] * 8), st.one_of(st.none(), st.integers(1, 2_000_000)))
def test_clamped_usage_is_possible_usage(figures: tuple[Any, ...], window: int | None) -> None:
    names = Tokens.__struct_fields__[:8]
    tokens, absurd = tokens_of(**dict(zip(names, figures, strict=True)), context_window=window)
    whole = tokens.input_tokens
    for name, before in zip(names, figures, strict=True):
        after = getattr(tokens, name)
        assert (after is None) == (before is None)
        assert (after != before) == (name in absurd)
        assert after is None or after >= 0
    if whole is not None:
        assert (tokens.cache_read_tokens or 0) + (tokens.cache_write_tokens or 0) <= whole
    assert estimate_input_tokens(0) == 0 < estimate_input_tokens(1)
    assert estimate_output_tokens(9) == 3


def test_the_price_of_a_deployment_wins_over_an_admins_and_that_over_the_list() -> None:
    listed, admin, bound = price(), price(source="admin"), price(model="", source="admin")
    rows = [PriceRow(listed), PriceRow(admin), PriceRow(bound, deployment_id="d1")]
    book = PriceBook(rows)
    assert book.find("d1", "openai", "gpt-4o", 0) is bound
    assert book.find("d2", "openai", "gpt-4o", 0) is admin
    assert PriceBook([PriceRow(listed)]).find("d1", "openai", "gpt-4o", 0) is listed
    assert book.find("", "openai", "gpt-nope", 0) is None
    assert book.find("", "anthropic", "gpt-4o", 0) is None
    assert book.by_id(admin.id) is admin


def test_an_exact_name_wins_over_a_dated_alias_over_a_pattern() -> None:
    exact, alias = price("gpt-4o-2024-08-06", source="admin"), price("gpt-4o", source="admin")
    long, short = price("gpt-4o*", source="admin"), price("gpt*", kind="", source="admin")
    rows = [PriceRow(short), PriceRow(long), PriceRow(alias), PriceRow(exact)]
    book = PriceBook(rows)
    assert book.find("", "openai", "gpt-4o-2024-08-06", 0) is exact
    assert book.find("", "openai", "gpt-4o-2024-11-20", 0) is alias
    assert book.find("", "openai", "GPT-4o-20241120", 0) is alias
    assert book.find("", "openai", "gpt-4o-mini", 0) is long
    assert book.find("", "other", "gpt-5", 0) is short


def test_a_dated_price_holds_in_its_time_only() -> None:
    always = price(source="admin")
    later = price(source="admin", valid_from_ms=1_000, valid_until_ms=2_000)
    book = PriceBook([PriceRow(always), PriceRow(later)])
    found = [book.find("", "openai", "gpt-4o", at) for at in (999, 1_000, 1_999, 2_000)]
    assert found == [always, later, later, always]
    only_later = PriceBook([PriceRow(later), PriceRow(price(source="list"))])
    assert only_later.find("", "openai", "gpt-4o", 5_000).source == "list"


def test_a_tier_without_a_price_of_its_own_is_the_usual_one_and_fills_no_memory() -> None:
    """The word is a caller's: there may be as many as there are calls."""
    usual, fast = price(), price(service_tier="fast")
    book = PriceBook([PriceRow(usual), PriceRow(fast)])
    assert book.find("", "openai", "gpt-4o", 0, "fast") is fast
    for number in range(50):
        assert book.find("", "openai", "gpt-4o", 0, f"tier-{number}") is usual
        assert book.find("", "openai", "gpt-4o", 0, f"fast_{number}") is fast
    assert len(book._found) == 2


def test_a_model_that_cannot_be_priced_has_no_price() -> None:
    book = PriceBook([PriceRow(price(unpriced_reason="billed by audio"))])
    assert book.find("", "openai", "gpt-4o", 0) is None
    free = price(source="admin", input=0, output=0)
    assert cost(free, Tokens(10, output_tokens=10)) == 0


def test_other_units_are_billed_at_the_rate_of_exactly_their_kind() -> None:
    dall_e = price(
        input=0, by_tokens=False, units={"images": 40, "images:high": 80, "images:high:1024x1792": 120}
    )
    charged = [
        cost_lines(dall_e, Tokens(units={unit: 2}))
        for unit in ("images:high:1024x1792", "images:high:1024x1024", "images:low:256x256", "images")
    ]
    assert [line.rate for (line,) in charged] == [120, 80, 40, 40]
    assert cost(dall_e, Tokens(units={"audio_ms": 5})) is None
    assert cost(dall_e, Tokens(100, output_tokens=5)) is None


def test_a_price_of_tokens_and_units_charges_what_was_told_of_both() -> None:
    both = price(input=1_000_000, output=0, units={"searches": 5_000_000})
    assert cost(both, Tokens(10, output_tokens=0, units={"searches": 2})) == 20
    assert cost(both, Tokens(units={"searches": 2})) == 10
    assert cost(both, Tokens()) is None


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 9_000), RATE, RATE)
def test_image_tokens_are_parts_that_are_never_counted_twice(
    total: int, out: int, image: int, rate: int | None, image_rate: int | None
) -> None:
    units = (
        {} if image_rate is None else {"input_image_tokens": image_rate, "output_image_tokens": image_rate}
    )
    compiled = price(input=rate, output=rate, units=units)
    tokens = Tokens(
        total, output_tokens=out, units={"input_image_tokens": image, "output_image_tokens": image}
    )
    lines = cost_lines(compiled, tokens) or []
    assert sum(line.units for line in lines) == total + out
    assert cost(compiled, tokens) <= worst_case(compiled, total, out)


def test_the_worst_case_of_an_image_whose_kind_is_not_known_is_the_dearest() -> None:
    dall_e = price(input=0, by_tokens=False, units={"images": 40_000_000, "images:hd": 80_000_000})
    assert worst_case(dall_e, 0, 0, {"images": 2}) == 160
    assert worst_case(dall_e, 0, 0, {"images:standard:1024x1024": 2}) == 80
    assert worst_case(dall_e, 0, 0, {"characters": 1_000}) == 0
