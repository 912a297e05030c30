"""What a provider keeps under an id, asked for by whom it was made for: what files and batches share."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from gateway_project.conf import listens_on_loopback
from gateway_project.errors import BadRequest, NotServed, UnknownObject, UpstreamRefused
from proxy_app.answering import told_ids
from proxy_app.asking import pieces_of, while_read
from proxy_app.catalogue import Catalogue, ProviderEntry
from proxy_app.stored import keeper_of, provider_at, spoken
from proxy_app.upstream import UpstreamAnswer
from proxy_app.views.counted import CountedView
from usage_app.records import Stored, StoredKind

LISTED, MOST_LISTED = 20, 100
AT_ONCE = 8  # of one list's questions to providers


class KeptView(CountedView):
    """Finds, asks for and lists what is kept. Raises UnknownObject for a stranger's, as for none."""

    kind: ClassVar[StoredKind]

    @property
    def catalogue(self) -> Catalogue:
        found: Catalogue = self.request.snapshot.sections["catalogue"]
        return found

    @property
    def owner(self) -> str:
        assert self.request.principal is not None
        return keeper_of(self.request.principal)

    @property
    def query(self) -> Mapping[str, str]:
        """The last of each name in the address."""
        asked = parse_qs(self.request.scope["query_string"].decode("latin-1"))
        return {name: values[-1] for name, values in asked.items()}

    @property
    def here(self) -> str:
        """The address that this gateway is reached at: as set, or else as the caller reached it."""
        public = self.request.services.config.public_url
        parts = urlsplit(public)
        host = self.request.headers.get(b"host", b"").decode("latin-1")
        if not host or not listens_on_loopback(parts.hostname or ""):
            return public
        return f"{self.request.scope.get('scheme', 'http')}://{host}{parts.path}"

    @property
    def object_id(self) -> str:
        """The id in the address, as the provider tells it."""
        return self.kwargs["model"]

    async def find(self) -> tuple[Stored, ProviderEntry]:
        """Whose it is and where it lies."""
        record = await self.request.services.stored.find(self.kind, self.object_id, self.owner)
        provider = provider_at(self.catalogue, record.provider_id)
        if provider is None:
            raise NotServed(f"The provider that keeps this {spoken(self.kind)} is not used here any more.")
        return record, provider

    async def tell(self, body: dict[str, Any], status: int = 200) -> None:
        await self.request.reply.whole(status, told_ids(self.request.id), msgspec.json.encode(body))

    async def relay(self, answer: UpstreamAnswer, content_type: str) -> None:
        """An answer's bytes as they come; it is released, whatever happens."""
        headers = {
            **told_ids(self.request.id),
            "content-type": content_type,
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }
        reply = self.request.reply
        try:
            async with while_read(answer, reply.gone):
                await reply.begin(answer.status, headers)
                async for piece in pieces_of(answer):
                    await reply.write(piece)
                await reply.finish()
        finally:
            answer.release()

    async def records(self) -> list[Stored]:
        """The owner's own, the newest first."""
        return await self.request.services.stored.listed(self.kind, self.owner)

    async def ask(self, record: Stored, provider: ProviderEntry) -> dict[str, Any]:
        """What the provider says of it now."""
        raise NotImplementedError

    async def list_kept(self) -> None:
        """A page of the owner's own, the newest first, as OpenAI pages."""
        query = self.query
        most = _page_size(query.get("limit"))
        records = await self.records()
        if query.get("order") == "asc":
            records.reverse()
        after = query.get("after")
        if after:
            ids = [record.object_id for record in records]
            if after not in ids:
                raise BadRequest(f"'after' is no {spoken(self.kind)} of this list.", param="after")
            records = records[ids.index(after) + 1 :]
        purpose = query.get("purpose")
        data: list[dict[str, Any]] = []
        while records and len(data) < most:
            part, records = records[: most - len(data)], records[most - len(data) :]
            found = await self.ask_all(part)
            data += [each for each in found if purpose is None or each.get("purpose") == purpose]
        await self.tell(
            {
                "object": "list",
                "data": data,
                "first_id": data[0].get("id") if data else None,
                "last_id": data[-1].get("id") if data else None,
                "has_more": bool(records),
            }
        )

    async def ask_all(self, records: list[Stored]) -> list[dict[str, Any]]:
        """What providers say of each; what they have no more is left out."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(record: Stored) -> dict[str, Any] | None:
            provider = provider_at(self.catalogue, record.provider_id)
            if provider is None:
                return None
            async with gate:
                try:
                    return await self.ask(record, provider)
                except UnknownObject:
                    return None
                except UpstreamRefused as error:
                    if error.upstream_status != 404:
                        raise
                    return None

        answers = await asyncio.gather(*(one(record) for record in records))
        return [answer for answer in answers if answer is not None]


def _page_size(text: str | None) -> int:
    if text is None:
        return LISTED
    if not text.isdecimal() or int(text[:9]) < 1:
        raise BadRequest("'limit' must be a whole number above 0.", param="limit")
    return min(int(text[:9]), MOST_LISTED)
