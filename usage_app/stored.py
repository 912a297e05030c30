"""Rows of what providers keep for callers: written by the ledger process, read by workers."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from gateway_project.clock import from_ms, now, now_ms
from usage_app.alerts import raise_alert, resolve_alert
from usage_app.ledger_rows import MOST, text
from usage_app.models import Adjustment, Alert, StoredObject
from usage_app.records import BATCH_CAUSE, BATCHES, Charge, Stored, StoredKind, later_cost

#: A provider keeps an answer for a month; a file until somebody deletes it.
ANSWERS_KEPT = timedelta(days=60)
TRACES_KEPT = timedelta(days=30)
MOST_AT_ONCE = 500
#: A provider ends a batch within a day. One that nobody could look at for another holds its money no longer.
HELD_FOR = timedelta(hours=48)
#: Several workers may find the same one done; the last of them has told so within this time.
TOLD_AGAIN_WITHIN = timedelta(hours=24)
LOST = "batch_lost"

_STATES = {
    "pending": StoredObject.State.PENDING,
    "kept": StoredObject.State.KEPT,
    "gone": StoredObject.State.GONE,
}
_WORDS = {state: word for word, state in _STATES.items()}


def why_bad(record: Stored) -> str:
    """What keeps a record from becoming a row; '' when nothing does."""
    try:
        uuid.UUID(record.id)
        from_ms(record.at_ms)
    except (ValueError, OverflowError, OSError) as problem:
        return f"not a row: {problem}"
    return "" if 0 < len(record.object_id) <= 255 else "an id of no length, or too long"


def write(records: Iterable[Stored]) -> None:
    """Make or raise the rows; for within the batch's transaction. Writing the same again changes nothing."""
    latest: dict[tuple[str, str], Stored] = {}
    for record in records:
        key = (record.object_id, record.provider_id)
        former = latest.get(key)
        if former is None or _STATES[record.state] >= _STATES[former.state]:
            latest[key] = record
    if not latest:
        return
    ordered = [latest[key] for key in sorted(latest)]
    StoredObject.objects.bulk_create([_row(record) for record in ordered], ignore_conflicts=True)
    for record in ordered:
        state = _STATES[record.state]
        StoredObject.objects.filter(
            object_id=text(record.object_id, 255),
            provider_id=text(record.provider_id, 36),
            state__lt=state,
        ).update(state=state, changed_at=from_ms(record.at_ms))


def find(kind: StoredKind, object_id: str) -> list[Stored]:
    """What is known under an id, deleted or not; several when providers use the same one."""
    rows = StoredObject.objects.filter(object_id=object_id[:255], kind=kind)
    return [_record(row) for row in rows[:10]]


def listed(kind: StoredKind, owner: str, *, most: int = 1000) -> list[Stored]:
    """An owner's things of a kind that are not deleted, the newest first."""
    rows = StoredObject.objects.filter(kind=kind, owner=owner).exclude(state=StoredObject.State.GONE)
    return [_record(row) for row in rows.order_by("-created_at", "-pk")[:most]]


def pending(*, most: int = 1000) -> list[Stored]:
    """What has not cost anything yet because it is not done."""
    return [_record(row) for row in _pending().order_by("changed_at")[:most]]


def with_cost_to_come() -> tuple[list[Stored], list[str]]:
    """(what is not done yet, ids of calls whose cost is in the ledger and may be told once more)."""
    records = [_record(row) for row in _pending()]
    ids = [record.id for record in records]
    lately = Adjustment.objects.filter(cause=BATCH_CAUSE, at__gt=now() - TOLD_AGAIN_WITHIN)
    told = [str(request_id) for request_id in lately.values_list("request_id", flat=True)]
    for start in range(0, len(ids), MOST_AT_ONCE):
        some = Adjustment.objects.filter(request_id__in=ids[start : start + MOST_AT_ONCE], cause=BATCH_CAUSE)
        told += map(str, some.values_list("request_id", flat=True))
    return records, told


def waiting_among(ids: Iterable[str]) -> set[str]:
    """Those of these calls whose cost is still to come."""
    rows = _pending().filter(request_id__in=list(ids))
    return {str(request_id) for request_id in rows.values_list("request_id", flat=True)}


class Later(NamedTuple):
    """Nothing is to come any more: what came, None where nothing did."""

    id: str  # as `records.later_cost` names it
    charges: tuple[tuple[str, str], ...]
    cost_nanodollars: int | None


def over_among(ids: Sequence[str]) -> list[Later]:
    """Those of these calls that made a batch which is done, deleted or lost."""
    found = []
    at_ms = now_ms()
    for start in range(0, len(ids), MOST_AT_ONCE):
        some = ids[start : start + MOST_AT_ONCE]
        adjustments = Adjustment.objects.filter(request_id__in=some, cause=BATCH_CAUSE)
        costs = dict(adjustments.values_list("request_id", "cost_nanodollars"))
        for row in StoredObject.objects.filter(request_id__in=some, kind__in=BATCHES):
            record = _record(row)
            if not holds_money(record, at_ms):
                pairs = tuple((charge.budget_id, charge.period) for charge in record.charges)
                found.append(Later(later_cost(record.id), pairs, costs.get(row.request_id)))
    return found


def holds_money(record: Stored, at_ms: int) -> bool:
    """Whether what a batch may cost is still kept for it, at an instant."""
    held_ms = HELD_FOR.total_seconds() * 1000
    return record.state == "pending" and bool(record.charges) and at_ms < record.at_ms + held_ms


def tell_of_lost() -> None:
    """An alert for each batch that never came to an end: others may spend what was held for it."""
    lost = {str(row.request_id): row for row in _pending().filter(created_at__lt=now() - HELD_FOR)[:1000]}
    told = set(Alert.objects.filter(kind=LOST, resolved_at=None).values_list("subject", flat=True))
    for request_id in sorted(lost.keys() - told):
        batch = lost[request_id].object_id
        raise_alert(
            LOST,
            request_id,
            f"The batch {batch} of call {request_id} has not been seen to end; what it cost is not known.",
        )
    for request_id in told - lost.keys():
        resolve_alert(LOST, request_id)


def _pending() -> QuerySet[StoredObject]:
    return StoredObject.objects.filter(state=StoredObject.State.PENDING, kind__in=BATCHES)


def charged(request_id: str, cause: str) -> int | None:
    """What a call was charged after its end for this cause; None when it is not in the ledger (yet)."""
    rows = Adjustment.objects.filter(request_id=request_id, cause=cause)
    return rows.values_list("cost_nanodollars", flat=True).first()


def delete_old() -> bool:
    """Forget, some at a time, what no provider keeps any more; True when there is more."""
    gone = StoredObject.objects.filter(state=StoredObject.State.GONE, changed_at__lt=now() - TRACES_KEPT)
    answers = StoredObject.objects.filter(kind="response", changed_at__lt=now() - ANSWERS_KEPT)
    more = False
    for rows in (gone, answers):
        ids = list(rows.values_list("pk", flat=True)[:MOST_AT_ONCE])
        StoredObject.objects.filter(pk__in=ids).delete()
        more = more or len(ids) == MOST_AT_ONCE
    return more


def _row(record: Stored) -> StoredObject:
    at = from_ms(record.at_ms)
    return StoredObject(
        provider_id=text(record.provider_id, 36),
        object_id=text(record.object_id, 255),
        kind=record.kind,
        state=_STATES[record.state],
        owner=text(record.owner, 100),
        request_id=uuid.UUID(record.id),
        deployment_id=text(record.deployment_id, 36),
        model=text(record.model, 200),
        upstream_model=text(record.upstream_model, 200),
        charges=[{"budget_id": charge.budget_id, "period": charge.period} for charge in record.charges],
        held_nanodollars=min(max(record.held_nanodollars, 0), MOST),
        created_at=at,
        changed_at=at,
    )


def _record(row: StoredObject) -> Stored:
    return Stored(
        id=str(row.request_id),
        at_ms=round(row.created_at.timestamp() * 1000),
        kind=row.kind,  # type: ignore[arg-type]
        object_id=row.object_id,
        provider_id=row.provider_id,
        owner=row.owner,
        state=_WORDS[StoredObject.State(row.state)],  # type: ignore[arg-type]
        deployment_id=row.deployment_id,
        model=row.model,
        upstream_model=row.upstream_model,
        charges=tuple(Charge(charge["budget_id"], charge["period"]) for charge in row.charges),
        held_nanodollars=row.held_nanodollars,
    )
