"""Costs that came after a call's end: it costs what its row says and what came later."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Sum

from usage_app.models import Adjustment, Request
from usage_app.models.correction import CORRECTION_CAUSE

_QUERY_IDS = 500  # SQLite takes so many values at once


def late_costs(ids: Sequence[UUID]) -> dict[UUID, int]:
    """Nanodollars that came later, by call; nothing of a call that nothing came for."""
    late: dict[UUID, int] = {}
    for start in range(0, len(ids), _QUERY_IDS):
        some = Adjustment.objects.filter(request_id__in=ids[start : start + _QUERY_IDS], is_applied=True)
        sums = some.values("request_id").annotate(late=Sum("cost_nanodollars"))
        late |= {each["request_id"]: each["late"] for each in sums}
    return late


def charge_late(rows: Iterable[Request]) -> dict[UUID, int]:
    """Rows as they cost in the end, in one query a page; for showing alone, never to be saved."""
    rows = list(rows)
    late = late_costs([row.pk for row in rows])
    for row in rows:
        if row.pk in late:
            row.cost_nanodollars = (row.cost_nanodollars or 0) + late[row.pk]
    return late


def corrections_of(request_id: UUID) -> list[Adjustment]:
    """The entries of a call that correct its price, in their order."""
    entries = Adjustment.objects.filter(request_id=request_id, is_applied=True)
    return list(entries.filter(cause__startswith=CORRECTION_CAUSE).order_by("at"))
