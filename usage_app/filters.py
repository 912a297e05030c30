"""Filters of the Requests page. They narrow what the viewer's sight and the range already bound."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from usage_app.models import Request

STREAM_CHOICES = [("1", _("Streamed")), ("0", _("Not streamed"))]


class RequestFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Names of parameters are those of the management API."""

    q = django_filters.CharFilter(method="search", label=_("Search"))
    status = django_filters.MultipleChoiceFilter(choices=Request.Status.choices, label=_("Status"))
    model = django_filters.CharFilter(field_name="model", label=_("Model"))
    key = django_filters.CharFilter(field_name="key_id", label=_("Key"))
    user = django_filters.CharFilter(field_name="user_id", label=_("User"))
    provider = django_filters.CharFilter(field_name="provider", label=_("Provider"))
    deployment = django_filters.CharFilter(field_name="deployment_id", label=_("Deployment"))
    error_code = django_filters.CharFilter(field_name="error_code", label=_("Error code"))
    stream = django_filters.ChoiceFilter(
        choices=STREAM_CHOICES, method="streamed", label=_("Stream"), empty_label=_("All")
    )
    session = django_filters.CharFilter(field_name="session", label=_("Session"))
    end_user = django_filters.CharFilter(field_name="end_user", label=_("End user"))
    unpriced = django_filters.CharFilter(method="without_price", label=_("Without a price"))

    class Meta:
        model = Request
        fields: list[str] = []

    def search(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        """An id, or the exact session, end user or provider's id; nothing that needs a scan of text."""
        text = value.strip()
        try:
            return rows.filter(pk=UUID(text))
        except ValueError:
            return rows.filter(
                Q(session=text) | Q(end_user=text) | Q(error_code=text) | Q(model=text) | Q(key_name=text)
            )

    def streamed(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        return rows.filter(stream=value == "1")

    def without_price(self, rows: "QuerySet[Request]", name: str, value: str) -> "QuerySet[Request]":
        """Calls whose cost is unknown although a provider answered."""
        return rows.filter(cost_nanodollars__isnull=True).exclude(status=Request.Status.REFUSED)

    @property
    def active(self) -> list[tuple[str, Any, str]]:
        """(parameter, label, value) of each filter in use, in the order of the form."""
        return [
            (name, self.filters[name].label, value)
            for name in self.filters
            for value in self.data.getlist(name)
            if value
        ]
