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
    if charged is None:
        assert a is None
        return
    lines = cost_lines(compiled, tokens) or []
    assert all(line.units > 0 for line in lines)
    assert sum(line.units for line in lines) == max(a, 0) + max(e or 0, 0)
    assert 0 <= charged <= worst_case(compiled, max(a, 0), max(e or 0, 0))


@given(st.tuples(*[COUNTS] * 8), st.one_of(st.none(), st.integers(1, 2_000_000)))
def test_clamped_usage_is_possible_usage(figures: tuple[Any, ...], window: int | None) -> None:
    names = Tokens.__struct_fields__
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


def test_a_model_that_cannot_be_priced_has_no_price() -> None:
    book = PriceBook([PriceRow(price(unpriced_reason="billed by audio"))])
    assert book.find("", "openai", "gpt-4o", 0) is None
    free = price(source="admin", input=0, output=0)
    assert cost(free, Tokens(10, output_tokens=10)) == 0
