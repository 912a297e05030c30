"""Form fields for what rows hold in a form of their own: lists of names, and money."""

from collections.abc import Sequence
from decimal import Decimal
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextareaWidget

from gateway_project.money import parse_usd, usd_string


class LinesField(forms.CharField):
    """A JSON list of texts, one a line; commas part them too."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        options.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 3}))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(item) for item in value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        if isinstance(value, list | tuple):
            return [str(item) for item in value]
        lines = str(value or "").replace(",", "\n").splitlines()
        return list(dict.fromkeys(line.strip() for line in lines if line.strip()))

    def run_validators(self, value: Any) -> None:
        """Each line is checked, not the list as a text."""
        for line in value:
            self.check(line)

    def check(self, line: str) -> None:
        if len(line) > 200:
            raise forms.ValidationError(_("A line is longer than 200 characters."))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial or []) != self.to_python(data)


class NetworksField(LinesField):
    """Networks such as 10.0.0.0/8."""

    def check(self, line: str) -> None:
        try:
            ip_network(line, strict=False)
        except ValueError:
            raise forms.ValidationError(_("%(line)s is not a network.") % {"line": line}) from None


class OriginsField(LinesField):
    """Browser origins such as https://app.example.org."""

    def check(self, line: str) -> None:
        parts = urlsplit(line)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise forms.ValidationError(_("%(line)s is not an origin.") % {"line": line})


class DollarsField(forms.DecimalField):
    """Nanodollars as dollars; up to nine decimals, none of them rounded."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", UnfoldAdminDecimalFieldWidget())
        options.setdefault("min_value", Decimal(0))
        super().__init__(max_digits=18, decimal_places=9, **options)


class DollarColumnsMixin:
    """A model form whose columns of nanodollars are edited in dollars.

    `dollar_columns` pairs a form field with the column it stands for.
    """

    dollar_columns: Sequence[tuple[str, str]] = ()
    instance: Any
    fields: dict[str, Any]
    initial: Any
    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field, column in self.dollar_columns:
            value = getattr(self.instance, column)
            if value is not None:
                self.initial.setdefault(field, Decimal(usd_string(value)))

    def _post_clean(self) -> None:
        """Before the model's own checks, so that they see the amount."""
        for field, column in self.dollar_columns:
            if field in self.cleaned_data:
                dollars = self.cleaned_data[field]
                setattr(self.instance, column, None if dollars is None else parse_usd(dollars))
        super()._post_clean()  # type: ignore[misc]
