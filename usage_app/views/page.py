"""What every page of the window shares: sign-in, the viewer's sight, the selection, the skeleton."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import cached_property

from gateway_project import clock
from keys_app.frame import FrameView
from keys_app.models import Environment, Service
from usage_app.ledger_series import one_picture
from usage_app.reports import Filters, Interval, counted, quarters_kept_from, reporting_zone, totals
from usage_app.selection import NONE, RANGE_LABELS, Selection, select
from usage_app.sight import Sight, sight_of


class PageView(FrameView):
    """A page of what happened: within the viewer's sight, and for a selection that pages share."""

    has_selection = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with one_picture():
            return super().dispatch(request, *args, **kwargs)

    @cached_property
    def reporting_zone(self) -> ZoneInfo:
        """The organisation's zone, for days, months and totals."""
        return reporting_zone()

    @cached_property
    def sight(self) -> Sight:
        return sight_of(self.viewer)

    @cached_property
    def asked(self) -> Selection:
        """The choice as it was made. A part of a page keeps nothing: another page may be open beside it."""
        keeps = not self.request.headers.get("HX-Request")
        return select(self.request.GET, self.request.session, clock.now(), self.reporting_zone, keeps=keeps)

    @cached_property
    def selection(self) -> Selection:
        """The choice as it is shown: over the range that its sums are of."""
        return self.asked.over(*counted(self.asked.since, self.asked.until))

    @cached_property
    def interval(self) -> Interval:
        """Of the chart: the selection's, or days where nothing finer is kept."""
        is_kept = self.selection.since >= quarters_kept_from()
        return self.selection.interval if is_kept else "day"

    @cached_property
    def services(self) -> list[Service]:
        """The services the viewer may choose from."""
        services = Service.objects.only("id", "name")
        if not self.sight.everything:
            services = services.filter(id__in=self.sight.service_ids)
        return list(services)

    @property
    def is_other_service(self) -> bool:
        """Whether a service is chosen that is gone or not theirs to see: it can be left all the same."""
        chosen = self.selection.service_id
        return chosen not in ("", NONE, *(str(service.id) for service in self.services))

    @property
    def awaits_service(self) -> bool:
        """Whether this person may only look, and at no service yet: no call of theirs will come."""
        return self.viewer.changes_nothing and not self.sight.everything and not self.sight.service_ids

    @property
    def has_calls(self) -> bool:
        """Whether there was ever a call this person may see: a range without one may only be too short."""
        ever = datetime(2020, 1, 1, tzinfo=UTC)
        return bool(totals(ever, clock.now(), Filters(), self.sight, durations=False).requests)

    def context(self, **extra: Any) -> dict[str, Any]:
        context = super().context()
        if self.has_selection:
            context |= {
                "selection": self.selection,
                "awaits_service": self.awaits_service,
                "ranges": RANGE_LABELS,
                "environments": Environment.choices,
                "services": self.services,
                "is_other_service": self.is_other_service,
            }
        return context | extra

    def fragment(self, template: str, **extra: Any) -> HttpResponse:
        """A piece of the page, for htmx: without skeleton, so without its queries."""
        context = {
            "viewer": self.viewer,
            "zone": self.reporting_zone.key,
            "is_admin": self.viewer.sees_everything,
            **({"selection": self.selection} if self.has_selection else {}),
            "awaits_service": self.awaits_service,
            **extra,
        }
        response = render(self.request, template, context)
        response["Cache-Control"] = "no-store"
        response["Vary"] = "HX-Request"
        return response
