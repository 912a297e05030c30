"""A client that left: its call is drained while knowing the true usage is cheap, else cancelled."""

import time
from typing import Any
from zlib import crc32

from gateway_project.errors import ClientGone
from proxy_app.call import Attempt, Call
from usage_app import pricing

DRAIN_S = 60.0
DRAIN_NANODOLLARS = 50_000_000  # $0.05: what knowing a departed caller's true usage may cost
OUTPUT_WHEN_UNNAMED = 8192  # tokens that may still come when the caller named no limit


def client_left(call: Call) -> None:
    """The caller closed the connection: learn the true usage if that is cheap, else stop."""
    guard = call.guard
    if guard is None or call.settled or call.client_gone_ms is not None:
        return
    if call.committed and call.pipe is not None and call.pipe.observed.ended:
        return  # it has the whole answer: some clients close at the last event
    call.client_gone_ms = call.mark("client_gone")
    attempt = call.attempt
    if attempt is None:
        guard.fire(ClientGone())
        return
    quirks = attempt.step.deployment.provider.quirks
    # What is no conversation was paid for when it was sent: leaving it early saves nothing.
    grows = call.operation is None
    if quirks.get("cancel_stops_billing") or (grows and _still_to_come(call, attempt) > DRAIN_NANODOLLARS):
        guard.fire(ClientGone())
        return
    guard.give_up_at = time.monotonic() + DRAIN_S
    call.services.abandoned[_fingerprint(call)] = call


def forget(call: Call) -> None:
    """The call has ended: nothing is left to cancel."""
    abandoned = call.services.abandoned
    if abandoned and abandoned.get(_fingerprint(call)) is call:
        del abandoned[_fingerprint(call)]


def cancel_abandoned_twin(call: Call) -> None:
    """A retry of the same request by the same key: nobody waits for the drained original."""
    retries = call.headers.get(b"x-stainless-retry-count", b"0")
    if retries in (b"", b"0") or not call.services.abandoned:
        return
    original = call.services.abandoned.pop(_fingerprint(call), None)
    if original is not None and original.guard is not None:
        original.guard.fire(ClientGone())


def told_of_retries(call: Call) -> dict[str, Any]:
    """What the row keeps of it: the same body tells a client's tries of one request from other calls; which
    try it is, the SDK says (0 is the first, and not said)."""
    told: dict[str, Any] = {"body": f"{crc32(call.raw):08x}"}
    retries = call.headers.get(b"x-stainless-retry-count", b"")
    if retries.isdigit() and len(retries) <= 3 and int(retries):
        told["retry"] = int(retries)
    return told


def _still_to_come(call: Call, attempt: Attempt) -> int:
    """Worst case of what the rest of the answer may cost, nanodollars."""
    if attempt.price is None:
        return 0
    named = call.facts.max_output_tokens or OUTPUT_WHEN_UNNAMED
    rest = max(named - attempt.observed.output_events, 0)
    return pricing.worst_case(attempt.price, 0, rest)


def _fingerprint(call: Call) -> tuple[str, int]:
    return call.principal.key.id, hash(call.raw)
