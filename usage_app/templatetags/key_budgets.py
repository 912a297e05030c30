"""For the pages of keys: its own budgets that refuse calls or are near their end, and the zone of months."""

from django import template

from keys_app.models import Scope, User, VirtualKey
from usage_app.budget_states import NEAR, BudgetState, budgets_in, states
from usage_app.reports import reporting_zone
from usage_app.sight import sight_of

register = template.Library()


@register.simple_tag
def budgets_of_key(key: VirtualKey, viewer: User) -> list[BudgetState]:
    """Of what the viewer sees, those that refuse first."""
    found = states(budgets_in(sight_of(viewer)).filter(scope=Scope.KEY, key=key))
    return [state for state in found if state.share >= NEAR or state.refuses or state.ends_at is not None]


@register.simple_tag
def months_zone() -> str:
    """The zone in which months are counted."""
    return reporting_zone().key
