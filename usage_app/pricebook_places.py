"""What a provider charges for running a model in one country, which the public list does not say: as data,
and as prices made of the list's. Pure."""

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

#: (tier, rank, constraint, prices) of one model, as the list has them.
Listed = tuple[str, int, Any, Any]

PLACE_RANK = 2000  # above every price of a model that holds anywhere


@dataclass(frozen=True, slots=True)
class Surcharge:
    """A factor on the price of every kind of token; other units cost what they cost. `but` are models that
    have no choice of place."""

    place: str
    factor: Decimal
    but: re.Pattern[str]


#: https://platform.claude.com/docs/en/about-claude/pricing: Claude 4.6 and later.
SURCHARGES = {
    "anthropic": Surcharge(
        "us", Decimal("1.1"), re.compile(r"claude-(v?[123]\b|instant|(opus|sonnet|haiku)-4-[0-5]\b)")
    )
}
#: Tier of the list -> the same in a dear place.
_IN_PLACE = {"": "{}", "fast": "fast_{}"}


def in_dear_places(provider: str, model: str, listed: Sequence[Listed]) -> Iterator[Listed]:
    """A model's prices once more, where its provider charges more for a place."""
    surcharge = SURCHARGES.get(provider)
    if surcharge is None or surcharge.but.match(model):
        return
    for tier, rank, constraint, prices in listed:
        if (named := _IN_PLACE.get(tier)) is not None:
            yield named.format(surcharge.place), PLACE_RANK + rank, constraint, _dearer(prices, surcharge)


def _dearer(prices: Any, surcharge: Surcharge) -> Any:
    from genai_prices.types import Tier, TieredPrices

    dearer = copy(prices)
    for name, value in vars(prices).items():
        if value is None or not name.endswith("_mtok"):
            continue
        if isinstance(value, TieredPrices):
            tiers = [Tier(start=tier.start, price=tier.price * surcharge.factor) for tier in value.tiers]
            setattr(dearer, name, TieredPrices(base=value.base * surcharge.factor, tiers=tiers))
        else:
            setattr(dearer, name, value * surcharge.factor)
    return dearer
