"""Files on their way to Google, whole or piece by piece, as its SDKs bring them.

An upload that goes on is answered with an address here in place of Google's, whose sender shows no key there.
"""

from typing import Any, ClassVar
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import orjson

from gateway_project.clock import now_ms
from gateway_project.errors import (
    BadRequest,
    InvalidBody,
    InvalidKey,
    JournalFull,
    NotServed,
    UnsupportedEncoding,
    UnsupportedParameter,
    UpstreamInvalid,
)
from keys_app.secrets import hash_secret
from proxy_app.answering import told_ids
from proxy_app.asking import open_answer
from proxy_app.catalogue import ProviderEntry
from proxy_app.file_choosing import NAMED_BY, choose_provider
from proxy_app.file_kinds import gemini_version
from proxy_app.google_files import HOST_WORD, uploaded_name
from proxy_app.identity import shown_secret
from proxy_app.preparing import content_type_of
from proxy_app.spool import Renamed, Spool
from proxy_app.stored import provider_at
from proxy_app.upload_tickets import VALID_MS, Ticket, seal, unseal
from proxy_app.upstream import UpstreamAnswer
from proxy_app.views.base import APIView
from proxy_app.views.files import FILE_LIMIT, SENDING_S, FileView
from proxy_app.views.request import Request
from proxy_app.wire import BodySource

START_LIMIT = 64 * 1024
_OURS, _URL = "x-goog-upload-", "x-goog-upload-url"
#: What the provider tells of an upload; where it lies is told as an address here.
_TOLD = ("x-goog-upload-status", "x-goog-upload-chunk-granularity", "x-goog-upload-size-received")


class FileUploads(FileView):
    """POST: begin an upload, go on with one, or bring a file at once."""

    methods: ClassVar[tuple[str, ...]] = ("POST",)

    def __init__(self, request: Request, **kwargs: str) -> None:
        super().__init__(request, **kwargs)
        self.format = "gemini"
        shown = self.query.get("upload_id", "")
        self.ticket = unseal(shown, now_ms()) if shown else None
        self.goes_on = bool(shown)

    async def initial(self) -> None:
        """Only what begins an upload counts as a request: its pieces would run into the limit."""
        await (APIView.initial(self) if self.goes_on else super().initial())

    async def perform_authentication(self) -> None:
        if not self.goes_on:
            await super().perform_authentication()
        elif self.ticket is None:
            raise InvalidKey("This upload is not known here, or not any more: begin it anew.")
        else:
            await self.know_key(self.ticket.secret_hash)

    async def post(self) -> None:
        headers, query = self.request.headers, self.query
        protocol = headers.get(b"x-goog-upload-protocol", b"").decode("latin-1").lower()
        protocol = protocol or query.get("uploadType", query.get("upload_protocol", ""))
        if b"content-encoding" in headers:
            raise UnsupportedEncoding("A file must not be compressed on its way.")
        if self.ticket is not None:
            await self._go_on(self.ticket)
        elif protocol == "resumable":
            await self._begin()
        elif protocol in ("raw", "media"):
            provider = self._chosen()
            asked = "?uploadType=media" if protocol == "media" else ""
            await self._carry(provider, self._path(provider) + asked, is_last=True)
        else:
            raise UnsupportedParameter(
                "Files are brought in the protocols 'resumable' and 'raw' (X-Goog-Upload-Protocol).",
                param="uploadType",
            )

    def _chosen(self) -> ProviderEntry:
        principal = self.request.principal
        assert principal is not None
        header = self.request.headers.get(NAMED_BY.encode(), b"").decode("latin-1")
        return choose_provider(self.catalogue, principal, header or self.query.get(NAMED_BY, ""), self.format)

    def _path(self, provider: ProviderEntry) -> str:
        return f"/upload/{gemini_version(provider)}/files"

    async def _begin(self) -> None:
        if self._command != "start":
            raise BadRequest(
                "An upload begins with the command 'start' alone.", param="X-Goog-Upload-Command"
            )
        raw = await self.request.read_body(START_LIMIT)
        _refuse_name(raw)
        provider = self._chosen()
        answer = await self._open(provider, self._path(provider), raw)
        try:
            url = self._address_of(provider, answer.headers.get(_URL, ""))
            await self._relay(answer, await answer.read(), {_URL: url})
        finally:
            answer.release()

    async def _go_on(self, ticket: Ticket) -> None:
        provider = provider_at(self.catalogue, ticket.provider_id)
        if provider is None:
            raise NotServed("The provider that this file goes to is not used here any more.")
        await self._carry(provider, ticket.path, is_last="finalize" in self._command, from_host=True)

    async def _carry(self, provider: ProviderEntry, path: str, *, is_last: bool, **how: Any) -> None:
        """A piece, by way of the disk. The last one makes the file its sender's, before it hears so."""
        services = self.request.services
        if not services.journal.has_room():
            raise JournalFull
        spool = Spool(services.config.data)
        try:
            async for piece in self.request.pieces(FILE_LIMIT):
                await spool.write(piece)
            await spool.close_writing()
            answer = await self._open(provider, path, Renamed(spool, (), b""), **how)
            try:
                raw = await answer.read()
            finally:
                answer.release()
        finally:
            spool.close()
        if is_last:
            self.keep(uploaded_name(raw), provider)
        await self._relay(answer, raw, {})

    @property
    def _command(self) -> str:
        return self.request.headers.get(b"x-goog-upload-command", b"").decode("latin-1").lower()

    async def _open(
        self, provider: ProviderEntry, path: str, body: bytes | BodySource, **how: Any
    ) -> UpstreamAnswer:
        told = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in self.request.headers.items()
        }
        return await open_answer(
            self.request.services.upstream,
            provider,
            path,
            "POST",
            body=body,
            content_type=told.get("content-type", "application/octet-stream"),
            patience_s=SENDING_S,
            headers={name: value for name, value in told.items() if name.startswith(_OURS)},
            format=self.files.format,
            **how,
        )

    def _address_of(self, provider: ProviderEntry, url: str) -> str:
        """Where the upload goes on, here. Raises UpstreamInvalid for one at another host."""
        parts = urlsplit(url)
        path = _path_at(provider, parts)
        query = urlencode(
            [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "key"]
        )
        scope = self.request.scope
        secret = shown_secret(self.request.headers, scope["query_string"])
        ticket = Ticket(hash_secret(secret), provider.id, f"{path}?{query}", now_ms() + VALID_MS)
        shown = urlencode({"upload_id": seal(ticket), "upload_protocol": "resumable"})
        return f"{self.here}{scope['path']}?{shown}"

    async def _relay(self, answer: UpstreamAnswer, raw: bytes, more: dict[str, str]) -> None:
        told = {name: value for name in _TOLD if (value := answer.headers.get(name))}
        headers = {**told_ids(self.request.id), **told, **more}
        headers["content-type"] = content_type_of(answer) or "application/json"
        await self.request.reply.whole(answer.status, headers, raw)


def _path_at(provider: ProviderEntry, told: SplitResult) -> str:
    """The path, from the provider's host on, of what it tells to be where an upload goes on. A relay may tell
    Google's own words: then it is behind its base address. Our credential goes to no other host."""
    base = urlsplit(provider.base_url)
    is_there = told.netloc == base.netloc
    if not told.path or not (is_there or HOST_WORD in told.netloc.lower()):
        raise UpstreamInvalid("The provider did not say where the upload goes on.")
    prefix = base.path.rstrip("/")
    return told.path if is_there and told.path.startswith(f"{prefix}/") else prefix + told.path


def _refuse_name(raw: bytes) -> None:
    """A name that its sender chooses may have been another's before. Raises InvalidBody and its kin."""
    try:
        told = orjson.loads(raw) if raw.strip() else {}
    except orjson.JSONDecodeError:
        told = None
    file = told.get("file") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(file, dict | None):
        raise InvalidBody("The body is not a JSON object with a 'file'.")
    if file and file.get("name"):
        raise UnsupportedParameter(
            "Files are named by their provider, since all who call through the gateway share their names:"
            " leave 'name' out, or use 'displayName'.",
            param="file.name",
        )
