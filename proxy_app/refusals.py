"""Calls refused before anything was sent: one ledger row each, a flood one row a second.

The first refusal of a key for a reason is written at once; equal ones that follow within a second
are counted and written as one record. A crash may lose a second of counts, never a charge.
"""

import asyncio
from dataclasses import dataclass

from gateway_project.errors import GatehouseError
from proxy_app.allowing import told_allowances
from proxy_app.call import Call, Services
from usage_app.records import End

WINDOW_S = 1.0


@dataclass(slots=True)
class Flood:
    """Equal refusals within the running second, beyond the first."""

    record: End | None = None
    count: int = 0


def record_refusal(call: Call, error: GatehouseError) -> None:
    """File a refusal; the call's key is known, nothing has been sent or reserved."""
    call.settled = True
    services = call.services
    record = _end(call, error)
    services.metrics.observe(
        (record.model, "", "refused"),
        input_tokens=0,
        output_tokens=0,
        cost_nanodollars=0,
        latency_ms=record.latency_ms,
        overhead_ms=record.latency_ms,
    )
    kind = (record.caller.key_id, record.error_code, record.endpoint, record.model)
    flood = services.refusals.get(kind)
    if flood is not None:
        flood.record = flood.record or record
        flood.count += 1
        return
    services.write(record)
    services.refusals[kind] = Flood()
    asyncio.get_running_loop().call_later(WINDOW_S, _close_window, services, kind)


def flush(services: Services) -> None:
    """Write every open count; the worker is stopping."""
    for kind in list(services.refusals):
        _write(services, services.refusals.pop(kind))


def _close_window(services: Services, kind: tuple[str, ...]) -> None:
    flood = services.refusals.pop(kind, None)
    if flood is None or not flood.count:
        return
    _write(services, flood)
    # The flood goes on: stay counting, so that it stays one row a second.
    services.refusals[kind] = Flood()
    asyncio.get_running_loop().call_later(WINDOW_S, _close_window, services, kind)


def _write(services: Services, flood: Flood) -> None:
    if flood.record is not None:
        flood.record.repeated = flood.count
        services.write(flood.record)


def _end(call: Call, error: GatehouseError) -> End:
    latency_ms = call.mark("refused")
    return End(
        id=call.id,
        at_ms=call.arrived_ms,
        finished_at_ms=call.arrived_ms + round(latency_ms),
        caller=call.caller,
        endpoint=call.endpoint,
        format=call.format,
        stream=call.facts.stream,
        model=call.facts.model[:200],
        served_model="",
        deployment_id="",
        deployment="",
        provider_id="",
        provider="",
        upstream_model="",
        status="refused",
        http_status=error.status_code,
        error_code=error.code,
        error_detail=error.detail[:500],
        usage_source="none",
        cost_nanodollars=0,
        latency_ms=round(latency_ms, 3),
        overhead_ms=round(latency_ms, 3),
        marks=call.marks,
        decision={**call.decision, **told_allowances(call)},
    )
