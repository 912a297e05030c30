"""What an answer says besides its content: headers, the time it took, its cost. No I/O."""

from gateway_project.money import usd_string
from proxy_app.call import Attempt, Call
from proxy_app.costing import add_cost_to_events
from proxy_app.dialects import limits_in
from proxy_app.formats.contract import RenderOptions
from proxy_app.service_tiers import price_as_served
from proxy_app.settling import attempt_cost, tokens_of

#: nginx and its kin hold a stream back until a buffer is full, unless they are told so.
UNBUFFERED = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def told_ids(request_id: str) -> dict[str, str]:
    """The request id under the names that SDKs look for it."""
    return {"x-request-id": request_id, "request-id": request_id}


def answer_headers(call: Call, attempt: Attempt) -> dict[str, str]:
    """The headers every answer carries."""
    headers = {
        **told_ids(call.id),
        "x-gatehouse-model": call.fell_back_to or call.facts.model,
        "x-gatehouse-deployment": attempt.step.deployment.name,
        "x-gatehouse-attempts": str(attempt.number),
        **limits_in(call.format, call.limit_headers, call.arrived_ms),
    }
    if call.dropped:
        headers["x-gatehouse-dropped"] = ", ".join(call.dropped)
    if call.lost_thoughts:
        headers["x-gatehouse-thinking"] = "off"
    if call.operation is not None:
        headers["x-content-type-options"] = "nosniff"
    if call.facts.stream:
        headers |= {"x-gatehouse-overhead-ms": overhead_ms(call), **UNBUFFERED}
    return headers


def figures(call: Call) -> dict[str, str]:
    """What only a whole answer's headers can say."""
    figures = {"x-gatehouse-overhead-ms": overhead_ms(call)}
    if call.cost_nanodollars is not None:
        figures["x-gatehouse-cost"] = usd_string(call.cost_nanodollars)
    return figures


def overhead_ms(call: Call) -> str:
    return f"{max(call.offset_ms() - call.waited_ns / 1e6, 0.0):.2f}"


def render_options(call: Call) -> RenderOptions:
    return RenderOptions(
        model=call.facts.model,
        answer_id=call.id,
        created=call.arrived_ms // 1000,
        include_usage=call.facts.wants_usage or not call.facts.stream,
        input_estimate=call.input_estimate,
        request=call.body,
        framing=call.facts.framing,
    )


def with_cost(call: Call, attempt: Attempt, out: bytes) -> bytes:
    usage = attempt.observed.usage
    if usage is None:
        return out
    price_as_served(call, attempt)
    earlier = sum(ended.cost_nanodollars or 0 for ended in call.attempts)
    cost = attempt_cost(attempt, tokens_of(usage))
    return add_cost_to_events(out, None if cost is None else cost + earlier)
