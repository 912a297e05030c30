"""Files, each kept by a provider in the gateway's own account, and shown to its owner alone, in the words of
the caller's own Files API: OpenAI's, Anthropic's or Google's.

They cost nothing, so none has a row in the ledger; what is refused has one, as everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import parse_qs

import msgspec

from gateway_project.clock import now_ms
from gateway_project.errors import (
    BadRequest,
    CredentialRefused,
    InvalidBody,
    JournalFull,
    NotServed,
    UnknownObject,
    UnsupportedEncoding,
    UpstreamInvalid,
)
from proxy_app import file_kinds
from proxy_app.asking import ask_json, open_answer
from proxy_app.batch_kinds import KINDS
from proxy_app.batch_settling import ask_batch, settle_batch
from proxy_app.catalogue import ProviderEntry
from proxy_app.dialects import dialect_of
from proxy_app.file_choosing import NAMED_BY, has_files
from proxy_app.file_kinds import FILES_BETA, FileKind, anthropic_list, dialect_at, gemini_list
from proxy_app.multipart import Scanner, boundary_of
from proxy_app.operations.serving import told_content_type
from proxy_app.paging import gemini_page_size, page_size, span_of
from proxy_app.preparing import content_type_of
from proxy_app.spool import Spool, SpooledForm
from proxy_app.stored import provider_at
from proxy_app.uploading import Asker, Upload, prepare_upload
from proxy_app.views.kept import KeptView
from proxy_app.views.request import Request
from usage_app.records import Stored

FILE_LIMIT = 512 * 1024 * 1024  # as OpenAI takes them
FORM_LIMIT = FILE_LIMIT + 64 * 1024
SENDING_S = 600.0
MOST_IDS = 100


class FileView(KeptView):
    """What all of them share: whose Files API is spoken, with the caller and with the provider."""

    endpoint = "files"
    kind = "file"

    def __init__(self, request: Request, **kwargs: str) -> None:
        super().__init__(request, **kwargs)
        scope = request.scope
        self.format = dialect_of(scope["path"], request.headers, scope["query_string"])

    @property
    def files(self) -> FileKind:
        return file_kinds.KINDS[self.format]

    @property
    def object_id(self) -> str:
        return self.files.named(self.kwargs["model"])

    @property
    def spoken(self) -> dict[str, Any]:
        """How a provider of this kind is asked: with Anthropic's versions as its caller names them."""
        headers = dict(self.files.headers)
        for name in headers:
            if told := self.request.headers.get(name.encode(), b"").decode("latin-1"):
                is_extra = name == "anthropic-beta" and FILES_BETA not in told
                headers[name] = f"{told},{FILES_BETA}" if is_extra else told
        return {"headers": headers, "format": self.files.format}

    async def records(self) -> list[Stored]:
        return [record for record in await super().records() if self._is_spoken_at(record)]

    async def find(self) -> tuple[Stored, ProviderEntry]:
        """Whose it is and where it lies: none of another API's."""
        record, provider = await super().find()
        if dialect_at(provider) != self.format:
            raise UnknownObject(f"There is no file '{self.object_id[:200]}' here that this key may see.")
        return record, provider

    def _is_spoken_at(self, record: Stored) -> bool:
        provider = provider_at(self.catalogue, record.provider_id)
        is_file = self.format != "gemini" or record.object_id.startswith("files/")
        return provider is not None and dialect_at(provider) == self.format and is_file

    def path_of(self, record: Stored, provider: ProviderEntry, verb: str = "") -> str:
        return self.files.path_of(provider, record.object_id, verb)

    async def ask(self, record: Stored, provider: ProviderEntry) -> dict[str, Any]:
        return await self.ask_of(record, provider, "GET")

    async def ask_of(self, record: Stored, provider: ProviderEntry, method: str) -> dict[str, Any]:
        """What the provider says of a file. Raises UnknownObject where it has it no more."""
        upstream, path = self.request.services.upstream, self.path_of(record, provider)
        with self.told_unknown(record):
            return await ask_json(upstream, provider, path, method, **self.spoken)

    @contextmanager
    def told_unknown(self, record: Stored) -> Iterator[None]:
        """A 403 by which a provider says that there is no such file is no word on our credential."""
        try:
            yield
        except CredentialRefused as error:
            if error.upstream_status != 403 or not self.files.is_unknown_refused:
                raise
            raise UnknownObject(
                f"The provider has no file '{record.object_id[:200]}', or not any more."
            ) from None

    def keep(self, object_id: object, provider: ProviderEntry, upload: Upload | None = None) -> None:
        """What a provider has taken is its sender's; a batch's file (`upload`) is for one model. Raises
        UpstreamInvalid where it has no id."""
        if not isinstance(object_id, str) or not object_id:
            raise UpstreamInvalid("The provider did not say under which id it keeps the file.")
        self.request.services.stored.keep(
            Stored(
                id=self.request.id,
                at_ms=now_ms(),
                kind="file",
                object_id=object_id,
                provider_id=provider.id,
                owner=self.owner,
                deployment_id=upload.deployment_id if upload else "",
                model=upload.model if upload else "",
                upstream_model=upload.upstream_model if upload else "",
            )
        )


class Files(FileView):
    """POST a file; GET the owner's own."""

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")

    async def get(self) -> None:
        records = await self.records()
        principal = self.request.principal
        assert principal is not None
        if not records and not has_files(self.catalogue, principal, self.format):
            raise NotServed(f"No provider of this key's models keeps files {file_kinds.AS[self.format]}.")
        if self.format == "openai_chat":
            await self.list_kept()
        elif self.format == "anthropic":
            await self._list_anthropic(records)
        else:
            await self._list_gemini(records)

    async def _list_anthropic(self, records: list[Stored]) -> None:
        """As Anthropic pages: by `page`, by ids, or as it used to, behind or before an id."""
        asked = parse_qs(self.request.scope["query_string"].decode("latin-1"))
        if ids := [*asked.get("ids", ()), *asked.get("ids[]", ())]:
            if len(ids) > MOST_IDS:
                raise BadRequest(f"'ids' may name {MOST_IDS} files.", param="ids")
            found = await self.ask_all([record for record in records if record.object_id in ids])
            return await self.tell(anthropic_list(found, False, None))
        query = dict(self.query)
        if page := query.pop("page", ""):
            query["after_id"] = page.removeprefix("page_")
        span = span_of([each.object_id for each in records], query, page_size(query, "limit", 20, 1000))
        shown = records[span.start : span.end]
        data = await self.ask_all(shown)
        if scope := query.get("scope_id"):
            data = [each for each in data if (each.get("scope") or {}).get("id") == scope]
        last = shown[-1].object_id if shown else None
        return await self.tell(anthropic_list(data, span.has_more, last))

    async def _list_gemini(self, records: list[Stored]) -> None:
        most = gemini_page_size(self.query, 10, 100)
        token = self.query.get("pageToken")
        seen = {"after_id": self.files.named(token)} if token else {}
        span = span_of([each.object_id for each in records], seen, most)
        shown = records[span.start : span.end]
        last = shown[-1].object_id if shown else None
        await self.tell(gemini_list(await self.ask_all(shown), span.has_more, last))

    async def post(self) -> None:
        if self.format == "gemini":
            raise NotServed("Files are brought to /upload/v1beta/files.")
        request = self.request
        content_type = request.headers.get(b"content-type", b"").decode("latin-1")
        if b"content-encoding" in request.headers:
            raise UnsupportedEncoding("A form must not be compressed.")
        scanner = Scanner(boundary_of(content_type))
        if not request.services.journal.has_room():
            raise JournalFull
        data = request.services.config.data
        received, rewritten = Spool(data), Spool(data)
        try:
            await self._receive(scanner, received)
            form = SpooledForm(received, scanner.finish(), content_type)
            await self._send(await prepare_upload(self._asker(), form, rewritten))
        finally:
            received.close()
            rewritten.close()

    async def _receive(self, scanner: Scanner, spool: Spool) -> None:
        """A form that cannot be read is received to its end, so that its sender hears why."""
        broken: InvalidBody | None = None
        async for piece in self.request.pieces(FORM_LIMIT):
            if broken is None:
                try:
                    scanner.feed(piece)
                except InvalidBody as error:
                    broken = error
                else:
                    await spool.write(piece)
        if broken is not None:
            raise broken
        await spool.close_writing()

    def _asker(self) -> Asker:
        request = self.request
        assert request.principal is not None
        client = request.scope.get("client")
        header = request.headers.get(NAMED_BY.encode(), b"").decode("latin-1")
        named = header or self.query.get(NAMED_BY, "")
        address = client[0] if client else ""
        return Asker(request.principal, self.catalogue, request.services.stored, address, named, self.format)

    async def _send(self, upload: Upload) -> None:
        services = self.request.services
        body = await ask_json(
            services.upstream,
            upload.provider,
            self.files.path(upload.provider),
            "POST",
            body=upload.body,
            content_type=upload.content_type,
            patience_s=SENDING_S,
            **self.spoken,
        )
        self.keep(body.get("id"), upload.provider, upload)
        await self.tell(body)


class File(FileView):
    """GET what is known of a file; DELETE it."""

    methods: ClassVar[tuple[str, ...]] = ("GET", "DELETE")

    async def get(self) -> None:
        await self.tell(await self.ask(*await self.find()))

    async def delete(self) -> None:
        record, provider = await self.find()
        services = self.request.services
        await self._charge_first(record, provider)
        body = await self.ask_of(record, provider, "DELETE")
        services.stored.keep(msgspec.structs.replace(record, state="gone"))
        await self.tell(body)

    async def _charge_first(self, record: Stored, provider: ProviderEntry) -> None:
        """What a batch cost stands in its result alone: read it before that goes. Raises UpstreamFailed."""
        services = self.request.services
        for batch in await services.stored.listed("batch", self.owner):
            if batch.id == record.id and batch.state == "pending":
                told = await ask_batch(services, batch, provider)
                if KINDS[batch.kind].is_done(told):
                    await settle_batch(services, batch, provider, told)


class FileContent(FileView):
    """GET what a file holds, as it comes."""

    methods: ClassVar[tuple[str, ...]] = ("GET",)

    async def get(self) -> None:
        record, provider = await self.find()
        upstream = self.request.services.upstream
        path = self.path_of(record, provider, self.files.content)
        with self.told_unknown(record):
            answer = await open_answer(upstream, provider, path, **self.spoken)
        await self.relay(answer, told_content_type(content_type_of(answer)))
