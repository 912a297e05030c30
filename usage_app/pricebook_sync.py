"""The public price list (genai-prices) into Price rows; what an admin or a file set stays untouched.

A price that changed is a new row and the old one is disabled, so that a ledger row's price can
always be shown as it was. genai-prices is imported when needed: it is large.
"""

import dataclasses
from collections.abc import Iterator
from copy import copy
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db import transaction

from gateway_project.clock import now
from gateway_project.money import NANODOLLARS_PER_DOLLAR
from usage_app.models import Price
from usage_app.models.price import SANDBOX_KIND
from usage_app.pricebook import RATE_COLUMNS
from usage_app.pricebook_places import in_dear_places

#: The list's names of the kinds of token that are counted here.
_LIST_KINDS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "input_audio",
    "output_audio_mtok": "output_audio",
}
#: Its names of what is no token: (our unit, how many of it a price of the list is for).
_LIST_UNITS = {
    "input_mchars": ("characters", 1_000_000),
    "audio_hours": ("audio_ms", 3_600_000),
    "input_audio_hours": ("audio_ms", 3_600_000),
    "web_searches_kcount": ("searches", 1_000),
    "storage_searches_kcount": ("file_searches", 1_000),
}
#: Kinds of token that the image endpoints of these providers tell apart.
_TELL_IMAGES = frozenset({"openai", "azure"})
_LIST_IMAGE_TOKENS = {
    "input_image_mtok": ("input_image_tokens", 1_000_000),
    "output_image_mtok": ("output_image_tokens", 1_000_000),
}
#: Kinds that a call's usage does not tell apart: harmless when they cost what their parent costs.
_UNTOLD = {
    "input_image_mtok": "input_mtok",
    "input_video_mtok": "input_mtok",
    "output_image_mtok": "output_mtok",
    "output_video_mtok": "output_mtok",
    "cache_audio_read_mtok": "cache_read_mtok",
    "cache_image_read_mtok": "cache_read_mtok",
}
#: Cached audio cheaper than the audio itself only makes the estimate dearer, never cheaper.
_SAFE_TO_IGNORE = frozenset({"cache_audio_read_mtok", "cache_image_read_mtok"})

#: What the list calls the choice of a tier; Anthropic's is a speed.
_TIER_CONTEXTS = frozenset({"service_tier", "speed"})
_TIER_RANK = 1000  # above every usual price of a model

_FIELDS = (
    "provider_kind",
    "model",
    "service_tier",
    *RATE_COLUMNS.values(),
    "request_nanodollars",
    "unit_nanodollars",
    "tiers",
    "context_window",
    "valid_from",
    "valid_until",
    "daily_from_minute",
    "daily_until_minute",
    "unpriced_reason",
    "match",
    "list_place",
    "list_rank",
)


@dataclasses.dataclass(frozen=True)
class SyncResult:
    added: int
    changed: int
    removed: int
    unchanged: int
    unpriced: int


def sync_list_prices() -> SyncResult:
    """Bring the rows of source 'list' up to the installed list. Idempotent."""
    wanted = {_key(row): row for row in (*sandbox_rows(), *list_rows())}
    known: dict[tuple[str, str, int], Price] = {}
    stale: list[Price] = []
    for price in Price.objects.filter(source=Price.Source.LIST, is_enabled=True):
        key = (price.provider_kind, price.model, price.list_rank)
        if key in known or not _same(price, wanted.get(key)):
            stale.append(price)
        else:
            known[key] = price
    missing = [Price(source=Price.Source.LIST, **row) for key, row in wanted.items() if key not in known]
    replaced = {_key_of(price) for price in stale} & {_key_of(price) for price in missing}
    with transaction.atomic():
        ids = [price.pk for price in stale]
        for start in range(0, len(ids), 500):
            Price.objects.filter(pk__in=ids[start : start + 500]).update(is_enabled=False, valid_until=now())
        Price.objects.bulk_create(missing, batch_size=200)
        moved = [price for key, price in known.items() if price.list_place != wanted[key]["list_place"]]
        for price in moved:
            price.list_place = wanted[_key_of(price)]["list_place"]
        Price.objects.bulk_update(moved, ["list_place"], batch_size=200)
    return SyncResult(
        added=len(missing) - len(replaced),
        changed=len(replaced),
        removed=len(stale) - len(replaced),
        unchanged=len(known),
        unpriced=sum(bool(row["unpriced_reason"]) for row in wanted.values()),
    )


def sandbox_rows() -> Iterator[dict[str, Any]]:
    """Play money, so that a newcomer sees a cost."""
    yield _row(
        provider_kind=SANDBOX_KIND,
        model="sandbox*",
        input_nanodollars=_nanodollars(Decimal("0.50")),
        cache_read_nanodollars=_nanodollars(Decimal("0.05")),
        output_nanodollars=_nanodollars(Decimal("2.00")),
        unit_nanodollars={
            "images": _nanodollars(Decimal(20_000)),  # 2 cents an image
            "audio_ms": _nanodollars(Decimal("0.10")),  # 36 cents an hour
            "characters": _nanodollars(Decimal("15.00")),
            "searches": _nanodollars(Decimal(2_000)),  # 2 dollars a thousand
        },
    )


def list_rows() -> Iterator[dict[str, Any]]:
    """Every price of the installed list as columns of Price; what cannot be expressed says why."""
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import ModelPrice

    place = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            place += 1
            dated = (
                [(None, model.prices)]
                if isinstance(model.prices, ModelPrice)
                else [(choice.constraint, choice.prices) for choice in model.prices]
            )
            listed = (*_any_tier(dated), *_of_tiers(model, dated))
            for tier, rank, constraint, prices in (*listed, *in_dear_places(provider.id, model.id, listed)):
                when, unclear = _conditions(constraint)
                yield _row(
                    provider_kind=provider.id,
                    model=model.id,
                    service_tier=tier,
                    match=clause_json(model.match),
                    list_place=place,
                    list_rank=rank,
                    context_window=model.context_window,
                    **when,
                    **(_unpriced(unclear) if unclear else _rates(provider.id, model.id, prices)),
                )


def _any_tier(dated: list[tuple[Any, Any]]) -> Iterator[tuple[str, int, Any, Any]]:
    for rank, (constraint, prices) in enumerate(dated):
        yield "", rank, constraint, prices


def _of_tiers(model: Any, dated: list[tuple[Any, Any]]) -> Iterator[tuple[str, int, Any, Any]]:
    """(tier, rank, constraint, prices) of what a model costs served otherwise than usual. The list says what
    differs from the usual price, and of several the first that holds counts."""
    variants = model.price_variants or ()
    for place, variant in enumerate(variants):
        ((context, tier), *others) = variant.when.items()
        if others or context not in _TIER_CONTEXTS or tier not in Price.ServiceTier.values:
            continue
        start = getattr(variant.constraint, "start_date", date.max)
        usual = next((prices for when, prices in reversed(dated) if _has_begun(when, start)), dated[0][1])
        prices = copy(usual)
        vars(prices).update(
            (name, value) for name, value in vars(variant.prices).items() if value is not None
        )
        yield tier, _TIER_RANK + len(variants) - place, variant.constraint, prices


def _has_begun(constraint: Any, day: date) -> bool:
    """Whether a price holds by a day: at all hours of it."""
    return constraint is None or getattr(constraint, "start_date", date.max) < day


def clause_json(clause: Any) -> dict[str, Any]:
    """A matching rule of the list as plain JSON: {'equals': …}, {'or': […]}, …"""
    ((name, value),) = ((item.name, getattr(clause, item.name)) for item in dataclasses.fields(clause))
    if isinstance(value, list):
        return {name.rstrip("_"): [clause_json(part) for part in value]}
    return {name: value}


def _rates(provider: str, model: str, prices: Any) -> dict[str, Any]:
    from genai_prices.types import TieredPrices

    given = {name: value for name, value in vars(prices).items() if value is not None}
    if reason := _why_unpriced(provider, model, given):
        return _unpriced(reason)
    columns: dict[str, Any] = {}
    steps: dict[int, dict[str, int]] = {}
    for name, value in given.items():
        if name == "requests_kcount":
            columns["request_nanodollars"] = _nanodollars(value * 1000)
            continue
        if (unit := _units_of(provider).get(name)) is not None:
            columns.setdefault("unit_nanodollars", {})[unit[0]] = _nanodollars(value * 1_000_000 / unit[1])
            continue
        if (kind := _LIST_KINDS.get(name)) is None:
            continue
        tiered = isinstance(value, TieredPrices)
        columns[RATE_COLUMNS[kind]] = _nanodollars(value.base if tiered else value)
        for tier in value.tiers if tiered else ():
            # The list reprices calls with *more* tokens than the tier's start.
            steps.setdefault(tier.start + 1, {})[kind] = _nanodollars(tier.price)
    columns["tiers"] = [{"from_input_tokens": start, **kinds} for start, kinds in sorted(steps.items())]
    if not given:
        columns["input_nanodollars"] = columns["output_nanodollars"] = 0
    return columns


def _why_unpriced(provider: str, model: str, given: dict[str, Any]) -> str:
    """Why a price of the list cannot be charged from tokens alone; '' when it can."""
    if not given:
        is_free = model.endswith(":free") or (provider, model) == ("openai", "moderation")
        return (
            "" if is_free or (provider == "google" and model.startswith("gemma")) else "the list has no price"
        )
    units = _units_of(provider)
    for name, price in given.items():
        if name in _LIST_KINDS or name in units or name == "requests_kcount" or name in _SAFE_TO_IGNORE:
            continue
        if name in _UNTOLD and given.get(_UNTOLD[name]) == price:
            continue
        return f"billed by {name.rsplit('_', 1)[0].replace('_', ' ')}"
    return "" if given.keys() & (_LIST_KINDS.keys() | _LIST_UNITS.keys()) else "not billed by tokens"


def _units_of(provider: str) -> dict[str, tuple[str, int]]:
    return {**_LIST_UNITS, **_LIST_IMAGE_TOKENS} if provider in _TELL_IMAGES else _LIST_UNITS


def _conditions(constraint: Any) -> tuple[dict[str, Any], str]:
    """When a price holds, as columns; or why that cannot be expressed."""
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    if constraint is None:
        return {}, ""
    if isinstance(constraint, StartDateConstraint):
        return {"valid_from": datetime.combine(constraint.start_date, time(), UTC)}, ""
    if isinstance(constraint, TimeOfDateConstraint):
        start, end = _minute(constraint.start_time), _minute(constraint.end_time)
        if start is not None and end is not None:
            return {"daily_from_minute": start, "daily_until_minute": end}, ""
    return {}, "holds at times that cannot be expressed"


def _minute(moment: time) -> int | None:
    """The minute of the UTC day; None when it is not a whole one."""
    if moment.tzinfo is not None:
        moment = datetime.combine(datetime(1970, 1, 2, tzinfo=UTC), moment).astimezone(UTC).time()
    return None if moment.second or moment.microsecond else moment.hour * 60 + moment.minute


def _nanodollars(dollars: Decimal) -> int:
    """28 prices of the list are decimal noise (0.0833333333333333): the nearest whole nanodollar."""
    return int((dollars * NANODOLLARS_PER_DOLLAR).to_integral_value(ROUND_HALF_EVEN))


def _unpriced(reason: str) -> dict[str, Any]:
    return {"unpriced_reason": reason}


def _row(**columns: Any) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(_FIELDS)
    empty.update(
        service_tier="", tiers=[], unit_nanodollars={}, unpriced_reason="", list_place=0, list_rank=0
    )
    return {**empty, **columns}


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["provider_kind"], row["model"], row["list_rank"]


def _key_of(price: Price) -> tuple[str, str, int]:
    return price.provider_kind, price.model, price.list_rank


def _same(price: Price, row: dict[str, Any] | None) -> bool:
    """Whether nothing that matters differs; a model's place in the list alone is no new price."""
    return row is not None and all(
        getattr(price, name) == row[name] for name in _FIELDS if name != "list_place"
    )
