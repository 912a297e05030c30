"""Tells a limit store what corrections of prices charge to budgets, as the ledger comes to have it."""

import asyncio
from typing import Any
from uuid import UUID

from django.db import close_old_connections
from django.db.models import QuerySet

from gateway_project.clock import now, now_ms, uuid7_at
from keys_app.limits.contract import LimitStore
from usage_app.models import Adjustment
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.records import Adjust, later_cost
from usage_app.stored import TOLD_AGAIN_WITHIN

ENTRIES_A_ROUND = 5_000
AT_ONCE = 200
#: Entries are in the order of a clock when they were made; they are seen, and a clock may step back, within.
SLACK_MS = 30_000


class CorrectionTeller:
    """What one process has told its store; the store counts once what several tell.

    One that has not loaded the counters begins a day back: the process that saw an entry come may have
    ended before it could tell.
    """

    def __init__(self) -> None:
        self._after = uuid7_at(now_ms() - int(TOLD_AGAIN_WITHIN.total_seconds() * 1000))
        self._told: set[UUID] = set()

    @classmethod
    def of_counters_read(cls, at_ms: int) -> "CorrectionTeller":
        """All that the present transaction, begun at this instant, sees is in the counters already."""
        teller = cls()
        teller._after = uuid7_at(at_ms - SLACK_MS)
        teller._told = set(_entries().filter(pk__gt=teller._after).values_list("pk", flat=True))
        return teller

    async def tell(self, store: LimitStore) -> None:
        """Count what came since the last time, until the store is away or a round is full."""
        waiting = await asyncio.to_thread(_entries_after, self._after, self._told)
        for start in range(0, len(waiting), AT_ONCE):
            some = waiting[start : start + AT_ONCE]
            counted = await asyncio.gather(*(_tell(store, *entry) for _, *entry in some))
            self._told |= {pk for (pk, *_), is_counted in zip(some, counted, strict=True) if is_counted}
            if not all(counted):
                return  # from here on again
        self._move_on(waiting[-1][0] if len(waiting) == ENTRIES_A_ROUND else None)

    def _move_on(self, last: UUID | None) -> None:
        """Look for nothing older again, for it was seen; `last`: more come after it."""
        reached = uuid7_at(now_ms() - SLACK_MS)
        self._after = max(self._after, min(reached, last or reached))
        self._told = {pk for pk in self._told if pk > self._after}


async def _tell(store: LimitStore, request_id: UUID, cause: str, amount: int, charges: Any) -> bool:
    pairs = {(charge["budget_id"], charge["period"]) for charge in charges}
    return not (pairs and amount) or await store.adjust(later_cost(str(request_id), cause), pairs, amount)


def told_lately() -> list[str]:
    """The later costs that may be told once more, as the present transaction sees them."""
    lately = _entries().filter(at__gt=now() - TOLD_AGAIN_WITHIN).values_list("request_id", "cause")
    return [later_cost(str(request_id), cause) for request_id, cause in lately]


def is_correction(record: Adjust) -> bool:
    """Whether it is told of from the ledger, once it is there."""
    return record.cause.startswith(CORRECTION_CAUSE)


def _entries() -> "QuerySet[Adjustment]":
    return Adjustment.objects.filter(cause__startswith=CORRECTION_CAUSE)


def _entries_after(after: UUID, told: set[UUID]) -> list[tuple[UUID, UUID, str, int, Any]]:
    try:
        pks = _entries().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
        new = [pk for pk in pks if pk not in told][:ENTRIES_A_ROUND]
        found: list[tuple[UUID, UUID, str, int, Any]] = []
        for start in range(0, len(new), AT_ONCE):
            rows = Adjustment.objects.filter(pk__in=new[start : start + AT_ONCE]).order_by("pk")
            found += rows.values_list("pk", "request_id", "cause", "cost_nanodollars", "charges")
        return found
    finally:
        close_old_connections()
