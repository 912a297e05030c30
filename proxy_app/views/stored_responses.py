"""Answers that a provider keeps, asked for by their ids: only by whom they were made for, and for nothing.

No call of a model, so no row in the ledger; what is refused here has one, as everywhere.
"""

from typing import ClassVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from gateway_project.errors import NotServed
from proxy_app.answering import UNBUFFERED, told_ids
from proxy_app.asking import open_answer, while_read
from proxy_app.catalogue import Catalogue, ProviderEntry
from proxy_app.operations.serving import told_content_type
from proxy_app.preparing import content_type_of
from proxy_app.stored import keeper_of, provider_at
from proxy_app.upstream import UpstreamAnswer
from proxy_app.views.counted import CountedView
from usage_app.records import Stored


class StoredResponse(CountedView):
    """GET an answer, whole or (one in the background) its events once more; DELETE it."""

    endpoint = "responses"
    format = "openai_responses"
    methods: ClassVar[tuple[str, ...]] = ("GET", "DELETE")
    verb: ClassVar[str] = ""

    async def get(self) -> None:
        record, provider = await self.find()
        await self.relay(provider, record, "GET")

    async def delete(self) -> None:
        record, provider = await self.find()
        await self.relay(provider, record, "DELETE")
        self.request.services.stored.keep(msgspec.structs.replace(record, state="gone"))

    async def find(self) -> tuple[Stored, ProviderEntry]:
        """Whose it is and where it lies. Raises UnknownObject, NotServed."""
        request = self.request
        assert request.principal is not None
        record = await request.services.stored.find(
            "response", self.kwargs["model"], keeper_of(request.principal)
        )
        catalogue: Catalogue = request.snapshot.sections["catalogue"]
        provider = provider_at(catalogue, record.provider_id)
        if provider is None:
            raise NotServed("The provider that keeps this response is not used here any more.")
        return record, provider

    async def relay(self, provider: ProviderEntry, record: Stored, method: str) -> None:
        """Ask the provider, and answer in its words. Raises UpstreamFailed for what it refuses."""
        path = f"/responses/{quote(record.object_id, safe='')}{self.verb}{self._query()}"
        answer = await open_answer(self.request.services.upstream, provider, path, method)
        try:
            if content_type_of(answer).startswith("text/event-stream"):
                await self._relay_events(answer)
            else:
                headers = {"content-type": told_content_type(content_type_of(answer))}
                headers |= told_ids(self.request.id)
                await self.request.reply.whole(answer.status, headers, await answer.read())
        finally:
            answer.release()

    async def _relay_events(self, answer: UpstreamAnswer) -> None:
        reply = self.request.reply
        headers = {"content-type": "text/event-stream; charset=utf-8", **UNBUFFERED}
        async with while_read(answer, reply.gone):
            await reply.begin(answer.status, headers | told_ids(self.request.id))
            while chunk := await answer.next_chunk():
                await reply.write(chunk)
            await reply.finish()

    def _query(self) -> str:
        """The caller's query without what could be a credential."""
        asked = parse_qsl(self.request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        kept = [(name, value) for name, value in asked if name != "key"]
        return f"?{urlencode(kept)}" if kept else ""


class CancelResponse(StoredResponse):
    """POST: stop one that is made in the background."""

    methods = ("POST",)
    verb = "/cancel"

    async def post(self) -> None:
        record, provider = await self.find()
        await self.relay(provider, record, "POST")


class ResponseInputItems(StoredResponse):
    """GET what it was asked."""

    methods = ("GET",)
    verb = "/input_items"
