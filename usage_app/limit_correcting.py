"""Tells a limit store what corrections of prices charge to budgets, as the ledger comes to have it."""

import asyncio
from typing import Any
from uuid import UUID

from django.db import close_old_connections

from keys_app.limits.contract import LimitStore
from usage_app.models import Adjustment
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.records import Adjust

ENTRIES_A_ROUND = 1_000
_NO_ENTRY = UUID(int=0)


async def tell_corrections(store: LimitStore, told: UUID | None) -> UUID:
    """Count what came since an entry; the newest entry now.

    None: all there are so far are in the counters already, for these live longer than this process.
    """
    if told is None:
        return await asyncio.to_thread(_newest_entry_alone)
    for pk, request_id, cause, amount, charges in await asyncio.to_thread(_entries_after, told):
        pairs = {(charge["budget_id"], charge["period"]) for charge in charges}
        if pairs and amount and not await store.adjust(f"{request_id}/{cause}", pairs, amount):
            return told  # the store is away: from here on again
        told = pk
    return told


def newest_entry() -> UUID:
    """The newest correcting entry, as the present transaction sees it."""
    entries = Adjustment.objects.filter(cause__startswith=CORRECTION_CAUSE).order_by("-pk")
    return entries.values_list("pk", flat=True).first() or _NO_ENTRY


def is_correction(record: Adjust) -> bool:
    """Whether `tell_corrections` will tell of it, once it is in the ledger."""
    return record.cause.startswith(CORRECTION_CAUSE)


def _newest_entry_alone() -> UUID:
    try:
        return newest_entry()
    finally:
        close_old_connections()


def _entries_after(pk: UUID) -> list[tuple[UUID, UUID, str, int, Any]]:
    try:
        rows = Adjustment.objects.filter(pk__gt=pk, cause__startswith=CORRECTION_CAUSE).order_by("pk")
        found = rows.values_list("pk", "request_id", "cause", "cost_nanodollars", "charges")
        return list(found[:ENTRIES_A_ROUND])
    finally:
        close_old_connections()
