"""What a call that is no conversation used: as the provider tells it, else as its request lets guess."""

from dataclasses import replace

from proxy_app.call import Attempt, Call
from proxy_app.operations.images import tokens_made
from proxy_app.wire import Usage
from usage_app import pricing
from usage_app.pricing import CompiledPrice
from usage_app.records import Status, Tokens, UsageSource


def used(call: Call, attempt: Attempt, status: Status) -> tuple[Usage | None, UsageSource]:
    """The usage to charge; None: nothing, or nobody knows.

    A provider that failed is owed what it reported. One that a client left was asked for all of it: it is
    owed what the call is likely to have used, and at least as much as an admin's price can count. So is one
    that tells nothing its price bills by: else what it made would be free of every budget.
    """
    told, price = attempt.observed.usage, attempt.price
    if told is not None and not _is_uncounted(price, told):
        return told, "provider"
    if told is None and status not in ("ok", "cancelled"):
        return None, "none"
    likely, most = call.facts.likely, call.facts.most
    counts_alone = likely is None or likely.input_tokens is None
    is_owed_all = told is not None or status == "cancelled" or (likely and _is_uncounted(price, likely))
    if most is not None and counts_alone and is_owed_all:
        likely = most
    if likely is None:
        return told, "none" if told is None else "provider"
    if price is not None and price.bills_units and not price.by_tokens:
        return Usage(units=likely.units), "estimate"
    if told is None:
        return replace(likely), "estimate"
    made = tokens_made(told.units)
    output = likely.output_tokens if made is None else made
    return replace(likely, output_tokens=output, units=told.units), "estimate"


def _is_uncounted(price: CompiledPrice | None, usage: Usage) -> bool:
    """Whether a price bills by what is not told: tokens, of images that were counted alone."""
    if price is None or usage.input_tokens is not None:
        return False
    return pricing.cost(price, Tokens(units=usage.units)) is None
