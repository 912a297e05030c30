"""`/{provider}/…`: what the gateway has no endpoint for, passed on to a provider by its name."""

import re
from typing import ClassVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import orjson

from gateway_project.errors import EndpointNotAllowed, InvalidBody, JournalFull, NotServed
from keys_app import policy
from proxy_app import pipeline
from proxy_app.call import Call, caller_of
from proxy_app.catalogue import Catalogue, ProviderEntry
from proxy_app.cloud_storage import check_every_text
from proxy_app.dialects import dialect_of
from proxy_app.formats.registry import INBOUND
from proxy_app.metering import bounds_of
from proxy_app.passing import FREE_METHODS, KEPT_BACK, KEPT_BACK_STARTS, Passage, kind_of, pass_on
from proxy_app.reading import know_caller
from proxy_app.spool import Renamed, Spool
from proxy_app.stored import providers_by_name
from proxy_app.views.base import APIView
from proxy_app.views.request import Request
from proxy_app.wire import JSON, CallFacts
from proxy_app.wishes import FormReading, answers_wished, longest_wished
from usage_app.usage import estimate_input_tokens

BODY_LIMIT = 512 * 1024 * 1024
JSON_LIMIT = 16 * 1024 * 1024
_HEAD = 1024  # bytes that tell whether a body is JSON
#: Formats whose addresses begin at a provider's host, beside its base address: how they begin.
_AT_HOST = {"cohere": "v2"}
_SAFE = "/:@!$&'()*+,;=~-._"
_MODEL_IN_PATH = re.compile(r"(?:models|deployments)/([^/:]+(?:/[^/:]+)?):?[A-Za-z]*")


def passed_to(catalogue: Catalogue, path: str) -> dict[str, str] | None:
    """Provider and rest of a path that begins with a provider's name."""
    name, _, rest = path.lstrip("/").partition("/")
    return {"provider": name, "rest": rest} if rest and name in providers_by_name(catalogue) else None


class PassThrough(APIView):
    """Any method. A key must be allowed it by name: an empty list of endpoints does not."""

    endpoint = "passthrough"
    methods: ClassVar[tuple[str, ...]] = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

    def __init__(self, request: Request, **kwargs: str) -> None:
        super().__init__(request, **kwargs)
        scope = request.scope
        self.format = dialect_of(scope["path"], request.headers, scope["query_string"])

    def check_permissions(self) -> None:
        super().check_permissions()
        assert self.request.principal is not None
        if not policy.is_allowed_by_name(self.request.principal, self.endpoint):
            raise EndpointNotAllowed(
                "This key may not pass requests on to providers: 'passthrough' must be among its endpoints."
            )

    async def get(self) -> None:
        await self._pass(self.request.method)

    post = put = patch = delete = head = get

    async def _pass(self, method: str) -> None:
        request = self.request
        provider = providers_by_name(request.snapshot.sections["catalogue"])[self.kwargs["provider"]]
        self.format = _dialect(provider, self.format)
        path = _path_at(provider, self.kwargs["rest"])
        meter, is_free = kind_of(method, path)
        passage = Passage(provider, method, path + self._query(provider), meter=meter, is_free=is_free)
        passage.headers = self._headers()
        content_type = request.headers.get(b"content-type", b"").decode("latin-1")
        if method in FREE_METHODS or content_type.lower().startswith("application/json"):
            raw = await request.read_body(JSON_LIMIT)
            passage.headers.pop("content-encoding", None)  # it was unpacked
            await self._run(passage, raw)
            return
        if not request.services.journal.has_room():
            raise JournalFull
        spool = Spool(request.services.config.data)
        form = FormReading("" if is_free else content_type)
        try:
            async for piece in request.pieces(BODY_LIMIT):
                form.feed(piece)
                await spool.write(piece)
            await spool.close_writing()
            passage.fields, passage.files = form.fields(), form.files()
            passage.body = Renamed(spool, (), b"")
            await _check_spooled(spool, provider)
            await self._run(passage, spool.digest)
        finally:
            spool.close()

    async def _run(self, passage: Passage, raw: bytes) -> None:
        call = self.make_call(raw)
        call.body_format = passage.meter if passage.meter != "usage" else ""
        call.mark("received")
        await pipeline.run(call, lambda call: self._tell(call, passage))

    async def _tell(self, call: Call, passage: Passage) -> None:
        """Read what there is to read, then pass it on."""
        try:
            call.facts = self._facts(call, passage)
            know_caller(call, call.facts)
            call.mark("parsed")
        finally:
            call.caller = caller_of(call.principal, call.claims)
        await pass_on(call, passage)

    def _facts(self, call: Call, passage: Passage) -> CallFacts:
        """The model named in body or path, and the limit of a conversation. Raises InvalidBody."""
        match = _MODEL_IN_PATH.search(self.kwargs["rest"])
        facts = CallFacts(model=match[1] if match else "")
        body = call.body = _body(call, passage)
        if isinstance(body.get("model"), str):
            facts.model = body["model"][:200]
        facts.max_output_tokens = longest_wished(body, passage.meter)
        facts.candidates = answers_wished(body, passage.meter)
        facts.stream = body.get("stream") is True
        if passage.meter:
            call.input_estimate = estimate_input_tokens(len(call.raw))
        if passage.meter == "usage":
            size = len(call.raw) if isinstance(passage.body, bytes) else passage.body.size
            path = passage.path.partition("?")[0]
            facts.most, facts.likely = bounds_of(path, size, call.body, passage.files)
            call.input_estimate = facts.likely.input_tokens or 0
        return facts

    def _headers(self) -> dict[str, str]:
        return {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in self.request.headers.items()
            if name.decode("latin-1") not in KEPT_BACK
            and not name.decode("latin-1").startswith(KEPT_BACK_STARTS)
        }

    def _query(self, provider: ProviderEntry) -> str:
        """The caller's query without what could be a credential."""
        raw = self.request.scope["query_string"]
        asked = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
        words = [value for _, value in asked]
        check_every_text("".join(words).encode(), words, provider.quirks)
        kept = [(name, value) for name, value in asked if name.lower() not in ("key", "api_key", "api-key")]
        return f"?{urlencode(kept)}" if kept else ""


def _body(call: Call, passage: Passage) -> JSON:
    """The JSON that is passed on, or the fields of a form. Raises InvalidBody."""
    if not isinstance(passage.body, bytes):
        return passage.fields
    if not call.raw:
        return {}
    try:
        body = orjson.loads(call.raw)
    except orjson.JSONDecodeError:
        body = None
    check_every_text(call.raw, body, passage.provider.quirks)
    if isinstance(body, dict):
        return body
    if passage.meter:
        raise InvalidBody("The body is not a JSON object.")
    return {}


def _path_at(provider: ProviderEntry, rest: str) -> str:
    """The path at the provider's host: its base address's and what follows, with no way out of either.

    A version that both name stands once: `/openai/v1/files` is /v1/files behind https://api.openai.com/v1.
    """
    if provider.addressing != "plain":
        raise NotServed(f"{provider.name} has addresses of its own kind: requests to it are not passed on.")
    segments = rest.split("/")
    if any(segment in (".", "..") for segment in segments) or "" in segments[:-1] or "\\" in rest:
        raise NotServed("The path leads nowhere.")
    if any(ord(letter) < 32 for letter in rest):
        raise NotServed("The path leads nowhere.")
    base = urlsplit(provider.base_url).path.rstrip("/")
    if segments[0] in {_AT_HOST.get(spoken) for spoken in provider.formats}:
        base = ""
    if base and segments[0] == base.rpartition("/")[2]:
        segments = segments[1:]
    return f"{base}/{quote('/'.join(segments), safe=_SAFE)}"


async def _check_spooled(spool: Spool, provider: ProviderEntry) -> None:
    """Whatever it is called, a body that is JSON is read as such by some."""
    if spool.size > JSON_LIMIT:
        return
    raw = b"".join([piece async for piece in spool.read(0, min(spool.size, _HEAD))])
    if not raw.lstrip().startswith((b"{", b"[")):
        return
    raw += b"".join([piece async for piece in spool.read(len(raw), spool.size)])
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return
    check_every_text(raw, body, provider.quirks)


def _dialect(provider: ProviderEntry, format: str) -> str:
    """Errors are told as the provider tells them."""
    if format in provider.formats:
        return format
    return next((each for each in provider.formats if each in INBOUND), format)
