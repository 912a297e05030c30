"""Fills a limit store from the ledger and the journals: what is spent, and what is held for open calls and
for batches under way.

The ledger's sums and the journals' positions are read in one transaction; what the journals hold
beyond those positions is added, so nothing is counted twice and nothing is missed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.db import close_old_connections, connection, transaction
from msgspec.structs import replace

from gateway_project.clock import now_ms
from keys_app.limits.contract import LimitStore, OpenHold
from usage_app import stored
from usage_app.journal_folder import segment_numbers, segment_path
from usage_app.journal_lines import read_records
from usage_app.limit_correcting import CorrectionTeller, is_correction, told_lately
from usage_app.models import BudgetSpend, JournalOffset
from usage_app.records import (
    BATCH_CAUSE,
    BATCHES,
    Adjust,
    AttemptBegun,
    Begin,
    Charge,
    End,
    Progress,
    Record,
    Stored,
    later_cost,
)

log = logging.getLogger("gatehouse.limits")

LOOK_S = 0.25
#: Corrections of prices are told to the counters so often.
CORRECTIONS_EVERY_S = 2.0
SAY_S = 10.0

Spend = dict[tuple[str, str], int]


@dataclass(slots=True)
class _Batches:
    """Batches by the call that made each, as the ledger and then the journals tell of them."""

    waiting: dict[str, Stored]  # not seen to be done
    told: set[str]  # their cost is counted
    over: set[str] = field(default_factory=set)  # a state only rises, whichever journal is read first

    def note(self, record: Stored) -> None:
        if record.state == "pending":
            self.waiting.setdefault(record.id, record)
        else:
            self.over.add(record.id)


async def keep_loaded(store: LimitStore, journals: Path, own: str, *, alone: bool) -> None:
    """Load the store whenever it asks for it, until cancelled.

    `alone`: the counters live in this process, so a former worker must be gone and its open calls
    resolved first; until then limited keys wait.
    """
    said_s, looked_s = 0.0, 0.0
    teller = CorrectionTeller()
    while True:
        if store.needs_load:
            try:
                waiting = await asyncio.to_thread(_unresolved, journals, own) if alone else []
                if not waiting:
                    spend, holds, adjusted, counted = await asyncio.to_thread(read_standing, journals)
                    is_ours = await store.load(spend, holds, adjusted)
                    teller = counted if is_ours else CorrectionTeller()
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
                await teller.tell(store)
            except Exception:
                log.exception("corrections of prices cannot be told to the limits yet")
        said_s += LOOK_S
        await asyncio.sleep(LOOK_S)


def read_standing(journals: Path) -> tuple[Spend, list[OpenHold], list[str], CorrectionTeller]:
    """(spent by budget and period, what calls and batches under way hold, later costs that are counted and
    may be told again, who tells of corrections from here on) at this moment."""
    at_ms = now_ms()
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":  # by itself each question would see a state of its own
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            spend: Spend = defaultdict(int)
            for budget_id, period, amount in BudgetSpend.objects.values_list(
                "budget_id", "period", "spent_nanodollars"
            ):
                spend[budget_id, period] = amount
            rows = {row.journal: row for row in JournalOffset.objects.all()}
            records, told = stored.with_cost_to_come()
            corrected, teller = told_lately(), CorrectionTeller.of_counters_read(at_ms)
    finally:
        close_old_connections()
    batches = _Batches({record.id: record for record in records}, set(told))
    holds: dict[str, OpenHold] = {}
    for folder in _folders(journals):
        _add_journal(folder, rows.get(folder.name), spend, holds, batches)
    for record in batches.waiting.values():
        holds.pop(record.id, None)  # its call ends at once, the hold goes on under another name
        if stored.holds_money(record, at_ms) and record.id not in batches.told | batches.over:
            name = later_cost(record.id)
            holds[name] = OpenHold(
                name, _pairs(record.charges), record.held_nanodollars, record.at_ms, is_later=True
            )
    adjusted = corrected + [later_cost(each) for each in batches.told]
    return dict(spend), list(holds.values()), adjusted, teller


def _add_journal(
    folder: Path,
    row: JournalOffset | None,
    spend: Spend,
    holds: dict[str, OpenHold],
    batches: _Batches,
) -> None:
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
        elif isinstance(record, Adjust) and place > written and not is_correction(record):
            is_of_batch = record.cause == BATCH_CAUSE
            if is_of_batch and record.id in batches.told:
                continue  # told twice, counted once
            for pair in _pairs(record.charges):
                spend[pair] += record.cost_nanodollars
            if is_of_batch:
                batches.told.add(record.id)
        elif isinstance(record, Stored) and record.kind in BATCHES and place > written:
            batches.note(record)


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
