"""What keys, people, services and budgets have spent, as cells of lists: of the admin's, and of My keys."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from gateway_project import clock
from keys_app.models import Budget, Scope, User, VirtualKey
from keys_app.spending import Teller
from usage_app.budget_states import BudgetState, budgets_in, states
from usage_app.budget_unpriced import with_unpriced
from usage_app.figures import known_money
from usage_app.ledger_series import one_picture
from usage_app.reports import Filters, Totals, breakdown, counted, reporting_zone
from usage_app.selection import Selection, select
from usage_app.sight import Sight, sight_of

Cells = dict[str, SafeString]
_CELL = "ui/_spending.html"


def teller_of(scope: Scope) -> Teller:
    """For rows that have budgets of their own: the fullest of these, else what they spent this month."""

    def tell(rows: Sequence[Any], viewer: User) -> Cells:
        sight = sight_of(viewer)
        ids = [str(row.pk) for row in rows]
        cells = {
            subject: _cell(state=fullest, others=len(others), names_period=True)
            for subject, (fullest, *others) in _budgets_of(scope, ids, sight).items()
        }
        return cells | _spent_this_month(scope, [each for each in ids if each not in cells], sight)

    return tell


def tell_months(rows: Sequence[VirtualKey], viewer: User) -> Cells:
    """Of keys, what each of them spent this month; it opens these calls."""
    month, spent = _month_by(Scope.KEY, [str(row.pk) for row in rows], sight_of(viewer))
    cells = {}
    for each, totals in spent.items():
        link = _usage_of(Scope.KEY, each, month) if totals.requests else ""
        cells[each] = render_to_string("ui/_spent.html", {"totals": totals, "link": link})
    return cells


def tell_shares(rows: Sequence[VirtualKey], viewer: User) -> Cells:
    """Of keys that have a budget of their own, which part of the fullest is spent."""
    found = _budgets_of(Scope.KEY, [str(row.pk) for row in rows], sight_of(viewer))
    return {
        subject: render_to_string("ui/_budget_share.html", {"state": fullest, "others": len(others)})
        for subject, (fullest, *others) in found.items()
    }


def tell_budgets(rows: Sequence[Budget], viewer: User) -> Cells:
    """Of budgets themselves; of one for each end user the fullest."""
    cells: Cells = {}
    budgets = budgets_in(sight_of(viewer)).filter(pk__in=[row.pk for row in rows])
    for state in with_unpriced(states(budgets)):
        cells.setdefault(str(state.budget.pk), _cell(state=state, names_period=False))
    return cells


def _budgets_of(scope: Scope, ids: list[str], sight: Sight) -> dict[str, list[BudgetState]]:
    """The budgets of each that has some, the fullest first."""
    budgets = budgets_in(sight).filter(**{"scope": scope, f"{scope.value}__in": ids})
    found: dict[str, list[BudgetState]] = {}
    for state in with_unpriced(states(budgets)):
        found.setdefault(str(getattr(state.budget, f"{scope.value}_id")), []).append(state)
    return found


def _spent_this_month(scope: Scope, ids: list[str], sight: Sight) -> Cells:
    month, spent = _month_by(scope, ids, sight)
    return {
        each: _cell(amount=_amount(totals), link=_usage_of(scope, each, month))
        for each, totals in spent.items()
    }


@one_picture()
def _month_by(scope: Scope, ids: list[str], sight: Sight) -> tuple[Selection, dict[str, Totals]]:
    """This month of the reporting zone, over the range that its sums are of, and the sums by id."""
    month = select({"range": "month"}, {}, clock.now(), reporting_zone(), keeps=False)
    month = month.over(*counted(month.since, month.until))
    if not ids:  # of none: as a filter it would mean any
        return month, {}
    filters = Filters(**{f"{scope.value}_id": tuple(ids)})
    lines = breakdown((scope.value,), month.since, month.until, filters, sight, durations=False)
    spent = {line.ids[0]: line.totals for line in lines}
    return month, {each: spent.get(each, Totals()) for each in ids}


def _amount(spent: Totals) -> str:
    return (
        _("unpriced") if spent.is_unpriced else known_money(spent.cost_nanodollars, spent.unpriced_requests)
    )


def _usage_of(scope: Scope, subject: str, month: Selection) -> str:
    """Where the money of this month went."""
    chosen = {**month.exactly, scope.value: subject}
    if scope == Scope.SERVICE:
        return f"{reverse('ui:usage')}?{urlencode({**chosen, 'by': 'key'})}"
    return f"{reverse('ui:requests')}?{urlencode(chosen)}"


def _cell(**shown: Any) -> SafeString:
    return render_to_string(_CELL, shown)
