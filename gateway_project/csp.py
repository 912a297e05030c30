"""The content security policy of every page: scripts and everything else from this host alone.

Pages of ours carry no inline script or style at all. The admin's templates are Unfold's: its Alpine
evaluates the expressions in their attributes and some styles are inline, so both are allowed there.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

_POLICY = (
    "default-src 'self'; script-src {scripts}; style-src {styles}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
STRICT = _POLICY.format(scripts="'self'", styles="'self'")
FOR_UNFOLD = _POLICY.format(scripts="'self' 'unsafe-eval'", styles="'self' 'unsafe-inline'")


def policy_for(path: str) -> str:
    """The header's value for a page. Only the admin gets the weaker one."""
    return FOR_UNFOLD if path.startswith("/admin/") else STRICT


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
