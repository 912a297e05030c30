"""OpenAI's files, each kept by a provider in the gateway's own account, and shown to its owner alone.

They cost nothing, so none has a row in the ledger; what is refused has one, as everywhere.
"""

from typing import ClassVar

import msgspec

from gateway_project.clock import now_ms
from gateway_project.errors import InvalidBody, JournalFull, UnsupportedEncoding, UpstreamInvalid
from proxy_app.asking import ask_json, open_answer
from proxy_app.batch_kinds import KINDS
from proxy_app.batch_settling import ask_batch, settle_batch
from proxy_app.catalogue import ProviderEntry
from proxy_app.file_choosing import NAMED_BY
from proxy_app.multipart import Scanner, boundary_of
from proxy_app.operations.serving import told_content_type
from proxy_app.preparing import content_type_of
from proxy_app.spool import Spool, SpooledForm
from proxy_app.uploading import Asker, Upload, prepare_upload
from proxy_app.views.kept import KeptView
from usage_app.records import Stored

FILE_LIMIT = 512 * 1024 * 1024  # as OpenAI takes them
FORM_LIMIT = FILE_LIMIT + 64 * 1024
SENDING_S = 600.0


class Files(KeptView):
    """POST a file; GET the owner's own."""

    endpoint = "files"
    kind = "file"
    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")

    async def get(self) -> None:
        await self.list_kept()

    async def post(self) -> None:
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
        return Asker(request.principal, self.catalogue, request.services.stored, address, named)

    async def _send(self, upload: Upload) -> None:
        services = self.request.services
        body = await ask_json(
            services.upstream,
            upload.provider,
            "/files",
            "POST",
            body=upload.body,
            content_type=upload.content_type,
            patience_s=SENDING_S,
        )
        object_id = body.get("id")
        if not isinstance(object_id, str) or not object_id:
            raise UpstreamInvalid("The provider did not say under which id it keeps the file.")
        services.stored.keep(
            Stored(
                id=self.request.id,
                at_ms=now_ms(),
                kind="file",
                object_id=object_id,
                provider_id=upload.provider.id,
                owner=self.owner,
                deployment_id=upload.deployment_id,
                model=upload.model,
                upstream_model=upload.upstream_model,
            )
        )
        await self.tell(body)


class File(KeptView):
    """GET what is known of a file; DELETE it."""

    endpoint = "files"
    kind = "file"
    methods: ClassVar[tuple[str, ...]] = ("GET", "DELETE")

    async def get(self) -> None:
        await self.tell(await self.ask(*await self.find()))

    async def delete(self) -> None:
        record, provider = await self.find()
        services = self.request.services
        await self._charge_first(record, provider)
        body = await ask_json(services.upstream, provider, self.path_of(record), "DELETE")
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


class FileContent(KeptView):
    """GET what a file holds, as it comes."""

    endpoint = "files"
    kind = "file"
    methods: ClassVar[tuple[str, ...]] = ("GET",)

    async def get(self) -> None:
        record, provider = await self.find()
        upstream = self.request.services.upstream
        answer = await open_answer(upstream, provider, self.path_of(record, "/content"))
        await self.relay(answer, told_content_type(content_type_of(answer)))
