"""What one attempt sends, and how its answer goes through: by two formats, or by an operation."""

from proxy_app.answering import render_options
from proxy_app.call import Call
from proxy_app.cloud_storage import check_storage
from proxy_app.formats import exchange
from proxy_app.formats.contract import StreamPipe
from proxy_app.operations import serving
from proxy_app.planning import Step
from proxy_app.remembering import recall
from proxy_app.upstream import UpstreamAnswer
from proxy_app.wire import Outgoing, Target


async def prepare(call: Call, step: Step) -> tuple[Target, Outgoing]:
    """The provider's request for this call. Raises BadRequest for what cannot be carried."""
    provider = step.deployment.provider
    if call.operation is not None:
        target = serving.target_of(call.operation, provider.formats, step.upstream_model, provider.quirks)
        outgoing = serving.build(call.operation, target, call.asked)
        call.dropped = outgoing.dropped
        return target, outgoing
    check_storage(call.raw, call.body, provider.quirks)
    wire = exchange.choose_format(
        call.body_format, provider.formats, provider.quirks, call.body, step.upstream_model
    )
    target = Target(wire, step.upstream_model, provider.quirks)
    signed = await recall(call, step) if wire != call.body_format else None
    outgoing = exchange.build_outgoing(call.body_format, target, call.raw, call.body, call.facts, signed)
    for name in exchange.forwarded(call.body_format, target):
        if value := call.headers.get(name.encode()):
            outgoing.headers[name] = value.decode("latin-1")
    if call.address.verb:
        outgoing.path = exchange.with_verb(wire, outgoing.path, call.address.verb)
    call.dropped, call.lost_thoughts = outgoing.dropped, outgoing.lost_thoughts
    return target, outgoing


def open_pipe(call: Call, answer: UpstreamAnswer, target: Target) -> StreamPipe | None:
    """How the answer goes through as it comes; None where it is whole."""
    if call.operation is None:
        if not call.facts.stream:
            return None
        return exchange.open_pipe(call.format, target, call.facts, render_options(call))
    pipe = serving.open_pipe(call.operation, target, content_type_of(answer), call.asked)
    call.facts.stream = pipe is not None  # some providers answer whole what was asked for as a stream
    return pipe


def content_type_of(answer: UpstreamAnswer) -> str:
    return answer.headers.get("content-type") or ""
