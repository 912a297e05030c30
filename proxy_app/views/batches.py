"""OpenAI's batches: made at the provider that keeps their file, and shown to their owner alone."""

import logging
from typing import Any, ClassVar

from gateway_project.errors import GatehouseError
from proxy_app import pipeline
from proxy_app.batch_kinds import KINDS
from proxy_app.batch_settling import ask_batch, keep_results, settle_batch
from proxy_app.batching import make_batch
from proxy_app.catalogue import ProviderEntry
from proxy_app.views.kept import KeptView
from usage_app.records import Stored, StoredKind

log = logging.getLogger("gatehouse.calls")


class BatchView(KeptView):
    """Whoever looks at a batch that is done has it settled."""

    endpoint = "batches"
    kind: ClassVar[StoredKind] = "batch"

    async def ask(self, record: Stored, provider: ProviderEntry) -> dict[str, Any]:
        batch = await ask_batch(self.request.services, record, provider)
        self.note(record, provider, batch)
        return batch

    def note(self, record: Stored, provider: ProviderEntry, batch: dict[str, Any]) -> None:
        """Its files are the owner's before it hears of them; what it cost is read meanwhile."""
        services = self.request.services
        if record.state == "pending" and KINDS[record.kind].is_done(batch):
            keep_results(services, record, batch)
            services.followed.start(self._settle(record, provider, batch), f"batch {record.object_id}")

    async def _settle(self, record: Stored, provider: ProviderEntry, batch: dict[str, Any]) -> None:
        try:
            await settle_batch(self.request.services, record, provider, batch)
        except GatehouseError as error:
            log.info("batch %s cannot be settled now: %s", record.object_id, error.code)


class Batches(BatchView):
    """POST one; GET the owner's own."""

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")
    calls: ClassVar[tuple[str, ...]] = ("POST",)

    async def get(self) -> None:
        await self.list_kept()

    async def post(self) -> None:
        client = self.request.scope.get("client")
        address = client[0] if client else ""
        call = self.make_call(await self.request.read_body(self.body_limit))
        call.mark("received")
        await pipeline.run(call, lambda call: make_batch(call, address))


class Batch(BatchView):
    """GET how one is."""

    methods: ClassVar[tuple[str, ...]] = ("GET",)

    async def get(self) -> None:
        await self.tell(await self.ask(*await self.find()))


class CancelBatch(BatchView):
    """POST: stop one; what it has answered is charged."""

    methods: ClassVar[tuple[str, ...]] = ("POST",)

    async def post(self) -> None:
        record, provider = await self.find()
        batch = await ask_batch(self.request.services, record, provider, "/cancel", "POST")
        self.note(record, provider, batch)
        await self.tell(batch)
