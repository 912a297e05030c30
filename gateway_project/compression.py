"""Compresses the pages of the window and the admin, and nothing that shows a secret.

A page carries the CSRF token, masked anew in each answer, and Django pads what it compresses by a random
length: the two things that BREACH lives on. Secrets are shown in answers to a POST, and to whoever opens a
link without being signed in: these are never compressed, as the API is not.
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

WHERE = ("/ui/", "/admin/")
WHAT = frozenset({"text/html", "text/javascript"})  # pages and their parts, the admin's words for scripts


class CompressPages(GZipMiddleware):
    """Django's, for answers to a GET of somebody who is signed in."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return super().process_response(request, response) if is_page(request, response) else response


def is_page(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether an answer shows no secret, by what it answers."""
    if request.method != "GET" or not request.path_info.startswith(WHERE):
        return False
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    person = getattr(request, "user", None)
    return kind in WHAT and person is not None and person.is_authenticated
