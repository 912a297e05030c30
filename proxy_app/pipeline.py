"""The story of one call, in its numbered steps, and nothing else.

1 parse  2 authenticate (the view, from headers, before the body is read)  3 authorise  4 admit
5 route  6 journal  7 attempt  8 settle. Every ending passes `settle` once, before the last bytes
go out; every error is turned into the caller's dialect here, at the edge.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson

from gateway_project.errors import (
    ClientGone,
    Draining,
    GatehouseError,
    InternalFault,
    LimitReached,
    NoDeployment,
    NotServed,
    UpstreamFailed,
)
from proxy_app import planning
from proxy_app.abandoning import told_of_retries
from proxy_app.admission import admit, admit_step, authorise_model, move_to_fallback
from proxy_app.answering import told_ids
from proxy_app.attempting import Relay, try_once
from proxy_app.call import Call
from proxy_app.capturing import CapturingReply, keep_said, wrapped
from proxy_app.catalogue import ModelEntry
from proxy_app.dialects import limits_in
from proxy_app.following import follow, is_under_way
from proxy_app.formats import exchange
from proxy_app.keeping import at_its_provider, find_former
from proxy_app.planning import Plan, Step
from proxy_app.reading import in_callers_places, read
from proxy_app.refusals import record_refusal
from proxy_app.settling import close_attempt, is_provider_failure, settle
from usage_app.live import LiveCall
from usage_app.records import Begin

log = logging.getLogger("gatehouse.calls")

STALE_CONNECTION_RETRIES = 1


async def converse(call: Call) -> None:
    """The story itself."""
    await read(call)  # 1
    await carry(call)


async def carry(call: Call) -> None:
    """The story from where a call's body has been read."""
    await authorise_model(call)  # 3
    await find_former(call)
    await admit(call)  # 4
    route(call)  # 5
    begin(call)  # 6
    relay = Relay(call)
    try:
        try:
            await attempt_all(call, relay)  # 7
        except ClientGone as gone:
            if not is_under_way(call):
                raise
            call.error = gone
        if is_under_way(call):
            return await leave_under_way(call, relay)
        await settle(call)  # 8
        await relay.finish()
    finally:
        relay.close()


async def leave_under_way(call: Call, relay: Relay) -> None:
    """Answer now what is to be done in the background; the call stays open until the provider is done."""
    await relay.finish()
    relay.guard.close()  # the caller may come and go
    call.following = call.services.followed.start(follow(call), f"call {call.id} in the background")
    await asyncio.sleep(0)  # it has begun: one that is cancelled before would never settle


async def run(call: Call, story: Callable[[Call], Awaitable[None]] = converse) -> None:
    """Carry one authenticated call to its end, whatever that is."""
    passing = wrapped(call)
    try:
        await story(call)
    except GatehouseError as error:
        await end_with(call, error)
    except asyncio.CancelledError:
        await end_with(call, Draining())
        raise
    except Exception:
        log.exception("call %s failed inside the gateway", call.id)
        await end_with(call, InternalFault())
    finally:
        if passing is not None:
            keep_said(call, passing)


async def end_with(call: Call, error: GatehouseError) -> None:
    """Settle as failed, then tell the caller in its own dialect."""
    error = in_callers_places(call, error)
    error.__traceback__ = None  # its frames hold the call, the call holds the error: no cycle
    if not call.settled:
        call.error = error
        if call.begun or call.grant is not None:
            await settle(call)
        else:
            record_refusal(call, error)
    if call.client_gone_ms is not None or isinstance(error, ClientGone):
        return
    if call.reply.started:
        if call.is_binary or call.pipe is None:
            return  # nothing in it could tell of an error: the connection breaks off instead
        await call.reply.write(call.pipe.error(error, call.id))
        await call.reply.finish()
        return
    rendered = exchange.render_error(call.format, error, call.id)
    told = {**call.limit_headers, **error.headers, **rendered.headers, **told_ids(call.id)}
    headers = limits_in(call.format, told, call.arrived_ms)
    await call.reply.whole(rendered.status, headers, orjson.dumps(rendered.body))


def route(call: Call) -> None:
    """Step 5: which deployments, in which order, and why."""
    assert call.model is not None
    call.plan = _plan(call, call.model)
    call.decision = {**call.plan.decision(), **told_of_retries(call)}
    call.mark("routed")
    if call.plan.is_unserved:
        raise NotServed(f"No provider of '{call.facts.model[:200]}' has this endpoint ({call.endpoint}).")


def begin(call: Call) -> None:
    """Step 6: in the picture of calls in flight; the record goes to disk with the first attempt's,
    before anything is sent."""
    assert call.plan is not None
    services = call.services
    call.begin = Begin(
        id=call.id,
        at_ms=call.arrived_ms,
        caller=call.caller,
        endpoint=call.endpoint,
        format=call.format,
        stream=call.facts.stream,
        model=call.facts.model,
        input_estimate=call.input_estimate if call.is_estimable else None,
        units=call.facts.likely.units if call.facts.likely is not None else {},
        charges=call.charges,
        held_nanodollars=call.held_nanodollars,
    )
    call.begun = True
    call.counted = True
    services.metrics.in_flight += 1
    services.calls[call.id] = call
    services.registry.open(_live(call))


def _live(call: Call) -> LiveCall:
    caller = call.caller
    live = call.live = LiveCall(
        id=call.id,
        started_at_ms=call.arrived_ms,
        model=call.facts.model,
        endpoint=call.endpoint,
        stream=call.facts.stream,
        key_id=caller.key_id,
        key_name=caller.key_name,
        key_hint=caller.key_hint,
        user_id=caller.user_id,
        user_name=caller.user_name,
        service_id=caller.service_id,
        service_name=caller.service_name,
        environment=caller.environment,
        client=caller.client,
        held_nanodollars=call.held_nanodollars,
        is_heard=call.facts.stream and isinstance(call.reply, CapturingReply),
    )
    for mark in call.marks:
        if mark.name in ("admitted", "routed"):
            live.enter(mark.name, mark.at_ms)  # type: ignore[arg-type]
    return live


async def attempt_all(call: Call, relay: Relay) -> None:
    """Step 7: the plan's deployments in turn, then fallbacks, until one answers."""
    assert call.plan is not None
    failure = await _walk(call, relay, call.plan)
    if failure is None:
        return
    async for target_plan in _fallbacks(call, failure):
        failure = await _walk(call, relay, target_plan)
        if failure is None:
            return
    raise failure


async def _walk(call: Call, relay: Relay, plan: Plan) -> GatehouseError | None:
    """Try a plan's steps; None when one answered, else the failure that came last."""
    failure: GatehouseError | None = None
    stale = STALE_CONNECTION_RETRIES
    steps = list(plan.steps)
    while steps:
        step = steps.pop(0)
        try:
            await admit_step(call, step)
            await try_once(call, relay, step)
        except LimitReached as error:
            if call.attempt is not None or call.committed:
                raise
            failure = failure or error
        except UpstreamFailed as error:
            failure = error
            _after_failure(call, step, error)
            if call.committed or call.client_gone_ms is not None:
                raise
            if not is_provider_failure(error):
                return error
            if relay.looks_stale(error) and stale:
                stale -= 1
                steps.insert(0, step)
        else:
            return None
    return failure or NoDeployment(retry_after_s=plan.retry_after_s)


def _after_failure(call: Call, step: Step, error: UpstreamFailed) -> None:
    number = call.attempt.number if call.attempt else len(call.attempts)
    log.info(
        "call %s: attempt %d at %s failed: %s (provider status %s)",
        call.id,
        number,
        step.deployment.name,
        error.code,
        error.upstream_status,
    )
    if not call.committed:
        close_attempt(call, error)
    cooled = planning.cooled_as(step.deployment, step.upstream_model)
    call.services.health.failed(cooled, error, time.monotonic())


async def _fallbacks(call: Call, failure: GatehouseError) -> AsyncIterator[Plan]:
    """Plans of the models that a failure of this cause falls back to, each admitted as itself."""
    assert call.model is not None
    cause = _cause(failure)
    if cause is None:
        return
    catalogue = call.snapshot.sections["catalogue"]
    for fallback in call.model.fallbacks:
        if fallback.cause not in (cause, "any") or (cause != "any" and fallback.cause == "any"):
            continue
        target = catalogue.find(fallback.target)
        if target is None or not await move_to_fallback(call, target, fallback.target):
            continue
        plan = _plan(call, target, asked=fallback.target)
        call.decision["fallbacks"] = [
            *call.decision.get("fallbacks", []),
            {"model": fallback.target, "cause": cause, **plan.decision()},
        ]
        call.plan = Plan(plan.strategy, (*(call.plan.steps if call.plan else ()), *plan.steps))
        yield plan


def _cause(failure: GatehouseError) -> str | None:
    code = getattr(failure, "upstream_code", "")
    if code == "context_length_exceeded":
        return "context_window"
    if code in ("content_filter", "content_policy_violation"):
        return "content_filter"
    if isinstance(failure, NoDeployment) or is_provider_failure(failure):
        return "any"
    return None


def _plan(call: Call, model: ModelEntry, asked: str | None = None) -> Plan:
    plan = planning.plan(
        model, asked or call.facts.model, call.services.health.cooling, time.monotonic(), random.random
    )
    if call.operation is not None:
        return planning.only_speakers(plan, call.operation.routes)
    plan = at_its_provider(call, plan, model)
    return planning.only_speakers(plan, (call.format,)) if call.address.verb and not call.is_count else plan
