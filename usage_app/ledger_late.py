"""Costs that come after their call's end: late ends, adjustments, and those that wait for their request.

Each counts once by its cause, where its call is counted.
"""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from gateway_project.clock import from_ms, uuid7
from usage_app import ledger_rows, stored
from usage_app.late_costs import TELLS_COST, corrections_of, tells_cost
from usage_app.ledger_batches import Batch
from usage_app.ledger_rows import countable
from usage_app.models import Adjustment, Request
from usage_app.models.correction import CORRECTION_CAUSE
from usage_app.models.rollup import DIMENSIONS
from usage_app.records import BATCHES, LATE_END, Adjust, End, later_cost
from usage_app.rollups import Countable, is_unpriced

QUERY_IDS = 500
#: Endpoints of calls whose cost comes when their batch is done.
LATER = ("batches", "messages.batches")
_COUNTED = ("started_at", *DIMENSIONS, "tags", "end_user", "client", "usage_source", "repeated")


def rows_of(call_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Rows that are in the ledger already, by id."""
    ids = list(call_ids)
    known: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), QUERY_IDS):
        rows = Request.objects.filter(pk__in=ids[start : start + QUERY_IDS])
        for row in rows.values("id", "status", "cost_nanodollars", *_COUNTED):
            known[str(row["id"])] = row
    return known


def adjust_late(end: End, known: dict[str, dict[str, Any]], batch: Batch) -> None:
    """An end after `interrupted`: the difference is charged. After a true end: read twice."""
    row = known.get(end.id)
    if row is None:
        former = batch.ends[end.id]
        status, charged, call = former.status, former.cost_nanodollars, countable(former)
    else:
        status, charged, call = row["status"], row["cost_nanodollars"], _countable_of(row)
    still_unknown = charged is None and _unpriced(end)
    if status == "interrupted" and end.status != "interrupted" and not still_unknown:
        corrected = sum(each.cost_nanodollars for each in corrections_of(uuid.UUID(end.id)))
        difference = (end.cost_nanodollars or 0) - (charged or 0) - corrected
        late = Adjust(end.id, end.finished_at_ms, LATE_END, difference, end.charges)
        _add_adjustment(batch, late, call, _unpriced(row or former))
    batch.note_settled(end)


def adjust_told(adjusts: list[Adjust], batch: Batch) -> None:
    """Adjustments as the journals tell them; one whose call is not here yet waits for it."""
    known = rows_of({adjust.id for adjust in adjusts if adjust.id not in batch.ends})
    for adjust in adjusts:
        if end := batch.ends.get(adjust.id):
            _add_adjustment(batch, adjust, countable(end), _unpriced(end))
        elif row := known.get(adjust.id):
            _add_adjustment(batch, adjust, _countable_of(row), _unpriced(row))
        else:
            _add_adjustment(batch, adjust, None, 0)


def _add_adjustment(batch: Batch, adjust: Adjust, call: Countable | None, unpriced: int) -> None:
    """Once by its cause. `call` is None while it is not written yet.

    A correction was computed from a row that a late end has told more of since: then that counts alone.
    """
    request_id, cause = uuid.UUID(adjust.id), ledger_rows.text(adjust.cause, 80)
    told = (cause, LATE_END) if cause.startswith(CORRECTION_CAUSE) else (cause,)
    if any((adjust.id, each) in batch.causes for each in told):
        return
    if Adjustment.objects.filter(request_id=request_id, cause__in=told).exists():
        return
    batch.causes.add((adjust.id, cause))
    batch.adjustments.append(
        Adjustment(
            id=uuid7(),
            request_id=request_id,
            cause=cause,
            cost_nanodollars=adjust.cost_nanodollars,
            at=from_ms(adjust.at_ms),
            charges=[{"budget_id": c.budget_id, "period": c.period} for c in adjust.charges],
            is_applied=call is not None,
        )
    )
    batch.charge(adjust.charges, adjust.cost_nanodollars, 0)
    if call is not None:
        _count_late(batch, adjust.id, cause, adjust.cost_nanodollars, call, unpriced)


def _count_late(
    batch: Batch, call_id: str, cause: str, nanodollars: int, call: Countable, unpriced: int
) -> None:
    """A cost that came later; the first that tells what an unpriced call costs takes it out of these."""
    batch.sums.add_cost(call, nanodollars)
    if not unpriced or not tells_cost(cause) or call_id in batch.priced:
        return
    batch.priced.add(call_id)
    if not Adjustment.objects.filter(TELLS_COST, request_id=call_id, is_applied=True).exists():
        batch.sums.add_priced(call, unpriced)


def apply_waiting(batch: Batch) -> None:
    """Adjustments that came before their request are counted now that it is here."""
    waiting = Adjustment.objects.filter(is_applied=False)
    if not batch.ends or not waiting.exists():
        return
    ids = list(batch.ends)
    for start in range(0, len(ids), QUERY_IDS):
        for adjustment in waiting.filter(request_id__in=ids[start : start + QUERY_IDS]):
            end = batch.ends[str(adjustment.request_id)]
            late = (adjustment.cause, adjustment.cost_nanodollars, countable(end), _unpriced(end))
            _count_late(batch, end.id, *late)
            batch.applied.append(adjustment.pk)


def note_later(batch: Batch) -> None:
    """Calls that made a batch end, and go on holding what it may cost: however their worker ended."""
    ids = [end.id for end in batch.ends.values() if end.endpoint in LATER and end.charges]
    if not ids:
        return
    waiting = {each.id for each in batch.stored if each.kind in BATCHES and each.state == "pending"}
    waiting |= stored.waiting_among(ids)
    batch.settled = [
        replace(call, later=later_cost(call.id)) if call.id in waiting else call for call in batch.settled
    ]


def _unpriced(told: End | dict[str, Any]) -> int:
    """How often a call is counted among those whose cost nobody can tell."""
    row = told if isinstance(told, dict) else msgspec.structs.asdict(told)
    names = ("status", "cost_nanodollars", "deployment_id", "usage_source")
    return max(row["repeated"], 1) if is_unpriced(*(row[name] for name in names)) else 0


def _countable_of(row: dict[str, Any]) -> Countable:
    """Where a row of the ledger is counted (its own figures are counted already)."""
    return Countable(
        started_ms=round(row["started_at"].timestamp() * 1000),
        dimensions=tuple(row[name] for name in DIMENSIONS),
        figures=(),
        claims=ledger_rows.claims_of(row["tags"], row["end_user"], row["client"]),
    )
