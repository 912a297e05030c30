"""The tier a call is served in, as far as its price depends on it: asked for in each format's own field, told
by the provider. Pure."""

from proxy_app.call import Attempt, Call
from proxy_app.wire import JSON

#: Words for what everybody gets.
_USUAL = frozenset({"auto", "default", "standard", "standard_only", "unspecified"})
_FIELDS = ("service_tier", "serviceTier", "speed")


def asked_tier(body: JSON) -> str:
    """The tier that a caller asks for, in any format; empty for the usual one."""
    told = [tier_word(body.get(name)) for name in _FIELDS]
    return next((word for word in told if word), "")


def tier_word(told: object) -> str:
    """A tier as prices name it; empty for the usual one."""
    word = told.lower() if isinstance(told, str) else ""
    return "" if word in _USUAL else word[:16]


def price_as_served(call: Call, attempt: Attempt) -> None:
    """Charge an attempt at the price of the tier that its provider says it was served in: what was asked for
    may not be what was to be had. A provider that does not say is taken at the caller's word."""
    told = attempt.observed.service_tier
    served = attempt.service_tier if told is None else tier_word(told)
    call.decision.pop("service_tier", None)  # of an attempt before
    if served:
        call.decision["service_tier"] = served
    if served == attempt.service_tier:
        return
    attempt.service_tier = served
    deployment, step = attempt.step.deployment, attempt.step
    attempt.price = call.snapshot.sections["prices"].find(
        deployment.priced_as, deployment.provider.price_kind, step.upstream_model, call.arrived_ms, served
    )
    call.price_id = attempt.price.id if attempt.price is not None else ""
