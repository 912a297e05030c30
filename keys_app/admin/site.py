"""One sign-in for window and admin: the admin's own sends people to the window's."""

from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme


def sign_in(request: HttpRequest) -> HttpResponse:
    """Where /admin sends who may not enter: strangers to sign in, everyone else is refused."""
    target = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = resolve_url("admin:index")
    user = request.user
    if user.is_authenticated:
        if not user.is_active or not user.is_staff:
            raise PermissionDenied
        return redirect(target)
    return redirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': target})}")
