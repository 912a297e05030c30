"""One of Anthropic's batches on its way: its requests, written anew for the provider that is to answer them.

Each is read and checked as it comes, as a call to /v1/messages by itself. None is held in memory longer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import orjson

from gateway_project.errors import BadRequest, GatehouseError, InvalidBody
from keys_app import policy
from keys_app.entries import Principal
from proxy_app.batch_kinds import KINDS
from proxy_app.batch_lines import once
from proxy_app.batching import carry_batch
from proxy_app.call import Call, caller_of
from proxy_app.catalogue import Catalogue, DeploymentEntry, ModelEntry
from proxy_app.file_choosing import choose_deployment
from proxy_app.formats import exchange
from proxy_app.identity import read_claims
from proxy_app.keeping import check_files
from proxy_app.long_lists import ListSplitter
from proxy_app.message_requests import (
    ENDPOINT,
    FORMAT,
    MOST_REQUESTS,
    REQUEST_LIMIT,
    MessageRequest,
    named,
    read_request,
)
from proxy_app.others_named import refuse_others
from proxy_app.planning import Step, fill
from proxy_app.reading import is_too_deep, know_caller, refuse_forbidden
from proxy_app.spool import Spool
from proxy_app.stored import StoredObjects, keeper_of
from proxy_app.uploading import Sheet
from proxy_app.wire import JSON, CallFacts, Outgoing, Target

MANY_MARKS = 2000  # in a piece: some milliseconds
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(slots=True)
class Requests:
    """What is known of a body's requests once all have come."""

    principal: Principal
    catalogue: Catalogue
    stored: StoredObjects
    address: str
    spool: Spool
    name: str = ""  # public name of the model that they ask for
    model: ModelEntry | None = None
    deployment: DeploymentEntry | None = None
    count: int = 0
    seen: set[str] = field(default_factory=set)  # ids of the caller's own
    most: list[int] = field(default_factory=lambda: [0, 0])  # tokens of input and output
    rest: bytes = b""  # the body's other fields

    @property
    def upstream_model(self) -> str:
        assert self.model is not None
        assert self.deployment is not None
        return fill(self.model.name, self.deployment.upstream_model, self.name)

    @property
    def body(self) -> Sheet:
        return Sheet((b'{"requests":[', (self.spool, 0, self.spool.size), b"]", self.rest, b"}"))

    async def read(self, pieces: AsyncIterator[bytes]) -> None:
        """Take the body in. One that is refused is received to its end, so that its sender hears why."""
        splitter = ListSplitter("requests", REQUEST_LIMIT)
        refusal: GatehouseError | None = None
        async for piece in pieces:
            if refusal is not None:
                continue
            try:
                for raw in await _split(splitter, piece):
                    await self._add(raw)
            except GatehouseError as error:
                refusal = error
        if refusal is not None:
            raise refusal
        self.rest = _rest(bytes(splitter.rest))
        if self.deployment is None:
            raise BadRequest("'requests' must be a list with at least one request.", param="requests")
        await self.spool.close_writing()

    async def _add(self, raw: bytes) -> None:
        self.count += 1
        if self.count > MOST_REQUESTS:
            raise BadRequest(f"A batch may have {MOST_REQUESTS} requests.", param="requests")
        request = read_request(self.count, raw)
        self.seen.add(once(request.custom_id, self.seen, f"Request {self.count}"))
        if self.deployment is None:
            self._choose(request)
        elif request.model != self.name:
            raise BadRequest(
                f"Request {self.count} asks for '{request.model[:200]}', those before it for"
                f" '{self.name[:200]}': the requests of one batch ask for one model.",
                param="model",
            )
        assert self.deployment is not None
        where, provider = f"Request {self.count}", self.deployment.provider
        try:
            refuse_others(self.principal, request.params)
        except GatehouseError as error:
            raise named(where, error) from None
        await check_files(self.stored, keeper_of(self.principal), raw, request.params, provider.id, where)
        for position, count in enumerate(request.most()):
            self.most[position] += count
        await self.spool.write((b"," if self.count > 1 else b"") + request.with_model(self.upstream_model))

    def _choose(self, request: MessageRequest) -> None:
        try:
            policy.authorise(self.principal, ENDPOINT, self.address)
            quirk = KINDS["message_batch"].quirk
            self.model, self.deployment = choose_deployment(
                self.catalogue, self.principal, request.model, quirk=quirk
            )
        except GatehouseError as error:
            raise named(f"Request {request.number}", error) from None
        self.name = request.model


async def _split(splitter: ListSplitter, piece: bytes) -> Iterable[bytes]:
    """The requests that end in a piece. Many marks take long to count: not on the loop."""
    if sum(piece.count(mark) for mark in b'"[{') > MANY_MARKS:
        return await asyncio.to_thread(lambda: list(splitter.feed(piece)))
    return splitter.feed(piece)


def _rest(raw: bytes) -> bytes:
    """The body's other fields as they go on behind the list. Raises InvalidBody, ForbiddenParameter."""
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise InvalidBody("The body is not a JSON object with a list of 'requests'.")
    if fields.pop("requests", []) != []:
        raise InvalidBody("'requests' must be a list of objects.", param="requests")
    if is_too_deep(raw, fields):
        raise InvalidBody("The body is nested too deeply.")
    refuse_forbidden(fields)
    kept = _fields(raw)
    kept.pop("requests", None)
    return b"," + msgspec.json.encode(kept)[1:-1] if kept else b""


async def make_message_batch(call: Call, requests: Requests, shown: Callable[[JSON], JSON]) -> None:
    """As `pipeline.run` tells it."""
    call.claims = read_claims(call.headers, None)
    call.caller = caller_of(call.principal, call.claims)
    know_caller(call, CallFacts(model=""))
    call.caller = caller_of(call.principal, call.claims)
    call.facts.model = requests.name[:200]
    call.mark("parsed")
    model, deployment = requests.model, requests.deployment
    assert model is not None
    assert deployment is not None
    call.model = replace(model, deployments=(deployment,))
    step = Step(call.model, deployment, requests.upstream_model, "it has batches of messages")
    outgoing = Outgoing(KINDS["message_batch"].path, requests.body, _headers(call.headers))
    most = requests.most[0], requests.most[1]
    await carry_batch(call, step, "message_batch", most, outgoing, shown)


def _headers(told: Mapping[bytes, bytes]) -> dict[str, str]:
    headers = {"content-type": "application/json", **KINDS["message_batch"].headers}
    for name in exchange.forwarded(FORMAT, Target(FORMAT, "")):
        if value := told.get(name.encode()):
            headers[name] = value.decode("latin-1")
    return headers
