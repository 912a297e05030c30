"""The window's frame for pages of this app and of others: sign-in first, sidebar, language, zone."""

from collections.abc import Callable
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.views.generic import View

from gateway_project.conf import config
from keys_app.models import User


@cache
def available_zones() -> frozenset[str]:
    return frozenset(available_timezones())


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


#: The zone of the viewer's browser, as a script of the pages tells it.
ZONE_COOKIE = "gatehouse_zone"
#: The zone of the page that a fragment is for: its clock may have been moved since.
ZONE_HEADER = "X-Gatehouse-Zone"


def viewers_zone(request: HttpRequest) -> ZoneInfo:
    """The zone of who looks, for instants: as their profile says, or else their browser, or else the
    organisation's."""
    if profile := getattr(request.user, "time_zone", ""):
        return zone_named(profile)
    told = request.headers.get(ZONE_HEADER) or request.COOKIES.get(ZONE_COOKIE, "")
    return zone_named(told if told in available_zones() else config().time_zone)


class TellInViewersZone:
    """Middleware: pages of admin and window tell instants, and read what is typed, in the viewer's zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(("/admin/", "/ui/")):
            return self._get_response(request)
        with timezone.override(viewers_zone(request)):
            return self._get_response(request)


class FrameView(View):
    """A page for whoever is signed in. `name` marks it in the navigation, `title` heads it."""

    name = ""
    title: Any = ""
    template = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.sign_in_first(request)
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
        return viewers_zone(self.request)

    @cached_property
    def reporting_zone(self) -> ZoneInfo:
        """The organisation's zone, for days, months and totals."""
        return zone_named(config().time_zone)

    def context(self, **extra: Any) -> dict[str, Any]:
        return {
            **skeleton(self.request),
            "page_name": self.name,
            "title": self.title,
            "viewer": self.viewer,
            "language": get_language(),
            "zone": self.reporting_zone.key,
            "is_admin": self.viewer.sees_everything,
            **extra,
        }

    def page(self, template: str = "", status: int = 200, **extra: Any) -> HttpResponse:
        """The whole page."""
        return render(self.request, template or self.template, self.context(**extra), status=status)
