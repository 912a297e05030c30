"""An answer in the background: its caller has an id and goes its way, its provider works on, and its call
stays open here, with what it holds, until the provider says what it used."""

import asyncio
import logging
import time
from collections.abc import Iterable

from gateway_project.errors import CallEnded, CallStopped, UpstreamFailed, UpstreamRefused
from proxy_app.asking import ask_json
from proxy_app.call import Attempt, Call
from proxy_app.formats import exchange
from proxy_app.keeping import keep_as
from proxy_app.settling import settle
from proxy_app.wire import JSON

log = logging.getLogger("gatehouse.calls")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0
LONGEST_S = 24 * 3600.0


def is_under_way(call: Call) -> bool:
    """Whether the provider works on, though nobody may be listening."""
    attempt = call.attempt
    return (
        call.facts.background
        and call.kept is not None
        and attempt is not None
        and attempt.observed.finish is None
    )


async def follow(call: Call) -> None:
    """Settle a call when its provider says that it is done; cancelled from the dashboard, its provider is
    told so. A worker that drains, or a provider that has lost it, leaves it interrupted: estimated."""
    attempt, kept = call.attempt, call.kept
    assert attempt is not None
    assert kept is not None
    try:
        body = await _wait(call, attempt, f"/responses/{kept.object_id}")
    except asyncio.CancelledError:
        body = None
        if not call.interrupted:
            call.error = CallStopped()
            body = await _cancel(call, attempt, f"/responses/{kept.object_id}/cancel")
    if body is not None and _note_end(call, attempt, body):
        keep_as(call, kept, "kept")
    else:
        call.interrupted = call.error is None
    await settle(call)


def let_go(calls: Iterable[Call]) -> None:
    """The worker ends: what its calls cost in the background is estimated, their providers go on."""
    for call in calls:
        if call.following is not None:
            call.interrupted = True
            call.following.cancel()


async def _wait(call: Call, attempt: Attempt, path: str) -> JSON | None:
    """The answer once it is complete; None when nobody will see that."""
    pause_s = FIRST_PAUSE_S
    until_s = time.monotonic() + LONGEST_S
    while time.monotonic() < until_s:
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        try:
            body = await ask_json(call.services.upstream, attempt.step.deployment.provider, path)
        except UpstreamRefused as error:
            if error.upstream_status == 404:  # deleted while it was being made
                return None
        except UpstreamFailed as error:
            log.info("call %s: its answer cannot be looked at now: %s", call.id, error.code)
        else:
            if exchange.observe_kept(body) is not None:
                return body
    return None


async def _cancel(call: Call, attempt: Attempt, path: str) -> JSON | None:
    try:
        return await ask_json(call.services.upstream, attempt.step.deployment.provider, path, "POST")
    except UpstreamFailed as error:
        log.info("call %s: its provider did not take the stop: %s", call.id, error.code)
        return None


def _note_end(call: Call, attempt: Attempt, body: JSON) -> bool:
    """Take down how it ended and what it used; False while it has not."""
    ended = exchange.observe_kept(body)
    if ended is None:
        return False
    observed = attempt.observed
    observed.usage = ended.usage or observed.usage
    observed.ended = True
    observed.finish = ended.finish
    if ended.failure is not None and call.error is None:
        call.error = ended.failure
    elif ended.is_cancelled and call.error is None:
        call.error = CallEnded("The response was cancelled.")
    elif ended.finish is not None:
        call.finish_reason = ended.finish.value
    return True
