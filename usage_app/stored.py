"""Rows of what providers keep for callers: written by the ledger process, read by workers."""

import uuid
from collections.abc import Iterable
from datetime import timedelta

from gateway_project.clock import from_ms, now
from usage_app.ledger_rows import text
from usage_app.models import Adjustment, StoredObject
from usage_app.records import Charge, Stored, StoredKind

#: A provider keeps an answer for a month; a file until somebody deletes it.
ANSWERS_KEPT = timedelta(days=60)
TRACES_KEPT = timedelta(days=30)
MOST_AT_ONCE = 500

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
    rows = StoredObject.objects.filter(state=StoredObject.State.PENDING)
    return [_record(row) for row in rows.order_by("changed_at")[:most]]


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
    )
