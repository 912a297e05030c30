"""Calls that belong to one: the same request tried again by its client, and its session."""

from datetime import timedelta

from usage_app.models import Request
from usage_app.sight import Sight
from usage_app.views.scope import between, visible_requests

#: SDKs give up within minutes.
TRIES_WITHIN = timedelta(minutes=10)
LOOKED_AT = 300
SHOWN = 10
_COLUMNS = (
    "id",
    "started_at",
    "model",
    "status",
    "cost_nanodollars",
    "usage_source",
    "latency_ms",
    "decision",
)


def tries_of(row: Request, sight: Sight) -> list[Request]:
    """Every try of the request that this call is one of, in order; empty where it is the only one."""
    body = _body(row)
    if not body or not row.key_id:
        return []
    near = between(visible_requests(sight), row.started_at - TRIES_WITHIN, row.started_at + TRIES_WITHIN)
    near = near.filter(key_id=row.key_id, model=row.model, endpoint=row.endpoint).only(*_COLUMNS)
    same = [each for each in near.order_by("id")[:LOOKED_AT] if _body(each) == body]
    if not any(retry_number(each) for each in same):
        return []  # equal bodies that nobody called a retry are calls of their own
    return same[:SHOWN]


def neighbours_of(row: Request, sight: Sight) -> list[Request]:
    """Other calls of the same session and key, those nearest in time before and after."""
    if not row.session:
        return []
    near = visible_requests(sight).filter(session=row.session, key_id=row.key_id)
    near = near.only("id", "started_at", "model", "status", "cost_nanodollars", "usage_source", "latency_ms")
    earlier = list(near.filter(id__lt=row.pk).order_by("-id")[:3])
    later = list(near.filter(id__gt=row.pk).order_by("id")[:3])
    return [*reversed(earlier), *later]


def retry_number(row: Request) -> int:
    """Which retry its SDK called it; 0 for a first try."""
    number = row.decision.get("retry", 0) if isinstance(row.decision, dict) else 0
    return number if isinstance(number, int) else 0


def _body(row: Request) -> str:
    return str(row.decision.get("body", "")) if isinstance(row.decision, dict) else ""
