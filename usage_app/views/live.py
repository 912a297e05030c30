"""Live: what is happening now? The page's frame; what moves in it arrives through the socket."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from usage_app.selection import Selection
from usage_app.views.page import PageView


class LiveView(PageView):
    name = "live"
    title = _("Live")
    template = "ui/live.html"

    @property
    def selection(self) -> Selection:
        """The choice as it was made: there are no sums here to widen it to."""
        return self.asked

    def get(self, request: HttpRequest) -> HttpResponse:
        chosen = {name: self.asked.parameters.get(name, "") for name in ("environment", "service")}
        return self.page(
            ranges=None,  # what is happening now has none
            chosen=urlencode({name: value for name, value in chosen.items() if value}),
            may_read=self.viewer.has_perm("usage_app.read_bodies"),
        )
