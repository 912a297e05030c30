"""A request passed on to a provider as it is, with the gateway's credential in place of the caller's key.

Admitted, recorded and settled like any call. What it costs is read on the way where the address is one
whose answers tell their usage; not a byte is held up or changed for it.
"""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway_project.errors import (
    ModelNotAllowed,
    NoDeployment,
)
from keys_app import policy
from proxy_app.admission import admit, admit_free, admit_step, refuse_under_budget
from proxy_app.answering import answer_headers
from proxy_app.attempting import Relay, Underway, open_attempt
from proxy_app.brake import Brake
from proxy_app.call import Attempt, Call
from proxy_app.catalogue import DeploymentEntry, ModelEntry, ProviderEntry, Timeouts
from proxy_app.formats import exchange
from proxy_app.google_files import is_upload
from proxy_app.hiding import hide_credential
from proxy_app.identity import CLAIMING
from proxy_app.keeping import keep_upload
from proxy_app.metering import Meter
from proxy_app.operations.serving import told_content_type
from proxy_app.others_named import refuse_others
from proxy_app.pipeline import begin
from proxy_app.planning import Plan, Step
from proxy_app.preparing import content_type_of
from proxy_app.providers.readiness import PROBLEMS
from proxy_app.sampling import Sampler
from proxy_app.settling import settle
from proxy_app.upstream import UpstreamAnswer
from proxy_app.wire import JSON, BodySource, Outgoing, Target
from usage_app import pricing

#: How an address ends whose answers tell their usage, and in which format; "usage": in its own object alone.
METERED: tuple[tuple[str, str], ...] = (
    ("/chat/completions", "openai_chat"),
    ("/completions", "openai_completions"),
    ("/v2/chat", "cohere"),
    ("/responses", "openai_responses"),
    ("/messages", "anthropic"),
    (":generateContent", "gemini"),
    (":streamGenerateContent", "gemini"),
    ("/embeddings", "usage"),
    ("/images/generations", "usage"),
    ("/images/edits", "usage"),
    ("/audio/transcriptions", "usage"),
)
#: What costs nothing though it is sent: counts, files, judgements.
FREE_ENDS = (
    "/count_tokens",
    ":countTokens",
    "/input_tokens",
    "/tokenize",
    "/moderations",
    "/cancel",
    "/files",
)
_MANY = 1_000_000  # tokens by which prices are compared
FREE_METHODS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
#: The caller's headers that are nobody else's business, or the gateway's to set.
KEPT_BACK = frozenset(
    {
        *("authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "host", "content-length"),
        *("connection", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
        *("accept-encoding", "forwarded", "via", "x-real-ip", "origin", "referer", "expect", "x-request-id"),
        *("x-amz-date", "x-amz-security-token", "x-amz-content-sha256"),
        *CLAIMING,
        *("if-none-match", "if-modified-since"),  # what they ask for, a 304, would be a redirect here
    }
)
KEPT_BACK_STARTS = ("x-forwarded-", "x-gatehouse-", "x-litellm-", "x-openwebui-", "sec-", "cf-")
#: The provider's headers that its caller is told.
TOLD = (
    "content-disposition",
    "content-encoding",
    "content-range",
    "accept-ranges",
    "retry-after",
    "etag",
    "last-modified",
    "openai-processing-ms",
    "x-should-retry",
)
TOLD_STARTS = ("x-ratelimit-", "anthropic-ratelimit-")


@dataclass(slots=True)
class Passage:
    """What is passed on: to whom, at which path of its host, and the body."""

    provider: ProviderEntry
    method: str
    path: str  # quoted, from the host's root on, with the query
    body: bytes | BodySource = b""
    meter: str = ""  # the format in which the answer tells its usage
    is_free: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    fields: JSON = field(default_factory=dict)  # of a body that is a form, without its files
    files: int = 0  # how many it brings


def kind_of(method: str, path: str) -> tuple[str, bool]:
    """(the format its answer tells its usage in or '', whether it costs nothing) of an address."""
    path = path.partition("?")[0]
    if method in FREE_METHODS or path.endswith(FREE_ENDS):
        return "", True
    return next((format for end, format in METERED if path.endswith(end)), ""), False


async def pass_on(call: Call, passage: Passage) -> None:
    """The story of one that is passed on, as `pipeline.run` tells it."""
    _authorise(call, passage)
    step = _step(call, passage.provider)
    call.model = step.model
    if passage.is_free:
        await admit_free(call)
    else:
        if not passage.meter:
            refuse_under_budget(call, "What a request to this address costs cannot be told")
        await admit(call)
    call.plan = Plan("passed on", (step,))
    call.decision = call.plan.decision()
    call.mark("routed")
    begin(call)
    relay = Relay(call)
    try:
        await admit_step(call, step)
        await _send_and_relay(call, relay, passage, step)
    finally:
        relay.close()


def _authorise(call: Call, passage: Passage) -> None:
    """A key that is narrowed to models is so here too: it must name one, and one that it may use."""
    name = call.facts.model
    narrowed = policy.is_narrowed(call.principal)
    allowed = bool(name) and policy.may_use_model(call.principal, name)
    if call.principal.key.no_models or (narrowed and not allowed):
        what = f"the model '{name[:200]}'" if name else "what names no model"
        raise ModelNotAllowed(f"This key may not use {what}.", param="model")
    refuse_others(call.principal, call.body)
    if (problem := PROBLEMS.get(passage.provider.credential_state)) is not None:
        raise NoDeployment(f"The provider {passage.provider.name} {problem}.")


def _step(call: Call, provider: ProviderEntry) -> Step:
    """A plan of one step, for a model that is in no catalogue."""
    name = call.facts.model
    deployment = DeploymentEntry(
        id="",
        name=f"{provider.name}/{name}" if name else provider.name,
        model_id="",
        provider=provider,
        upstream_model=name,
        weight=1,
        order=1,
        timeouts=Timeouts(),
        price_of=_price_of(call, provider, name),
    )
    call.facts.model = name or provider.name
    model = ModelEntry("", call.facts.model, "passed on", 0, (deployment,))
    return Step(model, deployment, name, "named in the address")


def _price_of(call: Call, provider: ProviderEntry, name: str) -> str:
    """The id of the deployment of the same model there, whose price an admin may have set; of several with
    prices of their own the dearest, since nothing tells which is meant. Empty: there is none."""
    catalogue, book = call.snapshot.sections["catalogue"], call.snapshot.sections["prices"]
    models = (*catalogue.by_name.values(), *(model for _, model in catalogue.patterns))
    ids = {
        each.id
        for model in models
        for each in model.deployments
        if each.provider.id == provider.id and _serves(each, name)
    }
    found = {each: book.find(each, provider.price_kind, name, call.arrived_ms) for each in ids}
    prices = {each: pricing.worst_case(price, _MANY, _MANY) for each, price in found.items() if price}
    return max(sorted(prices), key=prices.__getitem__, default="")


def _serves(deployment: DeploymentEntry, name: str) -> bool:
    start, star, end = deployment.upstream_model.partition("*")
    return name.startswith(start) and name.endswith(end) if star else name == start


async def _send_and_relay(call: Call, relay: Relay, passage: Passage, step: Step) -> None:
    guard = relay.guard
    attempt = open_attempt(call, step)
    timeouts = step.deployment.timeouts
    body = call.raw if isinstance(passage.body, bytes) else passage.body
    outgoing = Outgoing(passage.path, body, dict(passage.headers), method=passage.method, from_host=True)
    outgoing.headers["x-gatehouse-request-id"] = call.id
    guard.total_at = guard.last_s + timeouts.total_s
    guard.expect("first_content", timeouts.first_content_s)
    with Underway(call, attempt) as underway:
        answer = await underway.headers(outgoing, timeouts)
        guard.expect("idle", timeouts.idle_s)
        if answer.status >= 400:
            await _relay_refusal(call, attempt, answer)
        else:
            await _relay_answer(call, relay, attempt, answer, passage)


async def _relay_refusal(call: Call, attempt: Attempt, answer: UpstreamAnswer) -> None:
    """What the provider refused, in its own words; but its word on our credential is ours."""
    raw = await answer.read()
    failure = exchange.read_failure(Target(call.format, ""), answer.status, answer.headers, raw)
    if answer.status in (401, 403):
        raise failure
    call.error = hide_credential(failure, attempt.step.deployment.provider)
    await settle(call)
    if call.client_gone_ms is None:
        await call.reply.whole(answer.status, _headers(call, attempt, answer), raw)


async def _relay_answer(
    call: Call, relay: Relay, attempt: Attempt, answer: UpstreamAnswer, passage: Passage
) -> None:
    """Each piece as it comes. The meter looks on."""
    content_type = content_type_of(answer)
    call.facts.stream = content_type.startswith("text/event-stream")
    behind_base = passage.path.removeprefix(urlsplit(passage.provider.base_url).path.rstrip("/"))
    keeps = passage.provider.format == "gemini" and is_upload(passage.method, behind_base)
    meter = Meter(call, passage.meter, call.facts.stream, keeps=keeps)
    call.committed = True
    attempt.first_content_ms = call.ttft_ms = call.mark("first_content")
    if call.live is not None:
        call.live.ttft_ms = call.ttft_ms
        call.live.enter("streaming", call.ttft_ms)
    if call.client_gone_ms is None:
        await call.reply.begin(answer.status, _headers(call, attempt, answer))
    await _relay_pieces(call, relay, attempt, answer, meter)
    if keeps:
        keep_upload(call, passage.provider.id, meter.whole)
    call.is_unreadable = not passage.is_free and not passage.meter
    call.is_count = passage.is_free
    call.error = hide_credential(meter.refusal, passage.provider) if meter.refusal else None
    call.answered = call.error is None
    await settle(call)
    if call.client_gone_ms is None:
        await call.reply.finish()


async def _relay_pieces(
    call: Call, relay: Relay, attempt: Attempt, answer: UpstreamAnswer, meter: Meter
) -> None:
    brake, sampler = Brake(call, attempt), Sampler(call)
    guard = relay.guard
    try:
        while chunk := await answer.next_chunk():
            guard.last_s = guard.sent_s = asyncio.get_running_loop().time()
            meter.feed(chunk)
            _note(call, attempt, meter)
            if call.client_gone_ms is None:
                await call.reply.write(chunk)
            if meter.pipe is not None:
                if brake.is_needed and brake.is_due(meter.observed):
                    await brake.look(meter.observed)
                sampler.take_if_due(meter.pipe)
        meter.finish()
    finally:
        _note(call, attempt, meter)


def _note(call: Call, attempt: Attempt, meter: Meter) -> None:
    """What is known so far: whatever ends the call now is settled by it."""
    attempt.observed = meter.observed
    call.is_unread = meter.is_unread
    call.facts.stream |= meter.pipe is not None


def _headers(call: Call, attempt: Attempt, answer: UpstreamAnswer) -> dict[str, str]:
    told = {
        name.lower(): value
        for name, value in answer.headers.items()
        if name.lower() in TOLD or name.lower().startswith(TOLD_STARTS)
    }
    return {
        **told,
        **answer_headers(call, attempt),
        "content-type": told_content_type(content_type_of(answer)),
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
