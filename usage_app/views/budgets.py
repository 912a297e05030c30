"""Budgets: what is left, when does it end, whom did it refuse?"""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import from_ms
from keys_app.models import Scope
from usage_app.budget_calls import calls_link, period_name, refusals_of, spells_before
from usage_app.budget_states import BudgetState, budgets_in, filters_of, states
from usage_app.budget_unpriced import with_unpriced
from usage_app.burn_down import BurnDown, burn_down, charged, interval_of, steps_of
from usage_app.reports_grid import grid
from usage_app.sight import EVERYTHING
from usage_app.views.page import PageView

#: Budgets on the page, the fullest of the newest.
MOST = 500


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
        found = with_unpriced(states(rows[:MOST]))
        return self.page(
            states=found,
            more=len(rows) > MOST,
            scope=scope,
            scopes=Scope.choices,
            used_up=sum(not state.left for state in found),
            refusing=sum(state.refuses for state in found),
            foreseen=all(state.forecast is not None for state in found),
            ending=[state for state in found if state.ends_at is not None],
        )


class BudgetView(PageView):
    """One budget: its burn-down, its people, its periods, and whom it refused."""

    name = "budgets"
    title = _("Budget")
    template = "ui/budget.html"
    has_selection = False

    def get(self, request: HttpRequest, budget_id: UUID) -> HttpResponse:
        budget = budgets_in(self.sight).filter(pk=budget_id).first()
        if budget is None:
            raise Http404
        found = with_unpriced(states([budget]))
        if not found:
            raise Http404
        state = found[0]
        each_person = budget.scope == Scope.END_USER and not budget.target
        people = [each for each in found if each.end_user]
        return self.page(
            state=state,
            each_person=each_person,
            people=[(each, self.link(each)) for each in people],
            used_up=sum(not each.left for each in people),
            period=period_name(state.period, state.entry),
            link=self.link(state),
            chart=self.burn_down(state),
            before=spells_before(state),
            refused=refusals_of(budget, self.sight),
        )

    def link(self, state: BudgetState) -> str:
        """The calls of the present period."""
        return calls_link(state.budget, state.started_at, person=state.end_user)

    def burn_down(self, state: BudgetState) -> BurnDown | None:
        """What was spent, added up over the period, and what may be. Of all calls of the scope.

        A viewer of a budget sees its whole spend: that is what it refuses them by.
        """
        filters = filters_of(state.budget)
        since, now = state.started_at, from_ms(state.at_ms)
        if filters is None or since >= now:
            return None
        until = state.resets_at or _horizon(since, now, state.ends_at)
        interval = interval_of(now - since)
        scope = (since, now, interval, filters, EVERYTHING)
        drawn = grid((), ("cost_nanodollars",), *scope, zone=self.reporting_zone)
        summed = drawn.values.get((), [0] * len(drawn.buckets))
        costs = charged(drawn.buckets, summed, since, state.spent)
        steps = steps_of(drawn.buckets, costs, since, now, drawn.unpriced.get((), ()))
        if not steps or not steps[-1].spent:
            return None
        ends = state.spent_by(until), state.ends_at
        opens = partial(calls_link, state.budget)
        return burn_down(steps, (since, until), state.limit, *ends, interval, self.reporting_zone, opens)


def _horizon(since: datetime, now: datetime, ends_at: datetime | None) -> datetime:
    """Until when a budget without an end is drawn: its end at this rate if near, else half as long."""
    if ends_at is not None and ends_at - now < now - since:
        return ends_at + (now - since) / 10
    return now + (now - since) / 2
