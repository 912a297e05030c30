"""Rates of what is no token, as people know them: an image, an hour of audio, a thousand searches."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from gateway_project.money import NANODOLLARS_PER_DOLLAR, UNITS_PER_PRICE, usd_string
from keys_app.admin.fields import DollarsField


class UnitField(NamedTuple):
    """`per`: how many of the unit the dollars of the form are for."""

    unit: str
    per: int
    label: Any


UNIT_FIELDS = {
    "image_usd": UnitField("images", 1, _("an image")),
    "audio_usd": UnitField("audio_ms", 3_600_000, _("an hour of audio")),
    "characters_usd": UnitField("characters", 1_000_000, _("1,000,000 characters")),
    "searches_usd": UnitField("searches", 1_000, _("1,000 searches")),
    "file_searches_usd": UnitField("file_searches", 1_000, _("1,000 searches of files")),
    "code_sessions_usd": UnitField("code_sessions", 1, _("a container that runs code")),
    "image_input_usd": UnitField("input_image_tokens", 1_000_000, _("1,000,000 tokens of image input")),
    "image_output_usd": UnitField("output_image_tokens", 1_000_000, _("1,000,000 tokens of image output")),
}


def to_rate(dollars: Decimal, per: int) -> int:
    """Dollars for `per` units as nanodollars per million, half to even."""
    exact = dollars * NANODOLLARS_PER_DOLLAR * UNITS_PER_PRICE / per
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def to_dollars(rate: int, per: int) -> Decimal:
    """The dollars of a form for a rate: the shortest number that means it."""
    exact = Decimal(rate) * per / UNITS_PER_PRICE / NANODOLLARS_PER_DOLLAR
    for places in range(9):
        short = exact.quantize(Decimal(1).scaleb(-places))
        if to_rate(short, per) == rate:
            return short
    return exact.quantize(Decimal(1).scaleb(-9))


class ImageSizesField(forms.CharField):
    """One kind of image a line: 'high 1024x1024 0.167', dollars an image. Rates by unit."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 3}))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(
            f"{' '.join(unit.split(':')[1:])} {to_dollars(rate, 1)}" for unit, rate in value.items()
        )

    def to_python(self, value: Any) -> dict[str, int]:  # type: ignore[override]
        if isinstance(value, dict):
            return value
        rates: dict[str, int] = {}
        for line in str(value or "").splitlines():
            *kinds, dollars = line.split() or [""]
            if not line.strip():
                continue
            amount = _amount(dollars)
            if not 1 <= len(kinds) <= 2 or amount is None:
                raise forms.ValidationError(
                    _now("%(line)s is not a quality, a size and dollars.") % {"line": line}
                )
            rates[":".join(("images", *kinds))] = to_rate(amount, 1)
        return rates

    def run_validators(self, value: Any) -> None:
        """The lines were checked while they were read."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial or {}) != self.to_python(data)


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except ArithmeticError:
        return None
    return amount if amount.is_finite() and 0 <= amount < 10**9 else None


class UnitRatesMixin(forms.Form):
    """A form whose `unit_nanodollars` is edited in dollars."""

    image_usd = DollarsField(label=UNIT_FIELDS["image_usd"].label, required=False)
    image_sizes = ImageSizesField(
        label=_("images by quality and size"), help_text=_("One a line: high 1024x1024 0.167")
    )
    audio_usd = DollarsField(label=UNIT_FIELDS["audio_usd"].label, required=False)
    characters_usd = DollarsField(label=UNIT_FIELDS["characters_usd"].label, required=False)
    searches_usd = DollarsField(label=UNIT_FIELDS["searches_usd"].label, required=False)
    file_searches_usd = DollarsField(label=UNIT_FIELDS["file_searches_usd"].label, required=False)
    code_sessions_usd = DollarsField(label=UNIT_FIELDS["code_sessions_usd"].label, required=False)
    image_input_usd = DollarsField(label=UNIT_FIELDS["image_input_usd"].label, required=False)
    image_output_usd = DollarsField(label=UNIT_FIELDS["image_output_usd"].label, required=False)
    instance: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        rates = dict(self.instance.unit_nanodollars or {})
        for field, known in UNIT_FIELDS.items():
            if known.unit in rates:
                self.initial.setdefault(field, to_dollars(rates.pop(known.unit), known.per))
        self.initial.setdefault("image_sizes", rates)

    def _post_clean(self) -> None:
        """Before the model's own checks, so that they see the rates."""
        values = self.cleaned_data
        rates: dict[str, int] = dict(values.get("image_sizes") or {})
        for field, known in UNIT_FIELDS.items():
            if (dollars := values.get(field)) is not None:
                rates[known.unit] = to_rate(dollars, known.per)
        self.instance.unit_nanodollars = rates
        super()._post_clean()  # type: ignore[misc]

    def has_unit_rate(self) -> bool:
        values = self.cleaned_data
        return bool(values.get("image_sizes")) or any(values.get(field) is not None for field in UNIT_FIELDS)


def told_units(rates: dict[str, int]) -> list[str]:
    """Each rate of a row in words: 'an image 0.04'."""
    by_unit = {known.unit: known for known in UNIT_FIELDS.values()}
    told = []
    for unit, rate in rates.items():
        name, *kinds = unit.split(":")
        known = by_unit.get(name)
        label = known.label if known else name
        per = known.per if known else UNITS_PER_PRICE
        detail = f" ({' '.join(kinds)})" if kinds else ""
        told.append(f"{label}{detail} {to_dollars(rate, per) if rate else usd_string(0)}")
    return told
