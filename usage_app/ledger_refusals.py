"""Which budgets refused a call of late, kept beside what they spent: no page looks for it among the calls."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from gateway_project.clock import from_ms
from usage_app.ledger_rows import count, text
from usage_app.models import BudgetSpend, Request

BUDGET_CODE = "budget_exceeded"
#: (budget, period) -> when it refused a call last, milliseconds, and the limit it had then, nanodollars.
Refusals = dict[tuple[str, str], tuple[int, int]]


def refusals_of(status: str, error_code: str, decision: Any, at_ms: int) -> Refusals:
    """The budgets that refused a call, by the allowances that its decision tells of."""
    if status != Request.Status.REFUSED or error_code != BUDGET_CODE or not isinstance(decision, Mapping):
        return {}
    found: Refusals = {}
    for each in decision.get("allowances") or ():
        if each.get("refused") and each.get("id") and each.get("period"):
            key = (text(str(each["id"]), 36), text(str(each["period"]), 40))
            found[key] = (at_ms, count(int(each.get("limit") or 0)) or 0)
    return found


def add(known: Refusals, found: Refusals) -> None:
    """Keep the later one of each."""
    for key, told in found.items():
        known[key] = max(told, known.get(key, told))


def write(refusals: Refusals) -> None:
    """Within the transaction whose upsert made and locked these rows in key order, so without a deadlock."""
    for (budget_id, period), (at_ms, limit) in sorted(refusals.items()):
        at = from_ms(at_ms)
        earlier = Q(refused_at__isnull=True) | Q(refused_at__lte=at)
        BudgetSpend.objects.filter(earlier, budget_id=budget_id, period=period).update(
            refused_at=at, refused_limit_nanodollars=limit
        )
