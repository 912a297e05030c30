"""The arithmetic behind a call's cost, line by line, from the same lines the ledger charged. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from gateway_project.money import NANODOLLARS_PER_DOLLAR, UNITS_PER_PRICE, divide_half_even
from usage_app.figures import exact_money
from usage_app.models import Request
from usage_app.pricing import CompiledPrice, cost_lines
from usage_app.records import Tokens

KINDS: dict[str, Any] = {
    "input": _("Input"),
    "cache_read": _("Input from cache"),
    "cache_write": _("Written to cache"),
    "cache_write_1h": _("Written to cache for 1 h"),
    "input_audio": _("Audio input"),
    "output": _("Output"),
    "reasoning": _("Reasoning"),
    "output_audio": _("Audio output"),
    "request": _("Request"),
    "images": _("Images"),
    "audio_ms": _("Audio, milliseconds"),
    "characters": _("Characters"),
    "searches": _("Searches"),
    "file_searches": _("Searches of files"),
    "code_sessions": _("Containers that ran code"),
    "advisor_tokens": _("Tokens of another model that advised"),
    "declined_tokens": _("Tokens of a model that declined"),
    "input_image_tokens": _("Image input"),
    "output_image_tokens": _("Image output"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """`price` is nanodollars per million units; the product is exact, only the sum is rounded."""

    label: Any
    units: int
    price: int

    @property
    def price_text(self) -> str:
        return exact_money(self.price)

    @property
    def amount_text(self) -> str:
        dollars = Decimal(self.units * self.price) / UNITS_PER_PRICE / NANODOLLARS_PER_DOLLAR
        whole, _dot, fraction = f"{dollars:.15f}".partition(".")
        return f"${int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


@dataclass(frozen=True, slots=True)
class Bill:
    """`agrees` says that the lines add up to what was charged; `unpriced` what the provider's own tools did
    that is in no line."""

    lines: Sequence[Line]
    total_nanodollars: int
    agrees: bool
    unpriced: Sequence[tuple[Any, int]] = ()


def tokens_of_row(row: Request) -> Tokens:
    """What a row counts, as it was counted."""
    return Tokens(
        input_tokens=row.input_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        cache_write_1h_tokens=row.cache_write_1h_tokens,
        output_tokens=row.output_tokens,
        reasoning_tokens=row.reasoning_tokens,
        input_audio_tokens=row.input_audio_tokens,
        output_audio_tokens=row.output_audio_tokens,
        units=row.units,
    )


def itemise(row: Request, price: CompiledPrice) -> Bill | None:
    """The bill of a priced call; None while its usage is unknown."""
    found = cost_lines(price, tokens_of_row(row))
    if found is None:
        return None
    lines = [Line(_label(line.kind), line.units, line.rate) for line in found]
    total = divide_half_even(sum(line.units * line.price for line in lines), UNITS_PER_PRICE)
    unpriced = row.decision.get("unpriced") if isinstance(row.decision, dict) else None
    left_out = [(_label(unit), count) for unit, count in unpriced.items()] if unpriced else []
    return Bill(lines, total, total == row.cost_nanodollars, left_out)


def _label(kind: str) -> Any:
    """Images of a kind are told with it: 'Images (high, 1024x1024)'."""
    name, *kinds = kind.split(":")
    told = [each for each in kinds if each]
    return f"{KINDS[name]} ({', '.join(told)})" if told else KINDS[name]
