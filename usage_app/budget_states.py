"""Budgets as they stand: spent of a limit in the present period, when it ends at this rate, and before.

What is spent is the ledger's sum of the charges; the rate is that of the period so far.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from gateway_project.clock import from_ms, now_ms
from keys_app.entries import BudgetEntry
from keys_app.models import Budget, Scope
from keys_app.periods import Period, period_of
from keys_app.snapshot_rows import limits_of_rows
from usage_app.models import BudgetSpend
from usage_app.reports_names import ids_named
from usage_app.reports_reading import Filters
from usage_app.sight import Sight

#: A rate of less time than this says nothing.
LEAST_MS = 15 * 60_000
DAY_MS = 24 * 3_600_000
#: A budget is near its end from this share on.
NEAR = 0.8
#: From this share on, or so long before its end, what is left covers few calls.
ALMOST_ALL, SOON_MS = 0.99, 15 * 60_000
#: How long back a refusal says that others will be refused too.
LATELY_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class BudgetState:
    """One budget in one period. `end_user` is set where a budget is one per person of a claim."""

    budget: Budget
    entry: BudgetEntry
    period: Period
    spent: int
    limit: int
    requests: int
    at_ms: int
    end_user: str = ""
    has_refused: bool = False  # a call of late, though something is left (`ledger_refusals`)
    refused_requests: int = 0  # in this period
    has_unpriced: bool = False  # calls whose cost is in no charge, where that was asked (`budget_unpriced`)

    @property
    def share(self) -> float:
        return self.spent / self.limit if self.limit else 1.0

    @property
    def left(self) -> int:
        return max(self.limit - self.spent, 0)

    @property
    def name(self) -> str:
        """Whose it is."""
        subject = self.budget.key or self.budget.user or self.budget.service
        return self.end_user or self.budget.target or (str(subject) if subject is not None else "")

    @property
    def started_at(self) -> datetime:
        return from_ms(self._start_ms)

    @property
    def resets_at(self) -> datetime | None:
        return None if self.period.end_ms is None else from_ms(self.period.end_ms)

    @property
    def has_rate(self) -> bool:
        """Whether it counts for long enough to say anything of what comes."""
        return self.at_ms - self._start_ms >= LEAST_MS

    @property
    def ends_at(self) -> datetime | None:
        """When the limit is reached at the rate so far; None when that is not before it resets.

        None of one that refuses calls already: for their callers it has ended.
        """
        latest = self.period.end_ms if self.period.end_ms is not None else self.at_ms + 90 * DAY_MS
        if self._due_ms is None or self.refuses or self._due_ms >= latest:
            return None
        return from_ms(self._due_ms)

    @property
    def refuses(self) -> bool:
        """Whether calls that may cost more than is left are refused by now, and not only some day."""
        if not self.budget.hard or not self.left:
            return False
        is_soon = self._due_ms is not None and self._due_ms < self.at_ms + SOON_MS
        # What a call may cost is held: one that holds more than the whole budget leaves it unspent.
        return self.has_refused or self.share >= ALMOST_ALL or (self.share >= NEAR and is_soon)

    @property
    def _due_ms(self) -> int | None:
        """When the limit is reached at the rate so far."""
        if not self.left or self.spent <= 0 or not self.has_rate:
            return None
        return self.at_ms + self.left * (self.at_ms - self._start_ms) // self.spent

    @property
    def forecast(self) -> int | None:
        """What will be spent by the end of the period at this rate; None without an end or a rate."""
        return None if self.resets_at is None else self.spent_by(self.resets_at)

    def spent_by(self, moment: datetime) -> int | None:
        """What will be spent by a moment at this rate; None where there is no rate yet."""
        elapsed = self.at_ms - self._start_ms
        if not self.has_rate:
            return None
        return self.spent * (round(moment.timestamp() * 1000) - self._start_ms) // elapsed

    @property
    def tone(self) -> str:
        if self.spent >= self.limit:
            return "error"
        return "warn" if self.share >= NEAR or self.refuses or self.ends_at is not None else "ok"

    @property
    def _start_ms(self) -> int:
        """Since when it can have been charged: a budget that is made within a period counts from then on."""
        made_ms = int(self.budget.created_at.timestamp() * 1000)
        return made_ms if self.period.start_ms is None else max(self.period.start_ms, made_ms)


def budgets_in(sight: Sight) -> "QuerySet[Budget]":
    """Budgets a viewer may see: all; or their own, those of services they manage, and of the keys of both."""
    budgets = Budget.objects.filter(is_enabled=True).select_related("key", "user", "service")
    if sight.everything:
        return budgets
    mine = Q(pk__in=[])
    if sight.user_id:
        mine |= Q(scope=Scope.USER, user_id=sight.user_id) | Q(scope=Scope.KEY, key__user_id=sight.user_id)
    if sight.service_ids:
        ids = sorted(sight.service_ids)
        mine |= Q(service_id__in=ids) | Q(scope=Scope.KEY, key__service_id__in=ids)
    return budgets.filter(mine)


def states(budgets: Iterable[Budget]) -> list[BudgetState]:
    """Each budget in its present period, those that refuse first, then the fullest; three queries for all."""
    rows = {str(row.pk): row for row in budgets}
    if not rows:
        return []
    at_ms = now_ms()
    filed = limits_of_rows(frozenset(rows), frozenset()).budgets
    entries = [(entry, period_of(entry, at_ms)) for group in filed.values() for entry in group]
    spends: dict[str, list[BudgetSpend]] = {}
    keys = {period.key for _entry, period in entries}
    for spend in BudgetSpend.objects.filter(budget_id__in=rows, period__in=keys):
        spends.setdefault(spend.budget_id, []).append(spend)
    each_person = Q(pk__in=[])
    for entry, period in entries:
        if rows[entry.id].scope == Scope.END_USER and not rows[entry.id].target:
            each_person |= Q(budget_id=entry.id, period__startswith=f"{period.key}/")
    for spend in spends_of_calls().filter(each_person).order_by("-spent_nanodollars")[:50]:
        spends.setdefault(spend.budget_id, []).append(spend)
    found = []
    for entry, period in entries:
        limit = entry.limit_at(at_ms)
        of_period = [
            spend
            for spend in spends.get(entry.id, ())
            if spend.period == period.key or spend.period.startswith(f"{period.key}/")
        ]
        for spend in of_period or [BudgetSpend(budget_id=entry.id, period=period.key)]:
            person = spend.period.removeprefix(period.key).removeprefix("/")
            found.append(
                BudgetState(
                    rows[entry.id],
                    entry,
                    period,
                    spend.spent_nanodollars,
                    limit,
                    spend.requests,
                    at_ms,
                    person,
                    _has_refused(spend, limit, at_ms),
                    spend.refused_requests or 0,
                )
            )
    found.sort(key=lambda state: (bool(state.left) and not state.refuses, -state.share, state.name))
    return found


def spends_of_calls() -> "QuerySet[BudgetSpend]":
    """Without what only tells of refusals."""
    return BudgetSpend.objects.exclude(requests=0, spent_nanodollars=0)


def _has_refused(spend: BudgetSpend, limit: int, at_ms: int) -> bool:
    """Whether it refused a call lately, at the limit as it is now."""
    at = spend.refused_at
    return at is not None and at >= from_ms(at_ms - LATELY_MS) and spend.refused_limit_nanodollars == limit


def filters_of(budget: Budget) -> Filters | None:
    """The calls a budget is charged for, as the sums know them; None where they do not."""
    match budget.scope:
        case Scope.KEY:
            return Filters(key_id=str(budget.key_id))
        case Scope.USER:
            return Filters(user_id=str(budget.user_id))
        case Scope.SERVICE:
            return Filters(service_id=str(budget.service_id))
        case Scope.ENVIRONMENT:
            service = str(budget.service_id) if budget.service_id else ""
            return Filters(environment=budget.target, service_id=service)
        case Scope.MODEL:
            return Filters(model=budget.target)
        case Scope.PROVIDER:
            return Filters(provider=ids_named("provider", budget.target))
        case Scope.DEPLOYMENT:
            return Filters(deployment_id=ids_named("deployment", budget.target))
        case Scope.GLOBAL:
            return Filters()
        case _:
            return None
