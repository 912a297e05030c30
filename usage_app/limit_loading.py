"""Fills a limit store from the ledger and the journals: what is spent, and what open calls hold.

The ledger's sums and the journals' positions are read in one transaction; what the journals hold
beyond those positions is added, so nothing is counted twice and nothing is missed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import close_old_connections, transaction
from msgspec.structs import replace

from keys_app.limits.contract import LimitStore, OpenHold
from usage_app.journal import read_records, segment_numbers, segment_path
from usage_app.models import Adjustment, BudgetSpend, JournalOffset
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.records import Adjust, AttemptBegun, Begin, Charge, End, Progress, Record

log = logging.getLogger("gatehouse.limits")

LOOK_S = 0.25
#: Corrections of prices are told to the counters so often.
CORRECTIONS_EVERY_S = 2.0
CORRECTIONS_A_ROUND = 1_000
SAY_S = 10.0

Spend = dict[tuple[str, str], int]


async def keep_loaded(store: LimitStore, journals: Path, own: str, *, alone: bool) -> None:
    """Load the store whenever it asks for it, until cancelled.

    `alone`: the counters live in this process, so a former worker must be gone and its open calls
    resolved first; until then limited keys wait.
    """
    said_s, looked_s = 0.0, 0.0
    told: UUID | None = None  # the newest correcting entry that the counters have
    while True:
        if store.needs_load:
            try:
                waiting = await asyncio.to_thread(_unresolved, journals, own) if alone else []
                if not waiting:
                    spend, holds, told = await asyncio.to_thread(read_standing, journals)
                    await store.load(spend, holds)
                    log.info("limits are loaded: %d budgets, %d calls in flight", len(spend), len(holds))
                elif said_s >= SAY_S:
                    said_s = 0.0
                    log.warning("limited keys wait for the ledger to finish %d journals", len(waiting))
            except Exception:
                log.exception("the limits cannot be loaded yet")
                await asyncio.sleep(1.0)
        looked_s += LOOK_S
        if not store.needs_load and looked_s >= CORRECTIONS_EVERY_S:
            looked_s = 0.0
            try:
                told = await tell_corrections(store, told)
            except Exception:
                log.exception("corrections of prices cannot be told to the limits yet")
        said_s += LOOK_S
        await asyncio.sleep(LOOK_S)


async def tell_corrections(store: LimitStore, told: UUID | None) -> UUID:
    """Count what corrections of prices have charged to budgets since an entry; the newest entry now.

    None: all there are so far are in the counters already, for these live longer than this process.
    """
    if told is None:
        return await asyncio.to_thread(_newest_entry)
    rows = await asyncio.to_thread(_entries_after, told)
    for pk, request_id, cause, amount, charges in rows:
        pairs = {(charge["budget_id"], charge["period"]) for charge in charges}
        if pairs and amount and not await store.adjust(f"{request_id}/{cause}", pairs, amount):
            return told  # the store is away: from here on again
        told = pk
    return told


_NO_ENTRY = UUID(int=0)


def _newest_entry() -> UUID:
    try:
        return _newest_entry_now()
    finally:
        close_old_connections()


def _newest_entry_now() -> UUID:
    entries = Adjustment.objects.filter(cause__startswith=CORRECTION_CAUSE).order_by("-pk")
    return entries.values_list("pk", flat=True).first() or _NO_ENTRY


def _entries_after(pk: UUID) -> list[tuple[UUID, UUID, str, int, Any]]:
    try:
        rows = Adjustment.objects.filter(pk__gt=pk, cause__startswith=CORRECTION_CAUSE).order_by("pk")
        found = rows.values_list("pk", "request_id", "cause", "cost_nanodollars", "charges")
        return list(found[:CORRECTIONS_A_ROUND])
    finally:
        close_old_connections()


def read_standing(journals: Path) -> tuple[Spend, list[OpenHold], UUID]:
    """(spent by budget and period, calls that began and have not ended, the newest correcting entry)."""
    try:
        with transaction.atomic():
            spend: Spend = defaultdict(int)
            for budget_id, period, amount in BudgetSpend.objects.values_list(
                "budget_id", "period", "spent_nanodollars"
            ):
                spend[budget_id, period] = amount
            rows = {row.journal: row for row in JournalOffset.objects.all()}
            newest = _newest_entry_now()
    finally:
        close_old_connections()
    holds: dict[str, OpenHold] = {}
    for folder in _folders(journals):
        _add_journal(folder, rows.get(folder.name), spend, holds)
    return dict(spend), list(holds.values()), newest


def _add_journal(folder: Path, row: JournalOffset | None, spend: Spend, holds: dict[str, OpenHold]) -> None:
    written = (row.segment, row.offset) if row else (1, 0)
    start = (row.open_from_segment, row.open_from_offset) if row and row.open_calls else written
    for record, place in _records(folder, start):
        if isinstance(record, Begin) and record.charges:
            holds[record.id] = OpenHold(
                record.id, _pairs(record.charges), record.held_nanodollars, record.at_ms
            )
        elif isinstance(record, AttemptBegun) and record.charges is not None:
            began = holds.pop(record.id, None)
            if record.charges:
                at_ms = began.at_ms if began else record.at_ms
                holds[record.id] = OpenHold(record.id, _pairs(record.charges), record.held_nanodollars, at_ms)
        elif isinstance(record, Progress) and record.id in holds:
            held = holds[record.id]
            if record.held_nanodollars > held.nanodollars:
                holds[record.id] = replace(held, nanodollars=record.held_nanodollars)
        elif isinstance(record, End):
            holds.pop(record.id, None)
            if place > written:
                for pair in _pairs(record.charges):
                    spend[pair] += record.cost_nanodollars or 0
        elif isinstance(record, Adjust) and place > written and not _is_correction(record):
            for pair in _pairs(record.charges):
                spend[pair] += record.cost_nanodollars


def _is_correction(record: Adjust) -> bool:
    """Whether `tell_corrections` will tell of it, once it is in the ledger."""
    return record.cause.startswith(CORRECTION_CAUSE)


def _records(folder: Path, start: tuple[int, int]) -> Iterator[tuple[Record, tuple[int, int]]]:
    """Records from a position on, each with the position after it."""
    segment, offset = start
    for number in segment_numbers(folder):
        if number < segment:
            continue
        try:
            for record, after in read_records(
                segment_path(folder, number), offset if number == segment else 0
            ):
                if isinstance(record, Record):
                    yield record, (number, after)
        except FileNotFoundError:
            continue  # written to the database and deleted meanwhile


def _unresolved(journals: Path, own: str) -> list[str]:
    """Journals of other workers that the ledger has not finished."""
    names = {folder.name for folder in _folders(journals) if folder.name != own}
    if not names:
        return []
    try:
        rows = JournalOffset.objects.filter(journal__in=names, finished_at__isnull=False)
        return sorted(names - set(rows.values_list("journal", flat=True)))
    finally:
        close_old_connections()


def _folders(journals: Path) -> list[Path]:
    if not journals.is_dir():
        return []
    return [
        entry for entry in journals.iterdir() if not entry.name.startswith("_") and segment_numbers(entry)
    ]


def _pairs(charges: tuple[Charge, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((charge.budget_id, charge.period) for charge in charges)
