"""What keys, people, services and budgets have spent, as cells of the admin's lists: a page at once."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from gateway_project import clock
from keys_app.models import Budget, Scope, User
from keys_app.spending import Teller
from usage_app.budget_states import BudgetState, budgets_in, states
from usage_app.budget_unpriced import with_unpriced
from usage_app.figures import known_money
from usage_app.reports import Filters, Totals, breakdown, reporting_zone
from usage_app.selection import span
from usage_app.sight import Sight, sight_of

Cells = dict[str, SafeString]
_RANGE = "month"
_CELL = "ui/_spending.html"


def teller_of(scope: Scope) -> Teller:
    """For rows that have budgets of their own: the fullest of these, else what they spent this month."""

    def tell(rows: Sequence[Any], viewer: User) -> Cells:
        sight = sight_of(viewer)
        ids = [str(row.pk) for row in rows]
        budgets = budgets_in(sight).filter(**{"scope": scope, f"{scope.value}__in": ids})
        found: dict[str, list[BudgetState]] = {}
        for state in with_unpriced(states(budgets)):
            found.setdefault(str(getattr(state.budget, f"{scope.value}_id")), []).append(state)
        cells = {
            subject: _cell(state=fullest, others=len(others), names_period=True)
            for subject, (fullest, *others) in found.items()
        }
        return cells | _spent_this_month(scope, [each for each in ids if each not in found], sight)

    return tell


def tell_budgets(rows: Sequence[Budget], viewer: User) -> Cells:
    """Of budgets themselves; of one for each end user the fullest."""
    cells: Cells = {}
    budgets = budgets_in(sight_of(viewer)).filter(pk__in=[row.pk for row in rows])
    for state in with_unpriced(states(budgets)):
        cells.setdefault(str(state.budget.pk), _cell(state=state, names_period=False))
    return cells


def _spent_this_month(scope: Scope, ids: list[str], sight: Sight) -> Cells:
    if not ids:
        return {}
    since, until = span(_RANGE, clock.now(), reporting_zone())
    filters = Filters(**{f"{scope.value}_id": tuple(ids)})
    lines = breakdown((scope.value,), since, until, filters, sight, durations=False)
    spent = {line.ids[0]: line.totals for line in lines}
    return {
        each: _cell(amount=_amount(spent.get(each, Totals())), link=_usage_of(scope, each)) for each in ids
    }


def _amount(spent: Totals) -> str:
    return (
        _("unpriced") if spent.is_unpriced else known_money(spent.cost_nanodollars, spent.unpriced_requests)
    )


def _usage_of(scope: Scope, subject: str) -> str:
    """Where the money of this month went."""
    chosen = {"range": _RANGE, "environment": "", "service": "", scope.value: subject}
    if scope == Scope.SERVICE:
        return f"{reverse('ui:usage')}?{urlencode({**chosen, 'by': 'key'})}"
    return f"{reverse('ui:requests')}?{urlencode(chosen)}"


def _cell(**shown: Any) -> SafeString:
    return render_to_string(_CELL, shown)
