"""The tier a call is served in, as far as its price depends on it: asked for in each format's own field, told
by the provider. Where the model runs is a part of it: `us`, or `fast_us` of the fast tier. Pure."""

import orjson

from proxy_app.call import Attempt, Call
from proxy_app.formats.reading import as_object
from proxy_app.wire import JSON, Outgoing, Target
from usage_app.pricing import CompiledPrice

#: Words for what everybody gets.
_USUAL = frozenset({"auto", "default", "standard", "standard_only", "unspecified"})
_FIELDS = ("service_tier", "serviceTier", "speed")
_ASKS = frozenset({*_FIELDS, "inference_geo"})
#: Where Anthropic runs a model for more than its usual price (platform.claude.com, "Data residency pricing").
_DEAR_PLACES = frozenset({"us"})


def asked_tier(body: JSON) -> str:
    """The tier that a caller asks for, in any format; empty for the usual one."""
    if _ASKS.isdisjoint(body):
        return ""
    return in_place(_asked_tier(body), body.get("inference_geo"))


def in_place(tier: str, place: object) -> str:
    """A tier where the model runs."""
    dear = place if isinstance(place, str) and place in _DEAR_PLACES else ""
    return f"{tier}_{dear}" if tier and dear else tier or dear


def _asked_tier(body: JSON) -> str:
    told = [tier_word(body.get(name)) for name in _FIELDS]
    told.append(tier_word(as_object(body.get("serviceTier")).get("type")))  # Bedrock's
    return next((word for word in told if word), "")


def sent_tier(call: Call, target: Target, outgoing: Outgoing) -> str:
    """The tier that a provider is asked for: a translation may have left out what the caller wished, because
    the model does not take it or the format has no word for it."""
    tier = asked_tier(call.body)
    if not tier or call.operation is not None or target.format == call.body_format:
        return tier
    assert isinstance(outgoing.body, bytes)
    return asked_tier(orjson.loads(outgoing.body))


def tier_word(told: object) -> str:
    """A tier as prices name it; empty for the usual one."""
    word = told.lower() if isinstance(told, str) else ""
    return "" if word in _USUAL else word[:16]


def price_as_served(call: Call, attempt: Attempt) -> None:
    """Charge an attempt at the price of the tier that its provider says it was served in, and of the model
    that it says answered: what was asked for may not be what was to be had. A provider that does not say is
    taken to serve what it was asked for; another model that has no price costs what the one asked does."""
    observed, (served, place) = attempt.observed, _parts(attempt.service_tier)
    if observed.service_tier is not None:
        served = tier_word(observed.service_tier)
    if observed.usage is not None and observed.usage.geography:
        place = observed.usage.geography
    served = in_place(served, place)
    other = observed.usage.answered_by[:200] if observed.usage is not None else ""
    for name, word in (("service_tier", served), ("answered_by", other)):
        call.decision.pop(name, None)  # of an attempt before
        if word:
            call.decision[name] = word
    if (served, other) == (attempt.service_tier, attempt.answered_by):
        return
    attempt.service_tier, attempt.answered_by = served, other
    price = _price(call, attempt, other) if other else None
    attempt.price = price or _price(call, attempt, attempt.step.upstream_model)
    call.price_id = attempt.price.id if attempt.price is not None else ""


def _price(call: Call, attempt: Attempt, model: str) -> CompiledPrice | None:
    deployment = attempt.step.deployment
    found: CompiledPrice | None = call.snapshot.sections["prices"].find(
        deployment.priced_as, deployment.provider.price_kind, model, call.arrived_ms, attempt.service_tier
    )
    return found


def _parts(tier: str) -> tuple[str, str]:
    """(tier, place) of what `in_place` put together."""
    rest, _, place = tier.rpartition("_")
    return (rest, place) if place in _DEAR_PLACES else (tier, "")
