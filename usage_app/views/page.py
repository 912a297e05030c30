"""What every page of the window shares: sign-in, the viewer's sight, the selection, the skeleton."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.views.decorators.gzip import gzip_page
from django.views.generic import View

from gateway_project import clock
from keys_app.models import Environment, Service, User
from usage_app.reports import reporting_zone
from usage_app.selection import RANGE_LABELS, Selection, select
from usage_app.sight import Sight, sight_of


def zone_named(name: str) -> ZoneInfo:
    """A time zone by name; UTC where the name is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def skeleton(request: HttpRequest) -> dict[str, Any]:
    """Unfold's context, with the sidebar for people who may not open the admin too."""
    site: Any = admin.site
    context: dict[str, Any] = site.each_context(request)
    context["has_permission"] = True
    context["sidebar_navigation"] = site.get_sidebar_list(request)
    # The command palette searches the admin, which is not everybody's.
    context["sidebar_show_search"] = context["sidebar_show_search"] and request.user.is_staff
    return context


# A page of the window carries no secret but the CSRF token, which is masked anew in each answer, and
# Django pads what it compresses by a random length: the two things that BREACH lives on. The admin,
# which shows a key's secret once, and the API are not compressed.
@method_decorator(gzip_page, name="dispatch")
class PageView(View):
    """A page for whoever is signed in. `name` marks it in the navigation, `title` heads it."""

    name = ""
    title: Any = ""
    template = ""
    has_selection = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.sign_in_first(request)
        with timezone.override(self.zone):
            return super().dispatch(request, *args, **kwargs)

    def sign_in_first(self, request: HttpRequest) -> HttpResponse:
        """A fragment cannot show the sign-in page inside a page: htmx is told to go there."""
        response: HttpResponse = redirect_to_login(request.get_full_path())
        if request.headers.get("HX-Request"):
            response = HttpResponse(status=204, headers={"HX-Redirect": response["Location"]})
        return response

    @property
    def viewer(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    @cached_property
    def zone(self) -> ZoneInfo:
        """The viewer's zone, for instants."""
        return zone_named(self.viewer.time_zone) if self.viewer.time_zone else self.reporting_zone

    @cached_property
    def reporting_zone(self) -> ZoneInfo:
        """The organisation's zone, for days, months and totals."""
        return reporting_zone()

    @cached_property
    def sight(self) -> Sight:
        return sight_of(self.viewer)

    @cached_property
    def selection(self) -> Selection:
        return select(self.request.GET, self.request.session, clock.now(), self.reporting_zone)

    @cached_property
    def services(self) -> list[Service]:
        """The services the viewer may choose from."""
        services = Service.objects.only("id", "name")
        if not self.sight.everything:
            services = services.filter(id__in=self.sight.service_ids)
        return list(services)

    def context(self, **extra: Any) -> dict[str, Any]:
        context = {
            **skeleton(self.request),
            "page_name": self.name,
            "title": self.title,
            "viewer": self.viewer,
            "language": get_language(),
            "zone": self.reporting_zone.key,
            "is_admin": self.viewer.sees_everything,
        }
        if self.has_selection:
            context |= {
                "selection": self.selection,
                "ranges": RANGE_LABELS,
                "environments": Environment.choices,
                "services": self.services,
            }
        return context | extra

    def page(self, template: str = "", status: int = 200, **extra: Any) -> HttpResponse:
        """The whole page."""
        return render(self.request, template or self.template, self.context(**extra), status=status)

    def fragment(self, template: str, **extra: Any) -> HttpResponse:
        """A piece of the page, for htmx: without skeleton, so without its queries."""
        context = {
            "viewer": self.viewer,
            "zone": self.reporting_zone.key,
            "is_admin": self.viewer.sees_everything,
            **({"selection": self.selection} if self.has_selection else {}),
            **extra,
        }
        response = render(self.request, template, context)
        response["Cache-Control"] = "no-store"
        response["Vary"] = "HX-Request"
        return response
