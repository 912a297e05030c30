"""The data plane's own small `APIView`: DRF's steps and names, async, without its request wrapping.

A view declares its endpoint, wire format, body limit and methods. `dispatch` authenticates from
the headers, authorises, and hands over to the method, which reads the body within its limit.
"""

import logging
from hmac import compare_digest
from typing import ClassVar
from urllib.parse import quote, urlsplit

import orjson

from gateway_project.clock import now_ms
from gateway_project.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    GatehouseError,
    InternalFault,
    InvalidKey,
    MethodNotAllowed,
    MissingKey,
    NotReady,
    Overloaded,
    SlowBody,
)
from keys_app import grants, policy
from keys_app.entries import Principal
from keys_app.secrets import hash_secret
from proxy_app.answering import told_ids
from proxy_app.call import Call, caller_of
from proxy_app.dialects import limits_in
from proxy_app.formats import exchange
from proxy_app.identity import read_claims, shown_secret
from proxy_app.refusals import record_refusal
from proxy_app.views.request import ClientLeft, Request
from proxy_app.wire import NOWHERE, Address

log = logging.getLogger("gatehouse.calls")

BODY_LIMIT = 16 * 1024 * 1024  # bytes


class APIView:
    """Base of every data plane endpoint."""

    endpoint: ClassVar[str] = ""
    format: str = "openai_chat"  # of answers and errors
    methods: ClassVar[tuple[str, ...]] = ("POST",)
    body_limit: ClassVar[int] = BODY_LIMIT
    needs_key: ClassVar[bool] = True

    def __init__(self, request: Request, **kwargs: str) -> None:
        self.request = request
        self.kwargs = kwargs

    async def dispatch(self) -> None:
        """method → initial → handler; any error → the caller's dialect."""
        request = self.request
        # Counted from here: bodies that are being read take memory too.
        request.services.entered += 1
        try:
            if request.method == "OPTIONS":
                return await self.preflight()
            await self.initial()
            if request.method not in self.methods:
                self.http_method_not_allowed()
            await getattr(self, request.method.lower())()
        except GatehouseError as error:
            await self.handle_exception(error)
        except ClientLeft:
            return None
        except Exception:
            log.exception("request %s failed inside the gateway", request.id)
            await self.handle_exception(InternalFault())
        finally:
            request.services.entered -= 1
        return None

    def http_method_not_allowed(self) -> None:
        raise MethodNotAllowed(
            f"This endpoint takes {', '.join(self.methods)}.", headers={"allow": ", ".join(self.methods)}
        )

    async def initial(self) -> None:
        """Everything that must hold before the body is looked at."""
        await self.check_overload()
        if self.needs_key:
            await self.perform_authentication()
            self.check_permissions()

    async def check_overload(self) -> None:
        services = self.request.services
        if services.draining or services.entered > services.config.max_in_flight:
            raise Overloaded(retry_after_s=1)
        if not services.keeper.ready:
            raise NotReady(retry_after_s=2)

    async def perform_authentication(self) -> None:
        """Who shows which key. A key made a moment ago is looked for once more before a 401."""
        request = self.request
        services = request.services
        secret = shown_secret(request.headers, request.scope["query_string"])
        if not secret:
            services.metrics.refused_before_a_key += 1
            raise MissingKey
        if secret.startswith(grants.PREFIX):
            await self._take_grant(secret)
            return
        await self.know_key(hash_secret(secret))

    async def know_key(self, secret_hash: str) -> None:
        """Whose key that is, and that it works. Raises InvalidKey, NotReady."""
        request, services = self.request, self.request.services
        if services.master_hash and compare_digest(secret_hash, services.master_hash):
            request.principal = policy.master_principal()
            return
        try:
            request.principal = policy.authenticate(request.snapshot, secret_hash, now_ms())
        except InvalidKey as error:
            if type(error) is not InvalidKey:
                self._remember_refused_key(secret_hash)
                raise
            request.snapshot = await services.keeper.refresh_on_miss()
            if services.keeper.database_down and secret_hash not in request.snapshot.keys:
                raise NotReady("The key cannot be looked up now.", retry_after_s=5) from None
            try:
                request.principal = policy.authenticate(request.snapshot, secret_hash, now_ms())
            except InvalidKey:
                services.metrics.refused_before_a_key += 1
                self._remember_refused_key(secret_hash)
                raise

    async def _take_grant(self, text: str) -> None:
        """A person signed in to the dashboard calls as a key of theirs, from the dashboard's own address."""
        request = self.request
        claim = grants.read_grant(text, now_ms())
        if claim is None or not self._is_own_page():
            request.services.metrics.refused_before_a_key += 1
            raise InvalidKey("This grant is not valid (any more).")
        try:
            request.principal = policy.authenticate_grant(request.snapshot, claim, now_ms())
        except InvalidKey as error:
            if type(error) is not InvalidKey:
                raise
            # Signed here, so there was such a key: it may have been made a moment ago.
            request.snapshot = await request.services.keeper.refresh_on_miss()
            request.principal = policy.authenticate_grant(request.snapshot, claim, now_ms())
        request.is_granted = True
        request.headers[b"user-agent"] = b"playground"
        request.headers[b"x-gatehouse-tags"] = quote(f"playground by {claim.username}").encode()

    def _is_own_page(self) -> bool:
        """Whether a browser that asks is on a page of ours; programs say no origin."""
        origin = self.request.headers.get(b"origin")
        if origin is None:
            return True
        host = self.request.headers.get(b"host", b"").decode("latin-1")
        public = urlsplit(self.request.services.config.public_url).netloc
        return urlsplit(origin.decode("latin-1")).netloc in {host, public} - {""}

    def _remember_refused_key(self, secret_hash: str) -> None:
        """A key that is known but refused still gets its row in the ledger."""
        key = self.request.snapshot.keys.get(secret_hash)
        if key is not None:
            snapshot = self.request.snapshot
            self.request.principal = Principal(
                key, snapshot.users.get(key.user_id), snapshot.services.get(key.service_id)
            )

    def check_permissions(self) -> None:
        request = self.request
        assert request.principal is not None
        client = request.scope.get("client")
        policy.authorise(request.principal, self.endpoint, client[0] if client else "")
        origin = request.headers.get(b"origin")
        if origin is not None and not request.is_granted:
            if origin.decode("latin-1") not in request.principal.key.origins:
                raise AddressNotAllowed("This key may not be used from that browser origin.")
            request.reply.allow_origin(origin)

    async def handle_exception(self, error: GatehouseError) -> None:
        """Answer in the caller's own dialect; a known key gets its ledger row."""
        request = self.request
        if request.principal is not None:
            self._file(error)
        if request.reply.started:
            return
        if self._comes_from_an_allowed_origin():  # a page that cannot read an error takes it for a dead line
            request.reply.allow_origin(request.headers[b"origin"])
        rendered = exchange.render_error(self.format, error, request.id)
        told = {**error.headers, **rendered.headers, **told_ids(request.id)}
        headers = dict(limits_in(self.format, told, now_ms()))
        if isinstance(error, BodyTooLarge | SlowBody):
            headers["connection"] = "close"  # the rest of the body is not read
        await request.reply.whole(rendered.status, headers, orjson.dumps(rendered.body))

    def _file(self, error: GatehouseError) -> None:
        assert self.request.principal is not None
        call = self.make_call(b"")
        call.claims = read_claims(self.request.headers, None)
        call.caller = caller_of(call.principal, call.claims)
        record_refusal(call, error)

    def make_call(self, raw: bytes) -> Call:
        """The call that this request becomes."""
        request = self.request
        assert request.principal is not None
        return Call(
            id=request.id,
            endpoint=self.endpoint,
            format=self.format,
            principal=request.principal,
            snapshot=request.snapshot,
            services=request.services,
            reply=request.reply,
            raw=raw,
            headers=request.headers,
            address=self.address(),
        )

    def address(self) -> Address:
        """What the request's address asks for: formats differ in what they put there."""
        model = self.kwargs.get("model")
        return Address(model=model) if model else NOWHERE

    async def preflight(self) -> None:
        """Answer a browser's question, without a key: origins that some key allows."""
        request = self.request
        headers = {"allow": ", ".join((*self.methods, "OPTIONS"))}
        if self._comes_from_an_allowed_origin():
            request.reply.allow_origin(request.headers[b"origin"])
            headers["access-control-allow-methods"] = ", ".join(self.methods)
            headers["access-control-allow-headers"] = request.headers.get(
                b"access-control-request-headers", b"authorization, content-type"
            ).decode("latin-1")
            headers["access-control-max-age"] = "600"
        await request.reply.begin(204, headers)  # which has neither a length nor a type
        await request.reply.finish()

    def _comes_from_an_allowed_origin(self) -> bool:
        """Whether some key allows the page that asks."""
        origin = self.request.headers.get(b"origin")
        return origin is not None and origin.decode("latin-1") in self._allowed_origins()

    def _allowed_origins(self) -> frozenset[str]:
        """Origins that any key allows, gathered once a snapshot: a preflight shows no key."""
        snapshot, services = self.request.snapshot, self.request.services
        if services.origins is None or services.origins[0] is not snapshot:
            found = frozenset(origin for key in snapshot.keys.values() for origin in key.origins)
            services.origins = (snapshot, found)
        return services.origins[1]
