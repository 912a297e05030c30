"""The content security policy of every page: scripts and everything else from this host alone.

Unfold writes its theme's colours into one <style> element; pages of ours allow exactly that text
by its hash. The admin's own templates carry further inline styles, so there styles may be inline.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

_THEME_STYLE = re.compile(r"<style id=\"unfold-theme-colors\">(.*?)</style>", re.DOTALL)
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src {styles}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@cache
def theme_style_hash() -> str:
    """The source expression that allows Unfold's theme colours, taken from its own template."""
    site: Any = admin.site
    request = HttpRequest()
    context = {
        "colors": site._get_colors("COLORS", request),
        "border_radius": site._get_config("BORDER_RADIUS", request),
    }
    page = render_to_string("unfold/layouts/skeleton.html", context)
    found = _THEME_STYLE.search(page)
    if found is None:
        return ""
    digest = hashlib.sha256(found[1].encode()).digest()
    return f" 'sha256-{base64.b64encode(digest).decode()}'"


def policy_for(path: str) -> str:
    """The header's value for a page."""
    if path.startswith("/ui/") or path == "/ui":
        return _POLICY.format(styles="'self'" + theme_style_hash())
    return _POLICY.format(styles="'self' 'unsafe-inline'")


class ContentSecurityPolicy:
    """Middleware, for both kinds of handler; a view's own policy is kept."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self.is_async:
            return self._later(request)
        response: HttpResponse = self.get_response(request)
        return protect(request, response)

    async def _later(self, request: HttpRequest) -> HttpResponse:
        return protect(request, await self.get_response(request))


def protect(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Add the policy to a response that has none."""
    response.headers.setdefault("Content-Security-Policy", policy_for(request.path_info))
    return response
