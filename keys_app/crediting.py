"""Money that is added to a budget: prepaid credit for good, or an increase that ends by itself.

Nothing else raises what is left of a budget, and both are in the audit log.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from gateway_project.clock import now
from gateway_project.money import usd_string
from keys_app.audit import record_change
from keys_app.models import Budget, TopUp


def top_up(actor: Any, budget: Budget, nanodollars: int, note: str = "") -> TopUp:
    """Add prepaid credit to a budget that never resets; a negative amount takes a mistake back."""
    if budget.period != Budget.Period.TOTAL:
        raise ValidationError(_("Credit is added to a budget in total; this one resets."))
    if not nanodollars:
        raise ValidationError(_("An amount of 0 changes nothing."))
    with transaction.atomic():
        row = Budget.objects.select_for_update().get(pk=budget.pk)
        if row.amount_nanodollars + nanodollars < 0:
            raise ValidationError(_("That is more than the budget has."))
        before = row.amount_nanodollars
        Budget.objects.filter(pk=row.pk).update(amount_nanodollars=F("amount_nanodollars") + nanodollars)
        made = TopUp.objects.create(
            budget=row,
            amount_nanodollars=nanodollars,
            note=note[:200],
            made_by=str(getattr(actor, "username", actor))[:150],
        )
        change = [f"${usd_string(before)}", f"${usd_string(before + nanodollars)}"]
        record_change(actor, row, "topped up", (), {"amount": change})
    budget.refresh_from_db()
    return made


def increase(actor: Any, budget: Budget, nanodollars: int, until: datetime | None) -> None:
    """Allow this much more until an instant; 0 or None takes an increase away."""
    ends = until if nanodollars else None
    if nanodollars < 0 or (nanodollars and (ends is None or ends <= now())):
        raise ValidationError(_("An increase needs an amount and an end to come."))
    before = [
        f"${usd_string(budget.extra_nanodollars)}",
        budget.extra_until and budget.extra_until.isoformat(),
    ]
    budget.extra_nanodollars, budget.extra_until = (nanodollars if ends else 0), ends
    with transaction.atomic():
        budget.save(update_fields=["extra_nanodollars", "extra_until"])
        after = [f"${usd_string(budget.extra_nanodollars)}", ends and ends.isoformat()]
        record_change(actor, budget, "increased", (), {"temporary increase": [before, after]})
