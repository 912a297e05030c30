"""How many calls budgets refused, and when the last, kept beside what they spent: no page looks for it among
the calls."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from gateway_project.clock import from_ms
from usage_app.ledger_rows import count, text
from usage_app.models import BudgetSpend, Request

BUDGET_CODE = "budget_exceeded"
#: (budget, period) -> when it refused a call last, milliseconds, the limit it had then, nanodollars, and
#: how many calls it refused.
Refusals = dict[tuple[str, str], tuple[int, int, int]]


def refusals_of(status: str, error_code: str, decision: Any, at_ms: int, calls: int = 1) -> Refusals:
    """The budgets that refused so many equal calls, by the allowances that their decision tells of."""
    if status != Request.Status.REFUSED or error_code != BUDGET_CODE or not isinstance(decision, Mapping):
        return {}
    found: Refusals = {}
    for each in decision.get("allowances") or ():
        if each.get("refused") and each.get("id") and each.get("period"):
            key = (text(str(each["id"]), 36), text(str(each["period"]), 40))
            found[key] = (at_ms, count(int(each.get("limit") or 0)) or 0, calls)
    return found


def add(known: Refusals, found: Refusals) -> None:
    """Keep the later one of each, and how many there are."""
    for key, (at_ms, limit, calls) in found.items():
        *former, before = known.get(key, (at_ms, limit, 0))
        last_ms, last_limit = max((at_ms, limit), tuple(former))
        known[key] = (last_ms, last_limit, before + calls)


def write(refusals: Refusals) -> None:
    """Within the transaction whose upsert made and locked these rows in key order, so without a deadlock."""
    for (budget_id, period), (at_ms, limit, calls) in sorted(refusals.items()):
        at, row = from_ms(at_ms), BudgetSpend.objects.filter(budget_id=budget_id, period=period)
        row.update(refused_requests=Coalesce(F("refused_requests"), 0) + calls)
        earlier = Q(refused_at__isnull=True) | Q(refused_at__lte=at)
        row.filter(earlier).update(refused_at=at, refused_limit_nanodollars=limit)
