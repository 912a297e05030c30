"""What is shown where a page cannot be: not there, not theirs to see, sent out of date, failed.

Who asks an API is told in its own shape.
"""

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.settings import api_settings

from gateway_project import clock
from keys_app.frame import skeleton

log = logging.getLogger(__name__)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: what is not there, and what this person may not know to be there."""
    if _is_api(request):
        return _problem(exceptions.NotFound())
    return _refusal(request, 404, _("Nothing here"), "ui/not_found.html")


def no_permission(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: signed in, but not for this."""
    if _is_api(request):
        return _problem(exceptions.PermissionDenied())
    return _refusal(request, 403, _("Not yours to see"), "ui/no_permission.html")


def not_from_this_page(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403, for Django's guard of forms: the page was loaded before somebody signed in or out in this browser,
    or comes from elsewhere. Who signs in a second time is in already, and goes on."""
    if _is_api(request):
        return _problem(exceptions.PermissionDenied(_("The form is out of date: load its page again.")))
    if _is_signed_in(request) and request.path == reverse(settings.LOGIN_URL):
        wanted = request.POST.get("next", "")
        return HttpResponseRedirect(wanted if _is_ours(request, wanted) else _start())
    came_from = request.headers.get("Referer", "")
    again = came_from if _is_ours(request, came_from) else _start()
    return _refusal(request, 403, _("Out of date"), "ui/out_of_date.html", again=again)


def failed(request: HttpRequest) -> HttpResponse:
    """500. What failed may be the database, or anything else that pages are made of: this one needs none.
    The id is of this failure, and stands in the log beside the reason, which nobody else is told."""
    failure_id = str(clock.uuid7())
    log.error("Failure %s: %s %s", failure_id, request.method, request.path)
    if _is_api(request):
        error = exceptions.APIException(_("The gateway failed; its log says why."), "internal_error")
        return _problem(error, instance=f"urn:uuid:{failure_id}")
    context = {
        "title": _("This page failed"),
        "failure_id": failure_id,
        "again": request.get_full_path() if request.method == "GET" else "",
    }
    page = render_to_string("ui/failed.html", context)
    return HttpResponse(page, status=500, headers={"Cache-Control": "no-store"})


def _refusal(request: HttpRequest, status: int, title: str, template: str, **extra: Any) -> HttpResponse:
    signed_in = _is_signed_in(request)
    context = skeleton(request) if signed_in else {}
    context |= {"title": title, "signed_in": signed_in, **extra}
    return render(request, template, context, status=status)


def _problem(error: exceptions.APIException, **extra: str) -> HttpResponse:
    render_problem: Any = api_settings.EXCEPTION_HANDLER
    told = render_problem(error, {})
    return JsonResponse({**told.data, **extra}, status=told.status_code, content_type=told.content_type)


def _is_signed_in(request: HttpRequest) -> bool:
    return hasattr(request, "user") and request.user.is_authenticated


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(("/api/", "/key/"))


def _is_ours(request: HttpRequest, address: str) -> bool:
    return url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())


def _start() -> str:
    return resolve_url(settings.LOGIN_REDIRECT_URL)
