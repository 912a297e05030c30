"""Request: why was this slow, what did it cost, who asked? One call, opened until nothing is hidden."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from gateway_project import clock
from gateway_project.conf import config
from keys_app.audit import record_event
from keys_app.crypto import Unreadable
from usage_app import captured
from usage_app.allowances import allowances_of
from usage_app.bill import itemise
from usage_app.calling_again import call_again
from usage_app.decisions import candidates_of, strategy_of
from usage_app.late_costs import charge_late, corrections_of
from usage_app.models import Attempt, Price, Request
from usage_app.pricebook import price_of_row
from usage_app.pricing import CompiledPrice
from usage_app.related import neighbours_of, retry_number, tries_of
from usage_app.reports import recent_percentiles
from usage_app.selection import ROLLING
from usage_app.tables import is_unanswered
from usage_app.timeline import draw, usual_marks
from usage_app.transcript import transcript
from usage_app.verdict import ENOUGH_TO_COMPARE, Usual, judge
from usage_app.views.page import PageView
from usage_app.views.scope import visible_requests

#: A call that is in no ledger: how long after its arrival it is taken to be on its way there, and how
#: long it may be in flight, which the live socket tells to whoever may see it.
_IS_WRITTEN_WITHIN = timedelta(seconds=10)
_MAY_BE_IN_FLIGHT = timedelta(hours=1)


def tried(attempt: Attempt) -> tuple[str, str]:
    """(deployment, what it failed with; '' for one that did not)."""
    has_failed = attempt.status == Request.Status.ERROR
    return attempt.deployment, str(attempt.http_status or attempt.error_code) if has_failed else ""


class RequestView(PageView):
    name = "requests"
    title = _("Request")
    template = "ui/request.html"
    has_selection = False

    def get(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        row = visible_requests(self.sight).filter(pk=request_id).first()
        if row is None:
            return self.not_yet(request_id)
        if request.headers.get("HX-Request") and request.GET.get("fragment") == "said":
            return self.said(row)
        attempts = list(Attempt.objects.filter(request_id=row.pk).order_by("number"))
        neighbours, tries = neighbours_of(row, self.sight), tries_of(row, self.sight)
        price, usual = self.price(row), self.usual(row)
        bill, timeline = itemise(row, price) if price else None, draw(row, attempts)  # of the row's own cost
        late = charge_late([row, *neighbours, *tries])
        is_kept = captured.is_kept(row.pk)
        shown: dict[str, Any] = {
            "row": row,
            "attempts": attempts,
            "verdict": judge(row, attempts, usual),
            "timeline": timeline,
            "usual_marks": usual_marks(timeline, usual),
            "bill": bill,
            "price": price and self.price_facts(price),
            "late": late.get(row.pk),
            "corrections": corrections_of(row.pk) if row.pk in late else [],
            "candidates": candidates_of(row.decision, list(map(tried, attempts))),
            "strategy": strategy_of(row.decision),
            "allowances": allowances_of(row, self.sight),
            "facts": self.facts(row),
            "claims": self.claims(row),
            "again": call_again(row, config().public_url),
            "neighbours": neighbours,
            "tries": tries,
            "is_kept": is_kept,
            "can_replay": is_kept and self.may_read and row.endpoint in captured.CONVERSATIONS,
            "may_read": self.may_read,
            "unanswered": is_unanswered(row),
            "unpriced_word": _("none") if row.status == Request.Status.REFUSED else _("unpriced"),
        }
        return self.page(**shown)

    def not_yet(self, request_id: UUID) -> HttpResponse:
        """A call in flight or just ended is not in the ledger yet; an old unknown id never will be.

        The answer is the same for a call that the viewer may not see and for one that never was.
        """
        arrived = clock.from_ms(clock.uuid7_ms(request_id)) if request_id.version == 7 else None
        now = clock.now()
        if arrived is None or not now - _MAY_BE_IN_FLIGHT <= arrived <= now + timedelta(minutes=1):
            raise Http404
        if self.request.headers.get("HX-Request"):
            return HttpResponse(status=204)
        left = max(timedelta(), arrived + _IS_WRITTEN_WITHIN - now)
        return self.page(
            "ui/request_pending.html",
            request_id=request_id,
            arrived=arrived,
            left_ms=round(left / timedelta(milliseconds=1)),
        )

    def usual(self, row: Request) -> Usual:
        recent = recent_percentiles(row.model, row.deployment_id)
        if recent.requests < ENOUGH_TO_COMPARE:
            return Usual(calls=recent.requests)  # a first call would be as usual, whatever it took
        return Usual(recent.latency_p50_ms, recent.ttft_p50_ms, recent.latency_p95_ms, calls=recent.requests)

    def price(self, row: Request) -> CompiledPrice | None:
        """What it was charged at, while the price book still has it."""
        if not row.price_id or row.cost_nanodollars is None:
            return None
        try:
            return price_of_row(row.price_id)
        except ValidationError:
            return None

    def price_facts(self, price: CompiledPrice) -> dict[str, Any]:
        """Which price that is: of what, who says so, from when on and until when."""
        return {
            "model": price.model,
            "name": "/".join(filter(None, (price.provider_kind, price.model))),
            "source": Price(source=price.source, provider_kind=price.provider_kind).source_told,
            "since": price.valid_from_ms and clock.from_ms(price.valid_from_ms),
            "until": price.valid_until_ms and clock.from_ms(price.valid_until_ms),
        }

    def facts(self, row: Request) -> list[tuple[Any, str, bool]]:
        """(what, value, is it an id or code) of all there is to know besides."""
        facts: list[tuple[Any, str, bool]] = [
            (_("Request id"), str(row.pk), True),
            (_("Endpoint"), row.endpoint, True),
            (_("Format"), row.format, True),
            (_("Provider's model"), row.upstream_model, True),
            (_("Deployment"), row.deployment, True),
            (_("Finish reason"), row.finish_reason, True),
            (_("Where the token counts come from"), row.get_usage_source_display(), False),
            (_("Error code"), row.error_code, True),
            (_("Retry of the client's SDK"), str(retry_number(row) or ""), False),
        ]
        return [fact for fact in facts if fact[1]]

    def claims(self, row: Request) -> list[tuple[Any, list[tuple[str, str]]]]:
        """(what, [(value, all calls that say the same)]) of what its client says of it."""
        named = (
            (_("End user (as the client says)"), "end_user", [row.end_user]),
            (_("Session"), "session", [row.session]),
            (_("Client"), "client", [row.client]),
            (_("Tags"), "tag", list(map(str, row.tags))),
        )
        everything = {**range_with(row.started_at), "environment": "", "service": ""}
        page = reverse("ui:requests")
        return [
            (
                label,
                [(value, f"{page}?{urlencode({**everything, name: value})}") for value in values if value],
            )
            for label, name, values in named
            if any(values)
        ]

    def said(self, row: Request) -> HttpResponse:
        """The fragment with what was said: for who may read it, and never unseen."""
        if not self.may_read:
            raise PermissionDenied
        shown: dict[str, Any] = {"row": row}
        try:
            said = captured.read(row.pk)
        except Unreadable as problem:
            shown["problem"] = str(problem)
        else:
            if said is None:
                raise Http404
            texts: dict[str, Any] = {
                "request_text": readable(said.request),
                "answer_text": readable(said.answer),
                "words": transcript(said.answer),
            }
            shown |= {"said": said, **texts}
        record_event(self.viewer, "read", "usage_app.capturedbody", str(row.pk), {})
        return self.fragment("ui/_said.html", **shown)

    @cached_property
    def may_read(self) -> bool:
        """Whether the viewer may read what was said in calls they see."""
        return self.viewer.has_perm("usage_app.read_bodies")


def range_with(moment: datetime) -> dict[str, str]:
    """The shortest range up to now that a moment lies in, as an address has it."""
    age = clock.now() - moment
    named = next((name for name in ("24h", "7d", "30d", "90d") if age < ROLLING[name][1]), "")
    return {"range": named} if named else {"since": moment.isoformat()}


def readable(text: str) -> str:
    """JSON on lines of its own; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
