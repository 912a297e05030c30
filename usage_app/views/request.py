"""Request: why was this slow, what did it cost, who asked? One call, opened until nothing is hidden."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from gateway_project import clock
from gateway_project.conf import config
from usage_app.bill import Bill, itemise
from usage_app.models import Attempt, Request
from usage_app.pricebook import price_of_row
from usage_app.reports import recent_percentiles
from usage_app.snippets import call_again
from usage_app.tables import is_unanswered
from usage_app.timeline import draw
from usage_app.verdict import Usual, judge
from usage_app.views.page import PageView
from usage_app.views.scope import visible_requests

#: How long after its arrival a call that is in no ledger may still be on its way there.
_MAY_STILL_COME = timedelta(hours=1)


class RequestView(PageView):
    name = "requests"
    title = _("Request")
    template = "ui/request.html"
    has_selection = False

    def get(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        row = visible_requests(self.sight).filter(pk=request_id).first()
        if row is None:
            return self.not_yet(request_id)
        attempts = list(Attempt.objects.filter(request_id=row.pk).order_by("number"))
        shown: dict[str, Any] = {
            "row": row,
            "attempts": attempts,
            "verdict": judge(row, attempts, self.usual(row)),
            "timeline": draw(row, attempts),
            "bill": self.bill(row),
            "candidates": candidates_of(row),
            "strategy": row.decision.get("strategy", "") if isinstance(row.decision, dict) else "",
            "facts": self.facts(row),
            "again": call_again(row, config().public_url),
            "neighbours": self.neighbours(row),
            "unanswered": is_unanswered(row),
            "unpriced_word": _("none") if row.status == Request.Status.REFUSED else _("unknown"),
        }
        return self.page(**shown)

    def not_yet(self, request_id: UUID) -> HttpResponse:
        """A call in flight or just ended is not in the ledger yet; an old unknown id never will be."""
        arrived = clock.from_ms(clock.uuid7_ms(request_id)) if request_id.version == 7 else None
        now = clock.now()
        if arrived is None or not now - _MAY_STILL_COME <= arrived <= now + timedelta(minutes=1):
            raise Http404
        if self.request.headers.get("HX-Request"):
            return HttpResponse(status=204)
        return self.page("ui/request_pending.html", request_id=request_id, arrived=arrived)

    def usual(self, row: Request) -> Usual:
        recent = recent_percentiles(row.model, row.deployment_id)
        return Usual(
            latency_p50_ms=getattr(recent, "latency_p50_ms", None),
            ttft_p50_ms=getattr(recent, "ttft_p50_ms", None),
        )

    def bill(self, row: Request) -> Bill | None:
        if not row.price_id or row.cost_nanodollars is None:
            return None
        try:
            price = price_of_row(row.price_id)
        except ValidationError:
            return None
        return itemise(row, price) if price else None

    def facts(self, row: Request) -> list[tuple[Any, str, bool]]:
        """(what, value, is it an id or code) of all there is to know besides."""
        facts: list[tuple[Any, str, bool]] = [
            (_("Request id"), str(row.pk), True),
            (_("Endpoint"), row.endpoint, True),
            (_("Format"), row.format, True),
            (_("Provider's model"), row.upstream_model, True),
            (_("Deployment"), row.deployment, True),
            (_("Finish reason"), row.finish_reason, True),
            (_("End user (as the client says)"), row.end_user, False),
            (_("Session"), row.session, True),
            (_("Client"), row.client, False),
            (_("Tags"), ", ".join(map(str, row.tags)), False),
            (_("Where the token counts come from"), row.get_usage_source_display(), False),
            (_("Error code"), row.error_code, True),
        ]
        return [fact for fact in facts if fact[1]]

    def neighbours(self, row: Request) -> list[Request]:
        """Other calls of the same session and key, those nearest in time before and after."""
        if not row.session:
            return []
        near = visible_requests(self.sight).filter(session=row.session, key_id=row.key_id)
        near = near.only("id", "started_at", "model", "status", "cost_nanodollars", "latency_ms")
        earlier = list(near.filter(id__lt=row.pk).order_by("-id")[:3])
        later = list(near.filter(id__gt=row.pk).order_by("id")[:3])
        return [*reversed(earlier), *later]


def candidates_of(row: Request) -> list[dict[str, Any]]:
    """The deployments that were considered, in the plan's order."""
    decision = row.decision if isinstance(row.decision, dict) else {}
    return [each for each in decision.get("candidates", []) if isinstance(each, dict)]
