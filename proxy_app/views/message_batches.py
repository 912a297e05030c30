"""Anthropic's batches of messages: made at a provider that has them, and shown to their owner alone."""

from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from gateway_project.errors import JournalFull, UnsupportedEncoding
from proxy_app import pipeline
from proxy_app.asking import open_answer
from proxy_app.batch_kinds import KINDS
from proxy_app.batch_settling import ask_batch, settle_batch
from proxy_app.message_batching import Requests, make_message_batch
from proxy_app.message_requests import BODY_LIMIT
from proxy_app.paging import page_size, span_of
from proxy_app.spool import Spool
from proxy_app.views.batches import BatchView, CancelBatch

LISTED, MOST_LISTED = 20, 1000


class MessageBatchView(BatchView):
    """What all of them share: their results lie here, whatever host the provider names."""

    endpoint = "messages.batches"
    kind = "message_batch"
    format = "anthropic"

    async def tell(self, body: dict[str, Any], status: int = 200) -> None:
        await super().tell(self.shown(body), status)

    def shown(self, body: dict[str, Any]) -> dict[str, Any]:
        """A batch as its owner sees it."""
        if not body.get("results_url"):
            return body
        name = quote(str(body.get("id")), safe="")
        return {**body, "results_url": f"{self.here}/v1/messages/batches/{name}/results"}


class MessageBatches(MessageBatchView):
    """POST one; GET the owner's own."""

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")
    calls: ClassVar[tuple[str, ...]] = ("POST",)

    async def post(self) -> None:
        request = self.request
        if b"content-encoding" in request.headers:
            raise UnsupportedEncoding("A batch must not be compressed.")
        if not request.services.journal.has_room():
            raise JournalFull
        assert request.principal is not None
        client = request.scope.get("client")
        spool = Spool(request.services.config.data)
        try:
            requests = Requests(
                request.principal,
                self.catalogue,
                request.services.stored,
                client[0] if client else "",
                spool,
            )
            await requests.read(request.pieces(BODY_LIMIT))
            call = self.make_call(b"")
            call.mark("received")
            await pipeline.run(call, lambda call: make_message_batch(call, requests, self.shown))
        finally:
            spool.close()

    async def get(self) -> None:
        """A page of the owner's own, the newest first, as Anthropic pages."""
        most = page_size(self.query, "limit", LISTED, MOST_LISTED)
        records = await self.records()
        span = span_of([record.object_id for record in records], self.query, most)
        page = records[span.start : span.end]
        data = [self.shown(each) for each in await self.ask_all(page)]
        listed = {
            "data": data,
            "has_more": span.has_more,
            "first_id": page[0].object_id if page else None,
            "last_id": page[-1].object_id if page else None,
        }
        await super().tell(listed)


class MessageBatch(MessageBatchView):
    """GET how one is; DELETE one that has ended."""

    methods: ClassVar[tuple[str, ...]] = ("GET", "DELETE")

    async def get(self) -> None:
        await self.tell(await self.ask(*await self.find()))

    async def delete(self) -> None:
        record, provider = await self.find()
        services = self.request.services
        if record.state == "pending":  # what it cost stands in its result alone
            batch = await ask_batch(services, record, provider)
            if KINDS[record.kind].is_done(batch):
                await settle_batch(services, record, provider, batch)
        body = await ask_batch(services, record, provider, method="DELETE")
        services.stored.keep(msgspec.structs.replace(record, state="gone"))
        await self.tell(body)


class CancelMessageBatch(MessageBatchView, CancelBatch):
    """POST: stop one."""


class MessageBatchResults(MessageBatchView):
    """GET what each request of one got, line by line as it comes."""

    methods: ClassVar[tuple[str, ...]] = ("GET",)

    async def get(self) -> None:
        record, provider = await self.find()
        kind = KINDS[record.kind]
        answer = await open_answer(
            self.request.services.upstream,
            provider,
            kind.path_of(record.object_id, "/results"),
            headers=kind.headers,
            format=kind.format,
        )
        await self.relay(answer, "application/x-jsonl")
