"""Calls and sums as the management API answers them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway_project.money import usd_string
from usage_app.allowances import seen_allowances
from usage_app.late_costs import late_costs
from usage_app.models import Attempt, Request
from usage_app.reports import Line, Totals
from usage_app.reports_claims import CLAIMS, UNKNOWN_OF_CLAIMS, overlaps
from usage_app.sight import Sight

#: Groups that are ids and have a name beside them.
_NAMED = frozenset({"key", "user", "service", "deployment", "provider"})


def render_requests(requests: Iterable[Request]) -> list[dict[str, Any]]:
    """Several calls with attempts and late costs, in a constant number of queries."""
    rows = list(requests)
    ids = [row.pk for row in rows]
    attempts: dict[UUID, list[Attempt]] = defaultdict(list)
    for attempt in Attempt.objects.filter(request_id__in=ids).order_by("request_id", "number"):
        attempts[attempt.request_id].append(attempt)
    late = late_costs(ids)
    return [_render(row, attempts[row.pk], late.get(row.pk)) for row in rows]


def render_request(request: Request, sight: Sight) -> dict[str, Any]:
    """One call, with the decision that led to its deployment, and of its limits those that may be seen."""
    (answer,) = render_requests([request])
    decision = request.decision
    if isinstance(decision, dict) and decision.get("allowances"):
        seen, left_out = seen_allowances(request, sight)
        decision = {**decision, "allowances": seen}
        if left_out:
            decision["allowances_left_out"] = left_out
    return {**answer, "decision": decision, "charges": request.charges}


def render_line(dimensions: tuple[str, ...], line: Line, start: datetime | None = None) -> dict[str, Any]:
    """One row of usage: its groups, then its figures."""
    answer: dict[str, Any] = {} if start is None else {"start": start.isoformat()}
    for name, ref, shown in zip(dimensions, line.ids, line.names, strict=True):
        answer[name] = ref or None
        if name in _NAMED:
            answer[f"{name}_name"] = shown or None
    figures = render_totals(line.totals)
    return {**answer, **(_without_outcomes(figures) if set(dimensions) & set(CLAIMS) else figures)}


def render_whole(dimensions: tuple[str, ...], totals: Totals) -> dict[str, Any]:
    """What the rows of usage are parts of."""
    figures = render_totals(totals)
    of_claims = [name for name in dimensions if name in CLAIMS and not overlaps(name)]
    return _without_outcomes(figures) if of_claims else figures


def _without_outcomes(figures: dict[str, Any]) -> dict[str, Any]:
    return {**figures, **dict.fromkeys(UNKNOWN_OF_CLAIMS)}


def render_totals(totals: Totals) -> dict[str, Any]:
    """Figures of some calls; money that is not known is counted beside it."""
    return {
        "requests": totals.requests,
        "errors": totals.errors,
        "refused": totals.refused,
        "cancelled": totals.cancelled,
        "failed_attempts": totals.failed_attempts,
        "input_tokens": totals.input_tokens,
        "cache_read_tokens": totals.cache_read_tokens,
        "cache_write_tokens": totals.cache_write_tokens,
        "output_tokens": totals.output_tokens,
        "reasoning_tokens": totals.reasoning_tokens,
        "cost_nanodollars": totals.cost_nanodollars,
        "cost_usd": usd_string(totals.cost_nanodollars),
        "unpriced_requests": totals.unpriced_requests,
        "estimated_cost_nanodollars": totals.estimated_cost_nanodollars,
        "interrupted_cost_nanodollars": totals.interrupted_cost_nanodollars,
        "latency_p50_ms": _rounded(totals.latency_p50_ms),
        "latency_p95_ms": _rounded(totals.latency_p95_ms),
        "ttft_p50_ms": _rounded(totals.ttft_p50_ms),
        "ttft_p95_ms": _rounded(totals.ttft_p95_ms),
    }


def _render(row: Request, attempts: list[Attempt], late: int | None) -> dict[str, Any]:
    cost = row.cost_nanodollars
    if late is not None:
        cost = (cost or 0) + late
    return {
        "id": str(row.pk),
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "endpoint": row.endpoint,
        "format": row.format,
        "stream": row.stream,
        "model": row.model,
        "served_model": row.served_model or None,
        **_place(row),
        "key": row.key_id or None,
        "key_name": row.key_name or None,
        "user": row.user_id or None,
        "user_name": row.user_name or None,
        "service": row.service_id or None,
        "service_name": row.service_name or None,
        "environment": row.environment or None,
        **_ending(row),
        "finish_reason": row.finish_reason or None,
        **_measured(row),
        "usage_source": row.usage_source,
        "cost_nanodollars": cost,
        "cost_usd": None if cost is None else usd_string(cost),
        "adjusted_nanodollars": late or 0,
        "price_id": row.price_id or None,
        "ttft_ms": row.ttft_ms,
        "latency_ms": row.latency_ms,
        "overhead_ms": row.overhead_ms,
        "end_user": row.end_user or None,
        "session": row.session or None,
        "client": row.client or None,
        "tags": row.tags,
        "repeated": row.repeated,
        "timeline": row.timeline,
        "attempts": [_attempt(attempt) for attempt in attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": attempt.started_at.isoformat(),
        **_place(attempt),
        **_ending(attempt),
        "connect_ms": attempt.connect_ms,
        "headers_ms": attempt.headers_ms,
        "first_content_ms": attempt.first_content_ms,
        "duration_ms": attempt.duration_ms,
        **_measured(attempt),
        "cost_nanodollars": attempt.cost_nanodollars,
        "upstream_id": attempt.upstream_id or None,
    }


def _place(row: Request | Attempt) -> dict[str, Any]:
    return {
        "deployment": row.deployment or None,
        "deployment_id": row.deployment_id or None,
        "provider": row.provider or None,
        "upstream_model": row.upstream_model or None,
    }


def _ending(row: Request | Attempt) -> dict[str, Any]:
    return {
        "status": row.status,
        "http_status": row.http_status,
        "error_code": row.error_code or None,
        "error_detail": row.error_detail or None,
    }


def _measured(row: Request | Attempt) -> dict[str, Any]:
    """Numbers of what was used; None where nobody told it."""
    return {
        "input_tokens": row.input_tokens,
        "cache_read_tokens": row.cache_read_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "output_tokens": row.output_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "units": row.units,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
