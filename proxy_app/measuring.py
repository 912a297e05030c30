"""What a call that is no conversation used: as the provider tells it, else as its request lets guess."""

from dataclasses import replace

from proxy_app.call import Attempt, Call
from proxy_app.wire import Usage
from usage_app.records import Status, UsageSource


def used(call: Call, attempt: Attempt, status: Status) -> tuple[Usage | None, UsageSource]:
    """The usage to charge; None: nothing, or nobody knows.

    A provider that failed is owed what it reported. One that a client left was asked for all of it: it is
    owed what the call is likely to have used, and at least as much as an admin's price can count.
    """
    told = attempt.observed.usage
    if told is not None:
        return told, "provider"
    if status not in ("ok", "cancelled"):
        return None, "none"
    likely, most = call.facts.likely, call.facts.most
    if status == "cancelled" and most is not None and (likely is None or likely.input_tokens is None):
        likely = most
    if likely is None:
        return None, "none"
    price = attempt.price
    if price is not None and price.bills_units and not price.by_tokens:
        return Usage(units=likely.units), "estimate"
    return replace(likely), "estimate"
