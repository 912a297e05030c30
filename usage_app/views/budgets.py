"""Budgets: what is left, when does it end, whom did it refuse?"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from gateway_project import clock
from keys_app.models import Budget, Scope
from usage_app.budget_states import BudgetState, budgets_in, filters_of, states
from usage_app.models import BudgetSpend, Request
from usage_app.reports import Filters, Interval, series
from usage_app.sight import EVERYTHING
from usage_app.views.page import PageView
from usage_app.views.scope import between, visible_requests

#: Budgets on the page, the fullest of the newest.
MOST = 500
#: Refusals that are looked at, the newest.
REFUSALS = 200
BUDGET_CODES = ("budget_exceeded",)


class BudgetsView(PageView):
    name = "budgets"
    title = _("Budgets")
    template = "ui/budgets.html"
    has_selection = False

    def get(self, request: HttpRequest) -> HttpResponse:
        scope = request.GET.get("scope", "")
        budgets = budgets_in(self.sight)
        if scope in Scope.values:
            budgets = budgets.filter(scope=scope)
        rows = list(budgets.order_by("-id")[: MOST + 1])
        found = states(rows[:MOST])
        return self.page(
            states=found,
            more=len(rows) > MOST,
            scope=scope,
            scopes=Scope.choices,
            used_up=sum(not state.left for state in found),
            ending=[state for state in found if state.ends_at is not None],
        )


class BudgetView(PageView):
    """One budget: its burn-down, its periods, and whom it refused."""

    name = "budgets"
    title = _("Budget")
    template = "ui/budget.html"
    has_selection = False

    def get(self, request: HttpRequest, budget_id: UUID) -> HttpResponse:
        budget = budgets_in(self.sight).filter(pk=budget_id).first()
        if budget is None:
            raise Http404
        found = states([budget])
        if not found:
            raise Http404
        state = found[0]
        filters = filters_of(budget)
        return self.page(
            state=state,
            people=found if budget.scope == Scope.END_USER and not budget.target else [],
            chart=self.burn_down(state, filters) if filters is not None else None,
            history=self.history(state),
            refusals=self.refusals(budget),
        )

    def burn_down(self, state: BudgetState, filters: Filters) -> dict[str, Any] | None:
        """What was spent, added up over the period, and what may be. Of all calls of the scope.

        A viewer of a budget sees its whole spend: that is what it refuses them by.
        """
        since = max(state.started_at, clock.now() - timedelta(days=92))
        until = clock.now()
        hours = until - since <= timedelta(days=3)
        interval: Interval = "hour" if hours else "day"
        drawn = series(
            since, until, interval, None, filters, EVERYTHING, zone=self.reporting_zone, durations=False
        )
        spent = list(accumulate(each.cost_nanodollars for each in drawn.lines[0].totals))
        if not spent or not spent[-1]:
            return None
        return draw_line(drawn.buckets, spent, state.limit)

    def history(self, state: BudgetState) -> list[BudgetSpend]:
        rows = BudgetSpend.objects.filter(budget_id=str(state.budget.pk)).exclude(period=state.period.key)
        if not state.end_user:
            rows = rows.exclude(period__contains="/")
        return list(rows.order_by("-period")[:24])

    def refusals(self, budget: Budget) -> dict[str, Any]:
        """Who was refused lately for a budget's sake, within what this one covers and the viewer sees."""
        rows = between(visible_requests(self.sight), clock.now() - timedelta(days=7), clock.now())
        rows = rows.filter(status=Request.Status.REFUSED)
        mine = _covered(budget)
        newest = (
            rows.filter(mine)
            .order_by("-id")
            .only(
                "id",
                "started_at",
                "key_id",
                "key_name",
                "user_name",
                "model",
                "error_code",
                "error_detail",
                "repeated",
            )[:REFUSALS]
        )
        found = [row for row in newest if row.error_code in BUDGET_CODES]
        counts: Counter[tuple[str, str]] = Counter()
        for row in found:
            counts[row.key_id, row.key_name] += row.repeated
        return {"rows": found[:10], "by_key": counts.most_common(10), "count": sum(counts.values())}


def _covered(budget: Budget) -> Q:
    match budget.scope:
        case Scope.KEY:
            return Q(key_id=str(budget.key_id))
        case Scope.USER:
            return Q(user_id=str(budget.user_id))
        case Scope.SERVICE:
            return Q(service_id=str(budget.service_id))
        case Scope.ENVIRONMENT:
            return Q(environment=budget.target)
        case Scope.MODEL:
            return Q(model=budget.target)
        case Scope.END_USER if budget.target:
            return Q(end_user=budget.target)
        case _:
            return Q()


def draw_line(buckets: list[datetime], spent: list[int], limit: int) -> dict[str, Any]:
    """A line of what was spent under the line of the limit, in a box of 1000 by 200."""
    top = max(limit, spent[-1]) * 1.05
    step = 1000 / max(len(spent) - 1, 1)
    points = [(index * step, 200 - 200 * value / top) for index, value in enumerate(spent)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return {
        "line": line,
        "area": f"0,200 {line} {points[-1][0]:.1f},200",
        "limit_y": f"{200 - 200 * limit / top:.1f}",
        "first": buckets[0],
        "last": buckets[-1],
    }
