"""The story of a batch's making: its file is the caller's, its lines fit the budgets, its provider takes it.

It is a row of its own that costs nothing yet: what it may cost stays held until `batch_settling` charges it.
"""

import asyncio
from dataclasses import replace
from urllib.parse import quote

import orjson

from gateway_project.errors import BadRequest, NotServed, UpstreamFailed, UpstreamInvalid
from keys_app import policy
from proxy_app.admission import admit, admit_step
from proxy_app.answering import answer_headers
from proxy_app.asking import open_answer, pieces_of
from proxy_app.attempting import Relay, open_attempt, wait_for_headers
from proxy_app.batch_kinds import KINDS
from proxy_app.batch_lines import endpoint_of, lines_of, read_line
from proxy_app.call import Attempt, Call, caller_of
from proxy_app.catalogue import Catalogue
from proxy_app.file_choosing import choose_deployment
from proxy_app.formats import exchange
from proxy_app.hiding import hide_credential
from proxy_app.identity import read_claims
from proxy_app.pipeline import begin
from proxy_app.planning import Plan, Step
from proxy_app.reading import know_caller, parse
from proxy_app.settling import settle
from proxy_app.stored import keeper_of, provider_at
from proxy_app.upstream import UpstreamAnswer
from proxy_app.wire import JSON, CallFacts, Outgoing, Target, Usage
from usage_app.records import Stored, later_cost


async def make_batch(call: Call, address: str) -> None:
    """As `pipeline.run` tells it."""
    file = await _read(call, address)
    step = _step(call, file)
    provider = step.deployment.provider
    percent = KINDS["batch"].percent_at(provider)
    price = call.snapshot.sections["prices"].find(
        step.deployment.id, provider.price_kind, step.upstream_model, call.arrived_ms
    )
    if price is not None and call.snapshot.budgets:
        call.facts.most = await _most(call, step, file, percent)
    else:
        call.facts.most = Usage(input_tokens=0, output_tokens=0)
    await admit(call)
    call.plan = Plan("the provider of its file", (step,))
    call.decision = call.plan.decision()
    call.mark("routed")
    begin(call)
    relay = Relay(call)
    try:
        await admit_step(call, step)
        call.is_count = price is not None
        call.is_unreadable = price is None
        batch = await _send(call, relay, step)
        call.services.stored.keep(_record(call, step, batch))
        call.later = later_cost(call.id)
        await settle(call)
        await relay.finish()
    finally:
        relay.close()


async def _read(call: Call, address: str) -> Stored:
    """The batch's file. Raises BadRequest, UnknownObject, EndpointNotAllowed."""
    call.caller = caller_of(call.principal, read_claims(call.headers, None))
    body = parse(call)
    know_caller(call, CallFacts(model=""))
    call.caller = caller_of(call.principal, call.claims)
    file_id = body.get("input_file_id")
    if not isinstance(file_id, str) or not file_id:
        raise BadRequest("'input_file_id' is missing.", param="input_file_id")
    policy.authorise(call.principal, endpoint_of(body.get("endpoint"), "'endpoint'"), address)
    file = await call.services.stored.find("file", file_id, keeper_of(call.principal))
    if not file.model:
        raise BadRequest("This file was not sent here with the purpose 'batch'.", param="input_file_id")
    call.facts.model = file.model
    call.mark("parsed")
    return file


def _step(call: Call, file: Stored) -> Step:
    """The deployment that the file was written for, by itself."""
    catalogue: Catalogue = call.snapshot.sections["catalogue"]
    provider = provider_at(catalogue, file.provider_id)
    if provider is None:
        raise NotServed("The provider that keeps this file is not used here any more.")
    model, deployment = choose_deployment(catalogue, call.principal, file.model, provider.name)
    deployment = next((each for each in model.deployments if each.id == file.deployment_id), deployment)
    call.model = replace(model, deployments=(deployment,))
    return Step(call.model, deployment, file.upstream_model, "its file lies there")


async def _most(call: Call, step: Step, file: Stored, percent: int) -> Usage:
    """What the lines may use at most, in tokens at the full price: read back where a budget may bind."""
    tokens = [0, 0]
    answer = await open_answer(
        call.services.upstream,
        step.deployment.provider,
        f"/files/{quote(file.object_id, safe='')}/content",
    )
    try:
        async for number, raw in lines_of(pieces_of(answer)):
            for position, count in enumerate(read_line(number, raw).most()):
                tokens[position] += count
    finally:
        answer.release()
    share = [-(-count * percent // 100) for count in tokens]
    return Usage(input_tokens=share[0], output_tokens=share[1])


async def _send(call: Call, relay: Relay, step: Step) -> JSON:
    """The provider's word on the new batch; its answer waits in `relay` until the call is settled."""
    guard, timeouts, provider = relay.guard, step.deployment.timeouts, step.deployment.provider
    attempt = open_attempt(call, step)
    headers = {"content-type": "application/json", "x-gatehouse-request-id": call.id}
    outgoing = Outgoing("/batches", call.raw, headers)
    guard.total_at = guard.last_s + timeouts.total_s
    answer: UpstreamAnswer | None = None
    try:
        answer = await wait_for_headers(call, attempt, outgoing, timeouts)
        guard.answer = answer
        if guard.error is not None:
            raise guard.error
        guard.expect("idle", timeouts.idle_s)
        raw = await answer.read()
        if not 200 <= answer.status < 300:
            raise exchange.read_failure(Target("openai_chat", ""), answer.status, answer.headers, raw)
        return _taken(call, relay, attempt, raw)
    except UpstreamFailed as error:
        raise hide_credential(error, provider) from None
    except asyncio.CancelledError as cancelled:
        raise guard.claim(cancelled) from None
    finally:
        guard.limit_s = 0.0
        guard.answer = None
        if answer is not None:
            answer.release()


def _taken(call: Call, relay: Relay, attempt: Attempt, raw: bytes) -> JSON:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("id"), str) or not body["id"]:
        raise UpstreamInvalid("The provider did not say under which id it keeps the batch.")
    attempt.observed.upstream_id = body["id"]
    call.answered = True
    relay.body = raw
    relay.headers = {**answer_headers(call, attempt), "content-type": "application/json"}
    return body


def _record(call: Call, step: Step, batch: JSON) -> Stored:
    return Stored(
        id=call.id,
        at_ms=call.arrived_ms,
        kind="batch",
        object_id=batch["id"],
        provider_id=step.deployment.provider.id,
        owner=keeper_of(call.principal),
        state="pending",
        deployment_id=step.deployment.id,
        model=call.facts.model,
        upstream_model=step.upstream_model,
        charges=call.charges,
        held_nanodollars=call.held_nanodollars,
    )
