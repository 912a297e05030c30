"""Budgets that have reached a percentage they tell at: one alert each, once a period.

What is spent comes from the ledger's sums, so an alert is never ahead of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway_project.clock import from_ms, now
from gateway_project.money import usd_string
from keys_app.models import Budget
from keys_app.periods import period_of
from keys_app.snapshot_rows import limits_of_rows
from usage_app.models import Alert, BudgetSpend

KIND = "budget"


@dataclass(frozen=True, slots=True)
class Crossing:
    """A budget at or past a percentage of its limit, in a period."""

    budget: Budget
    period: str
    percent: int
    spent_nanodollars: int
    limit_nanodollars: int
    resets_at_ms: int | None

    @property
    def subject(self) -> str:
        return f"{self.budget.pk}/{self.period}/{self.percent}"

    @property
    def sentence(self) -> str:
        spent, limit = usd_string(self.spent_nanodollars), usd_string(self.limit_nanodollars)
        told = f"{level_of(self.budget)}: ${spent} of ${limit} spent, {self.percent} % is reached"
        kind = "further calls are refused" if self.budget.hard else "nothing is refused"
        past = f"; {kind}" if self.spent_nanodollars >= self.limit_nanodollars else ""
        if self.resets_at_ms is None:
            return f"{told}{past}."
        return f"{told}{past}. It resets at {from_ms(self.resets_at_ms):%Y-%m-%d %H:%M} UTC."


def level_of(budget: Budget) -> str:
    """How a budget is called: its level and whose it is."""
    subject = budget.key or budget.user or budget.service
    name = budget.target or (str(subject) if subject is not None else "")
    return f"Budget of {budget.get_scope_display().lower()} {name}".rstrip() + f" per {budget.period}"


def crossings(at_ms: int) -> Iterator[Crossing]:
    """Every percentage that is reached now, told or not."""
    rows = {str(row.pk): row for row in _telling_budgets()}
    if not rows:
        return
    entries = limits_of_rows(frozenset(rows), frozenset()).budgets
    for entry in (entry for filed in entries.values() for entry in filed):
        budget, period, limit = rows[entry.id], period_of(entry, at_ms), entry.limit_at(at_ms)
        spends = BudgetSpend.objects.filter(budget_id=entry.id, period__startswith=period.key)
        for key, spent in spends.values_list("period", "spent_nanodollars"):
            if key != period.key and not key.startswith(f"{period.key}/"):
                continue
            for percent in budget.alert_percents:
                if spent * 100 >= limit * percent and spent > 0:
                    yield Crossing(budget, key, percent, spent, limit, period.end_ms)


def _telling_budgets() -> Iterator[Budget]:
    rows = Budget.objects.select_related("key", "user", "service").filter(is_enabled=True)
    return (row for row in rows.exclude(alert_percents=[]) if isinstance(row.alert_percents, list))


def raise_crossings(at_ms: int) -> list[Alert]:
    """Alerts for what was crossed since the last look: of percentages crossed at once the highest."""
    found = list(crossings(at_ms))
    told: dict[tuple[str, str], int] = {}
    for subject in _known(found):
        budget_id, period, percent = parts_of(subject)
        told[budget_id, period] = max(percent, told.get((budget_id, period), 0))
    highest: dict[tuple[str, str], Crossing] = {}
    for crossing in sorted(found, key=lambda one: one.percent):
        place = (str(crossing.budget.pk), crossing.period)
        if crossing.percent > told.get(place, 0):
            highest[place] = crossing
    standing = {crossing.subject for crossing in found}
    over = Alert.objects.filter(kind=KIND, resolved_at=None).exclude(subject__in=standing)
    over.update(resolved_at=now())
    return [_raise(crossing) for crossing in highest.values()]


def _known(found: list[Crossing]) -> list[str]:
    subjects = {crossing.subject for crossing in found}
    return list(Alert.objects.filter(kind=KIND, subject__in=subjects).values_list("subject", flat=True))


def _raise(crossing: Crossing) -> Alert:
    return Alert.objects.create(
        kind=KIND,
        subject=crossing.subject,
        detail=crossing.sentence[:1000],
        level=Alert.Level.CRITICAL if crossing.percent >= 100 else Alert.Level.WARNING,
        first_at=now(),
        last_at=now(),
    )


def parts_of(subject: str) -> tuple[str, str, int]:
    """Budget, period (of an end user: with their name) and percent."""
    budget_id, _slash, rest = subject.partition("/")
    period, _slash, percent = rest.rpartition("/")
    return budget_id, period, int(percent)


def budget_of(alert: Alert) -> Budget | None:
    """The budget an alert is about, if it still exists."""
    budgets = Budget.objects.select_related("key", "user", "service")
    return budgets.filter(pk=alert.subject.partition("/")[0]).first()
