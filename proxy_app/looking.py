"""A request about what is stored: it costs nothing and holds nothing, but it counts as a request."""

from gateway_project.clock import now_ms
from keys_app import demanding
from keys_app.entries import Principal, Snapshot
from keys_app.limits.contract import Demand, LimitStore, RateDemand
from proxy_app.admission import until_loaded


async def admit_look(limits: LimitStore, snapshot: Snapshot, principal: Principal, request_id: str) -> None:
    """Count one request a minute at every level of its caller. Raises RateLimited, LimitsUnavailable.

    It names no model, so levels of models and providers are not asked; nor are tokens and calls at once.
    """
    at_ms = now_ms()
    whole = demanding.demand(snapshot, principal, model="", provider="", end_user="", now_ms=at_ms)
    rates = tuple(
        RateDemand(rate.id, rate.scope, rate.name, rate.requests_per_minute)
        for rate in whole.rates
        if rate.requests_per_minute is not None
    )
    if not rates:
        return
    if limits.needs_load:
        await until_loaded(limits)
    await limits.reserve(request_id, Demand((), rates), 0, 0, at_ms)
    await limits.settle(request_id, 0, 0, at_ms)  # it stays counted for its minute
