"""The public list is the oracle: what we compile costs exactly what the list says."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import product
from typing import Any

import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot

from gateway_project.clock import now
from proxy_app.service_tiers import tier_word
from usage_app.models import Price
from usage_app.models.price import UNPRICED_REASONS
from usage_app.pricebook import FALLBACK_KINDS, PriceSection, compile_price
from usage_app.pricebook_sync import list_rows, sync_list_prices
from usage_app.pricing import PriceBook, PriceRow, cost
from usage_app.records import Tokens

SHAPES = [
    Tokens(1, 0, 0, 0, 1),
    Tokens(999, 0, 0, 0, 333),
    Tokens(128_000, 100_000, 3_000, 0, 4_001, 1_000),
    Tokens(128_001, 1_000, 30_000, 10_000, 4_096, 77),
    Tokens(200_000, 7, 0, 0, 5),
    Tokens(200_001, 7, 11, 11, 5),
    Tokens(272_001, 272_001, 0, 0, 8_191),
    Tokens(1_000_001, 0, 500_000, 250_000, 65_535, 65_535),
    Tokens(5_000, 1_000, 0, 0, 900, 0, 2_000, 300),
]
INSTANTS = [
    datetime(2024, 1, 1, 12, 0, tzinfo=UTC),
    datetime(2025, 9, 5, 0, 29, 59, tzinfo=UTC),
    datetime(2025, 9, 5, 0, 30, tzinfo=UTC),
    datetime(2025, 9, 5, 16, 30, tzinfo=UTC),
    datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
    datetime(2026, 11, 23, 7, 59, tzinfo=UTC),
    datetime(2027, 6, 1, 23, 59, tzinfo=UTC),
]


def book_of_the_list() -> PriceBook:
    defaults = {"id": 0, "source": "list", "deployment_id": None}
    rows = []
    for number, row in enumerate(list_rows()):
        price = compile_price({**defaults, **row, "id": number})
        rows.append(PriceRow(price, clause=row["match"], order=(row["list_place"], row["list_rank"])))
    return PriceBook(rows, FALLBACK_KINDS)


def usage_of(tokens: Tokens, prices: Any) -> Usage:
    """The list's own usage object; kinds it would have to guess are told to be none."""
    figures = {
        "input_tokens": tokens.input_tokens,
        "cache_read_tokens": tokens.cache_read_tokens,
        "cache_write_tokens": tokens.cache_write_tokens,
        "cache_write_1h_tokens": tokens.cache_write_1h_tokens,
        "output_tokens": tokens.output_tokens,
        "input_audio_tokens": tokens.input_audio_tokens or 0,
        "output_audio_tokens": tokens.output_audio_tokens or 0,
        "output_reasoning_tokens": tokens.reasoning_tokens or 0,
        "cache_audio_read_tokens": 0,
    }
    return Usage(**figures)


def is_decimal_noise(prices: Any) -> bool:
    values = [v for v in vars(prices).values() if v is not None]
    flat = [v if isinstance(v, Decimal) else part for v in values for part in _parts(v)]
    return any((price * 10**9) % 1 for price in flat)


def _parts(value: Any) -> Iterator[Decimal]:
    if isinstance(value, Decimal):
        yield value
    else:
        yield value.base
        yield from (tier.price for tier in value.tiers)


def test_every_model_of_the_list_costs_what_the_list_says() -> None:
    book = book_of_the_list()
    compared = 0
    unpriced, by_units = set(), set()
    for provider in get_snapshot().providers:
        for model in provider.models:
            for instant in INSTANTS:
                prices = model.get_prices(instant)
                at_ms = int(instant.timestamp() * 1000)
                price = book.find("", provider.id, model.id, at_ms)
                if price is None:
                    unpriced.add((provider.id, model.id))
                    continue
                if provider.find_model(model.id) is not model:
                    continue  # the list itself gives this name to an earlier model
                if not price.by_tokens:
                    by_units.add((provider.id, model.id))
                    continue
                tolerance = 1 if is_decimal_noise(prices) else 0
                for tokens in SHAPES:
                    charged = model.calc_price(
                        usage_of(tokens, prices), provider, genai_request_timestamp=instant
                    )
                    expected = (charged.total_price * 10**9).to_integral_value(ROUND_HALF_EVEN)
                    got = cost(price, tokens)
                    assert got is not None
                    assert abs(got - expected) <= tolerance, (provider.id, model.id, instant, tokens)
                    compared += 1
    assert compared > 100_000
    assert len(unpriced) < 150
    assert ("google", "gemini-2.5-flash-image") in unpriced  # image tokens are not told apart
    assert by_units >= {("openai", "tts-1"), ("openai", "whisper-1"), ("groq", "whisper-large-v3")}


def test_every_tier_of_the_list_costs_what_the_list_says() -> None:
    book, compared = book_of_the_list(), set()
    for provider in get_snapshot().providers:
        for model in provider.models:
            choices = {tuple(variant.when.items()) for variant in model.price_variants or ()}
            for ((context, tier), *_), instant in product(choices, INSTANTS):
                at_ms = int(instant.timestamp() * 1000)
                price = book.find("", provider.id, model.id, at_ms, tier_word(tier))
                if context not in ("service_tier", "speed") or price is None:
                    continue
                told = {"genai_request_timestamp": instant, "price_context": {context: tier}}
                for tokens in SHAPES[:-1]:
                    usage = usage_of(tokens, model.get_prices(instant, told["price_context"]))
                    charged = model.calc_price(usage, provider, **told).total_price * 10**9
                    got = cost(price, tokens)
                    assert got is not None and abs(got - charged) <= 1, (model.id, tier, instant)
                compared.add((provider.id, tier))
    tiers = {("openai", tier) for tier in ("default", "flex", "priority", "fast")}
    assert compared >= tiers | {("anthropic", "fast"), ("google", "flex"), ("google", "priority")}


@pytest.mark.parametrize(
    ("model", "tier", "of", "percent"),
    [
        ("claude-opus-5-5", "us", "", 110),
        ("claude-opus-5-5", "fast_us", "fast", 110),
        ("claude-opus-5-5", "priority_us", "", 110),  # no price of its own: that of the place
        ("claude-haiku-5-5", "us", "", 110),  # of each of its steps
        ("claude-opus-4-6", "us", "", 110),
        ("claude-sonnet-4-6", "us", "", 110),
        ("claude-fable-5-2", "fast_us", "fast", 110),
        ("claude-opus-4-5", "us", "", 100),  # has no choice of place
        ("claude-sonnet-4-5-20250929", "us", "", 100),
        ("claude-3-5-haiku-latest", "us", "", 100),
        ("claude-opus-5-5", "eu", "", 100),
    ],
)
def test_a_model_run_in_a_dear_place_costs_more_of_every_kind_of_token(
    model: str, tier: str, of: str, percent: int
) -> None:
    book = book_of_the_list()
    at_ms = int(INSTANTS[-1].timestamp() * 1000)
    there, usual = (book.find("", "anthropic", model, at_ms, word) for word in (tier, of))
    assert there is not None and usual is not None
    for size in (1_000, 500_000):
        rates = zip(there.rates_at(size), usual.rates_at(size), strict=True)
        assert all(100 * dear == percent * rate for dear, rate in rates)
    assert dict(there.units) == dict(usual.units)


@pytest.mark.parametrize(
    ("name", "tokens", "dollars"),
    [
        ("tts-1", Tokens(units={"characters": 1_000}), "0.015"),
        ("whisper-1", Tokens(units={"audio_ms": 3_600_000}), "0.36"),
        ("gpt-image-1", Tokens(100, output_tokens=50, units={"input_image_tokens": 40}), "0.0027"),
        ("gpt-image-1.5", Tokens(10, output_tokens=1_000, units={"output_image_tokens": 990}), "0.03183"),
        ("gpt-5", Tokens(0, output_tokens=0, units={"searches": 3}), "0.03"),
        ("gpt-5", Tokens(0, output_tokens=0, units={"file_searches": 4}), "0.01"),
        ("gpt-4o-mini-transcribe", Tokens(100, None, None, None, 20, None, 90), "0.0003825"),
    ],
)
def test_what_is_no_token_costs_what_the_list_says(name: str, tokens: Tokens, dollars: str) -> None:
    price = book_of_the_list().find("", "openai", name, 0)
    assert cost(price, tokens) == Decimal(dollars) * 10**9


def test_a_name_finds_the_model_that_the_list_would_find() -> None:
    book = book_of_the_list()
    wrong = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            for name in {model.id, model.id + "-20251211", model.id + "-2025-12-11", model.id.upper()}:
                found = provider.find_model(name)
                price = book._look_up(book._list[""], (provider.id,), name.lower(), dated=False)
                if found is not None and (not price or price[0].price.model != found.id):
                    wrong.append((provider.id, name, found.id, price[0].price.model if price else None))
    # An exact name wins here even when an earlier rule of the list would take it too.
    assert all(got is not None and name.lower() == got.lower() for _, name, _, got in wrong), wrong[:10]


def test_the_providers_that_sell_others_models_are_the_lists_own() -> None:
    theirs = {
        p.id: tuple(p.fallback_model_providers)
        for p in get_snapshot().providers
        if p.fallback_model_providers
    }
    assert theirs == FALLBACK_KINDS


@pytest.mark.django_db
def test_a_second_sync_changes_nothing() -> None:
    first = sync_list_prices()
    ids = set(Price.objects.values_list("id", flat=True))
    second = sync_list_prices()
    assert first.added > 2_000
    assert first.unpriced > 0
    assert (second.added, second.changed, second.removed) == (0, 0, 0)
    assert set(Price.objects.values_list("id", flat=True)) == ids


@pytest.mark.django_db
def test_a_price_that_changed_in_the_list_is_a_new_row_and_an_override_stays() -> None:
    sync_list_prices()
    override = Price.objects.create(
        provider_kind="openai", model="gpt-4o", input_nanodollars=1, output_nanodollars=2
    )
    row = Price.objects.get(provider_kind="openai", model="gpt-4o", list_rank=0, source="list")
    true_input = row.input_nanodollars
    Price.objects.filter(pk=row.pk).update(input_nanodollars=5)
    result = sync_list_prices()
    assert (result.added, result.changed, result.removed) == (0, 1, 0)
    row.refresh_from_db()
    assert not row.is_enabled
    assert row.input_nanodollars == 5
    new = Price.objects.get(
        provider_kind="openai", model="gpt-4o", list_rank=0, source="list", is_enabled=True
    )
    assert new.input_nanodollars == true_input
    override.refresh_from_db()
    assert override.is_enabled
    assert override.input_nanodollars == 1


@pytest.mark.django_db
def test_the_sandbox_has_a_play_money_price() -> None:
    sync_list_prices()
    price = PriceSection().load().find("", "sandbox", "sandbox/slow", 0)
    assert price is not None
    assert cost(price, Tokens(1_000_000, 0, 0, 0, 1_000_000)) == 2_500_000_000


@pytest.mark.django_db
def test_a_refreshed_book_equals_a_loaded_one() -> None:
    sync_list_prices()
    section = PriceSection()
    book = section.load()
    at_ms = int(now().timestamp() * 1000)
    row = Price.objects.create(
        provider_kind="openai", model="gpt-4o-mini", input_nanodollars=7_000_000, output_nanodollars=9_000_000
    )
    book = section.refresh(book, {"usage_app_price": frozenset({row.id.hex})})
    assert book.find("", "openai", "gpt-4o-mini", at_ms).id == str(row.id)
    Price.objects.filter(pk=row.pk).update(is_enabled=False)
    book = section.refresh(book, {"usage_app_price": frozenset({str(row.id)})})
    assert book.find("", "openai", "gpt-4o-mini", at_ms) == section.load().find(
        "", "openai", "gpt-4o-mini", at_ms
    )
    assert book.rows == section.load().rows
    assert section.refresh(book, {"keys_app_user": frozenset({"x"})}) is book


def test_every_reason_of_the_list_not_to_price_a_model_has_its_words() -> None:
    """They are kept in English and told in the reader's language."""
    assert {str(row["unpriced_reason"]) for row in list_rows()} - {""} <= UNPRICED_REASONS.keys()
