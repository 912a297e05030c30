"""Filters of the Requests page. They narrow what the viewer's sight and the range already bound."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.db import connection
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from gateway_project.money import NANODOLLARS_PER_DOLLAR
from usage_app.attempt_search import failed_at, tried_at
from usage_app.late_costs import FULL_COST, TELLS_COST, with_full_cost
from usage_app.models import Adjustment, Request
from usage_app.selection import NONE

STREAM_CHOICES = [("1", _("Streamed")), ("0", _("Not streamed"))]
#: Fields of the form that are typed.
TEXT_FILTERS = ("error_code", "session", "end_user", "client", "tag")
NUMBER_FILTERS = (
    "min_latency_ms",
    "max_latency_ms",
    "min_cost_usd",
    "max_cost_usd",
    "min_tokens",
    "max_tokens",
)
#: Fields of the form whose values are chosen from lists, any number of them.
LIST_FILTERS = ("model", "key", "user", "provider", "deployment", "tried_at", "failed_at")
#: Parameter -> column with an index of the ledger; the others look at row after row.
INDEXED = {
    "status": "status",
    "model": "model",
    "key": "key_id",
    "user": "user_id",
    "session": "session",
    "end_user": "end_user",
}
#: Of these, those that know 'none'.
_BY_ID = frozenset({"key", "user", "end_user"})
#: Parameter -> field of the sums' Filters: what the figures above the table can be told of.
SUMMED = {
    "status": "status",
    "model": "model",
    "key": "key_id",
    "user": "user_id",
    "deployment": "deployment_id",
    "provider": "provider",
}


def named(value: str) -> str:
    """A filter's value as the ledger's rows have it: 'none' is what has no such thing."""
    return "" if value == NONE else value


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def is_id(value: str) -> bool:
    """Whether a value is an id as the sums keep it, and not a name."""
    return value == NONE or _is_uuid(value)


class HasTag(Func):
    """Whether a row's list of tags has one, exactly. SQLite has no operator for it."""

    template = "EXISTS (SELECT 1 FROM json_each(%(expressions)s)"
    arg_joiner = ") WHERE value = "
    output_field = BooleanField()


class ValuesField(forms.MultipleChoiceField):
    """Texts that somebody chose, wherever from; an empty one is none."""

    def to_python(self, value: Any) -> list[str]:
        return list(dict.fromkeys(text for each in value or () if (text := str(each).strip())))

    def valid_value(self, value: str) -> bool:
        return "\0" not in value


class AnyFilter(django_filters.MultipleChoiceFilter):  # type: ignore[misc]
    """Calls that have any of the values; its method is given the list of them."""

    field_class = ValuesField


class RequestFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Names of parameters are those of the management API."""

    q = django_filters.CharFilter(method="search", label=_("Search"))
    # Not DISTINCT, which the library adds: nothing is joined, and all matches would be sorted for a page.
    status = django_filters.MultipleChoiceFilter(
        choices=Request.Status.choices, label=_("Status"), distinct=False
    )
    model = AnyFilter(method="of_model", label=_("Model"))
    key = AnyFilter(field_name="key_id", method="any_of", label=_("Key"))
    user = AnyFilter(field_name="user_id", method="any_of", label=_("User"))
    provider = AnyFilter(method="of_provider", label=_("Provider"))
    deployment = AnyFilter(field_name="deployment_id", method="any_of", label=_("Deployment"))
    tried_at = AnyFilter(method="with_attempt", label=_("Tried at"))
    failed_at = AnyFilter(method="with_failure", label=_("Failed at, and went on"))
    error_code = django_filters.CharFilter(field_name="error_code", label=_("Error code"))
    stream = django_filters.ChoiceFilter(
        choices=STREAM_CHOICES, method="streamed", label=_("Stream"), empty_label=_("All")
    )
    usage_source = django_filters.ChoiceFilter(
        choices=Request.UsageSource.choices, label=_("Counted by"), empty_label=_("All")
    )
    session = django_filters.CharFilter(field_name="session", label=_("Session"))
    end_user = django_filters.CharFilter(field_name="end_user", method="exactly", label=_("End user"))
    client = django_filters.CharFilter(field_name="client", method="exactly", label=_("Client"))
    tag = django_filters.CharFilter(method="tagged", label=_("Tag"))
    min_latency_ms = django_filters.NumberFilter(
        field_name="latency_ms", lookup_expr="gte", label=_("Latency from, ms"), min_value=0
    )
    max_latency_ms = django_filters.NumberFilter(
        field_name="latency_ms", lookup_expr="lt", label=_("Latency under, ms"), min_value=0
    )
    min_cost_usd = django_filters.NumberFilter(method="cost_from", label=_("Cost from, $"), min_value=0)
    max_cost_usd = django_filters.NumberFilter(method="cost_under", label=_("Cost under, $"), min_value=0)
    min_tokens = django_filters.NumberFilter(method="tokens_from", label=_("Tokens from"), min_value=0)
    max_tokens = django_filters.NumberFilter(method="tokens_under", label=_("Tokens under"), min_value=0)
    unpriced = django_filters.ChoiceFilter(
        choices=[("1", _("yes"))], method="without_price", label=_("Without a price")
    )

    class Meta:
        model = Request
        fields: list[str] = []

    def search(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        """An id, or the exact session, end user or provider's id; nothing that needs a scan of text."""
        text = value.strip()
        if _is_uuid(text):
            return rows.filter(pk=UUID(text))
        return rows.filter(
            Q(session=text) | Q(end_user=text) | Q(error_code=text) | Q(model=text) | Q(key_name=text)
        )

    def exactly(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        return rows.filter(**{name: named(value)})

    def of_model(self, rows: "QuerySet[Request]", name: str, values: list[str]) -> "QuerySet[Request]":
        return rows.filter(model__in=values)

    def any_of(self, rows: "QuerySet[Request]", name: str, values: list[str]) -> "QuerySet[Request]":
        return rows.filter(**{f"{name}__in": [named(each) for each in values]})

    def of_provider(self, rows: "QuerySet[Request]", name: str, values: list[str]) -> "QuerySet[Request]":
        """By id, as pages link it, or by name, as people write it."""
        by_name = Q(provider__in=[each for each in values if each != NONE])
        return rows.filter(Q(provider_id__in=[named(each) for each in values]) | by_name)

    def with_attempt(self, rows: "QuerySet[Request]", name: str, values: list[str]) -> "QuerySet[Request]":
        return tried_at(rows, values)

    def with_failure(self, rows: "QuerySet[Request]", name: str, values: list[str]) -> "QuerySet[Request]":
        return failed_at(rows, values)

    def streamed(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        return rows.filter(stream=value == "1")

    def tagged(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        if connection.vendor == "postgresql":
            return rows.filter(tags__contains=[value])
        return rows.filter(HasTag(F("tags"), Value(value)))

    def cost_from(self, rows: "QuerySet[Request]", name: str, value: Decimal) -> "QuerySet[Request]":
        return with_full_cost(rows).filter(**{f"{FULL_COST}__gte": int(value * NANODOLLARS_PER_DOLLAR)})

    def cost_under(self, rows: "QuerySet[Request]", name: str, value: Decimal) -> "QuerySet[Request]":
        return with_full_cost(rows).filter(**{f"{FULL_COST}__lt": int(value * NANODOLLARS_PER_DOLLAR)})

    def tokens_from(self, rows: "QuerySet[Request]", name: str, value: Decimal) -> "QuerySet[Request]":
        return rows.alias(all_tokens=_ALL_TOKENS).filter(all_tokens__gte=int(value))

    def tokens_under(self, rows: "QuerySet[Request]", name: str, value: Decimal) -> "QuerySet[Request]":
        return rows.alias(all_tokens=_ALL_TOKENS).filter(all_tokens__lt=int(value))

    def without_price(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        """Calls that the sums count as unpriced (`rollups.is_unpriced`), and that no later entry priced."""
        told = Adjustment.objects.filter(TELLS_COST, request_id=OuterRef("pk"), is_applied=True)
        unknown = rows.filter(~Exists(told), cost_nanodollars__isnull=True).exclude(deployment_id="")
        failed = (Request.Status.REFUSED, Request.Status.ERROR)
        return unknown.exclude(status__in=failed, usage_source=Request.UsageSource.NONE)

    @property
    def active(self) -> list[tuple[str, Any, str]]:
        """(parameter, label, value) of each filter in use, in the order of the form."""
        return [
            (name, self.filters[name].label, value)
            for name in self.filters
            for value in self._asked(name)
            if (name, value) not in self._wrong
        ]

    @property
    def misunderstood(self) -> list[tuple[str, Any, str]]:
        """(parameter, label, value) of what means nothing: no filter, so nothing is listed by the rest."""
        return [(name, self.filters[name].label, value) for name, value in self._wrong]

    @cached_property
    def _wrong(self) -> list[tuple[str, str]]:
        found = []
        for name in self.form.errors:
            knows = getattr(self.form.fields[name], "valid_value", lambda value: False)
            found += [(name, value) for value in self._asked(name) if not knows(value)]
        return found

    def _asked(self, name: str) -> list[str]:
        """The values of a parameter that narrow: all where several mean any of them, else the last."""
        values = list(dict.fromkeys(self.data.getlist(name)))
        takes_several = isinstance(self.filters[name], django_filters.MultipleChoiceFilter)
        return [value for value in (values if takes_several else values[-1:]) if value]

    @property
    def names(self) -> frozenset[str]:
        """Parameters in use."""
        return frozenset(name for name, _label, _value in self.active)

    @property
    def equals(self) -> dict[str, Any]:
        """Columns with an index that the filters in use narrow to one value, and that value."""
        if not self.form.is_valid():
            return {}
        found: dict[str, Any] = {}
        for name, column in INDEXED.items():
            asked = self.form.cleaned_data[name]
            values = asked if isinstance(asked, list) else [asked]
            if len(values) == 1 and values[0]:
                found[column] = named(values[0]) if name in _BY_ID else values[0]
        text = self.data.get("q", "").strip()
        return {**found, "id": UUID(text)} if _is_uuid(text) else found


_ALL_TOKENS = Coalesce(F("input_tokens"), Value(0)) + Coalesce(F("output_tokens"), Value(0))
