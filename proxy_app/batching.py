"""The story of a batch's making: its file is the caller's, its lines fit the budgets, its provider takes it.

It is a row of its own that costs nothing yet: what it may cost stays held until `batch_settling` charges it.
"""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import msgspec
import orjson

from gateway_project.errors import BadRequest, NotServed, UpstreamInvalid
from keys_app import policy
from proxy_app.admission import admit, admit_step
from proxy_app.answering import answer_headers
from proxy_app.asking import open_answer, pieces_of
from proxy_app.attempting import Relay, Underway, open_attempt
from proxy_app.batch_kinds import KINDS
from proxy_app.batch_lines import ADDRESSES, endpoint_of, lines_of, read_line
from proxy_app.call import Attempt, Call, caller_of
from proxy_app.catalogue import Catalogue
from proxy_app.file_choosing import choose_deployment
from proxy_app.formats import exchange
from proxy_app.identity import read_claims
from proxy_app.pipeline import begin
from proxy_app.planning import Plan, Step
from proxy_app.reading import know_caller, parse
from proxy_app.settling import settle
from proxy_app.stored import keeper_of, provider_at
from proxy_app.wire import JSON, CallFacts, Outgoing, Target, Usage
from usage_app.pricing import CompiledPrice
from usage_app.records import Stored, StoredKind, later_cost

#: What providers have; a batch's hold is made for it.
WINDOW = "24h"


async def make_batch(call: Call, address: str) -> None:
    """As `pipeline.run` tells it: OpenAI's, from a file."""
    file = await _read(call, address)
    step = _step(call, file)
    most = await _most(call, step, file)
    outgoing = Outgoing(KINDS["batch"].path, call.raw, {"content-type": "application/json"})
    await carry_batch(call, step, "batch", most, outgoing)


def needs_most(call: Call, step: Step) -> bool:
    """Whether somebody has to know what the lines may use at most."""
    return _price(call, step) is not None and bool(call.snapshot.budgets)


async def carry_batch(
    call: Call,
    step: Step,
    kind: StoredKind,
    most: tuple[int, int],
    outgoing: Outgoing,
    shown: Callable[[JSON], JSON] | None = None,
) -> None:
    """Admit a batch whose lines may use so many tokens (input, output) at most, have its provider take it,
    and answer in the provider's words, or as `shown` puts them."""
    percent = KINDS[kind].percent_at(step.deployment.provider)
    input_tokens, output_tokens = (-(-count * percent // 100) for count in most)
    call.facts.most = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    await admit(call)
    call.plan = Plan(step.reason, (step,))
    call.decision = call.plan.decision()
    call.mark("routed")
    begin(call)
    relay = Relay(call)
    try:
        await admit_step(call, step)
        call.is_unreadable = _price(call, step) is None
        call.is_count = not call.is_unreadable
        batch = await _send(call, relay, step, kind, outgoing)
        if shown is not None:
            relay.body = msgspec.json.encode(shown(batch))
        call.services.stored.keep(_record(call, step, kind, batch))
        call.later = later_cost(call.id)
        await settle(call)
        await relay.finish()
    finally:
        relay.close()


def _price(call: Call, step: Step) -> CompiledPrice | None:
    price: CompiledPrice | None = call.snapshot.sections["prices"].find(
        step.deployment.id, step.deployment.provider.price_kind, step.upstream_model, call.arrived_ms
    )
    return price


async def _read(call: Call, address: str) -> Stored:
    """The batch's file. Raises BadRequest, UnknownObject, EndpointNotAllowed."""
    call.caller = caller_of(call.principal, read_claims(call.headers, None))
    body = parse(call)
    know_caller(call, CallFacts(model=""))
    call.caller = caller_of(call.principal, call.claims)
    file_id = body.get("input_file_id")
    if not isinstance(file_id, str) or not file_id:
        raise BadRequest("'input_file_id' is missing.", param="input_file_id")
    if body.get("completion_window") != WINDOW:
        raise BadRequest(f"'completion_window' must be '{WINDOW}'.", param="completion_window")
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


async def _most(call: Call, step: Step, file: Stored) -> tuple[int, int]:
    """What the lines may use at most, in tokens of input and output: read back where a budget may bind. Else
    the first alone, for what they ask for. Raises BadRequest where that is not what the batch does."""
    tokens = [0, 0]
    is_needed, asked = needs_most(call, step), endpoint_of(call.body.get("endpoint"), "'endpoint'")
    answer = await open_answer(
        call.services.upstream,
        step.deployment.provider,
        f"/files/{quote(file.object_id, safe='')}/content",
    )
    try:
        async for number, raw in lines_of(pieces_of(answer)):
            line = read_line(number, raw)
            if line.endpoint != asked:
                raise BadRequest(
                    f"Line {number} of the file asks for '{ADDRESSES[line.endpoint]}', the batch for"
                    f" '{ADDRESSES[asked]}'.",
                    param="endpoint",
                )
            if not is_needed:
                break
            for position, count in enumerate(line.most()):
                tokens[position] += count
    finally:
        answer.release()
    return tokens[0], tokens[1]


async def _send(call: Call, relay: Relay, step: Step, kind: StoredKind, outgoing: Outgoing) -> JSON:
    """The provider's word on the new batch; its answer waits in `relay` until the call is settled."""
    guard, timeouts = relay.guard, step.deployment.timeouts
    attempt = open_attempt(call, step)
    outgoing.headers["x-gatehouse-request-id"] = call.id
    guard.total_at = guard.last_s + timeouts.total_s
    with Underway(call, attempt) as underway:
        answer = await underway.headers(outgoing, timeouts)
        guard.expect("idle", timeouts.idle_s)
        raw = await answer.read()
        if not 200 <= answer.status < 300:
            raise exchange.read_failure(Target(KINDS[kind].format, ""), answer.status, answer.headers, raw)
        return _taken(call, relay, attempt, raw)


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


def _record(call: Call, step: Step, kind: StoredKind, batch: JSON) -> Stored:
    return Stored(
        id=call.id,
        at_ms=call.arrived_ms,
        kind=kind,
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
