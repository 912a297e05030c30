"""Live: what is happening now? The page's frame; what moves in it arrives through the socket."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from usage_app.views.page import PageView


class LiveView(PageView):
    name = "live"
    title = _("Live")
    template = "ui/live.html"
    has_selection = False

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(may_read=self.viewer.has_perm("usage_app.read_bodies"))
