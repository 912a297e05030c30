"""One call's dealings with the store of signed thoughts: what it recalls, what it leaves behind."""

import asyncio

from proxy_app.call import Attempt, Call
from proxy_app.formats.signing import latest_call_ids
from proxy_app.planning import Step
from proxy_app.signatures import Place
from proxy_app.stored import owner_of
from proxy_app.wire import Signed


async def recall(call: Call, step: Step) -> dict[str, Signed] | None:
    """What the provider of this step once signed of the tool calls in the body; None when there are none."""
    call_ids = latest_call_ids(call.body)
    if not call_ids:
        return None
    try:
        return await call.services.signatures.recall(_place(call, step), call_ids)
    except asyncio.CancelledError as cancelled:
        if call.guard is None:
            raise
        raise call.guard.claim(cancelled) from None


async def keep(call: Call, attempt: Attempt) -> None:
    """Keep what the answer signed, before the caller has its end and can come back with it."""
    try:
        await call.services.signatures.keep(_place(call, attempt.step), attempt.observed.signed)
    except asyncio.CancelledError as cancelled:
        if call.guard is None:
            raise
        call.guard.claim(cancelled)  # the answer is whole: only its thoughts are lost


def _place(call: Call, step: Step) -> Place:
    return Place(owner_of(call.principal), step.deployment.provider.id, step.upstream_model)
