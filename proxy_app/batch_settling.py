"""What a batch cost, once its provider is done: read from its result, journalled once, told to the limits.

A batch that is done is found by its owner's look or by `keep_looking`, whichever comes first; doing it twice,
or again after a kill, counts once: the adjustment is one of a cause.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

import msgspec
import orjson
from django.db import DatabaseError, InterfaceError, close_old_connections

from gateway_project.clock import now_ms
from gateway_project.errors import GatehouseError, UpstreamRefused
from gateway_project.money import divide_half_even
from proxy_app.asking import ask_json, open_answer, pieces_of
from proxy_app.batch_lines import lines_of
from proxy_app.call import Services
from proxy_app.catalogue import ProviderEntry
from proxy_app.file_choosing import percent_of
from proxy_app.formats import exchange
from proxy_app.settling import tokens_of
from proxy_app.stored import provider_at
from proxy_app.wire import JSON
from usage_app import pricing, stored
from usage_app.pricing import CompiledPrice
from usage_app.records import Adjust, Stored

log = logging.getLogger("gatehouse.calls")

DONE = frozenset({"completed", "failed", "expired", "cancelled"})
CAUSE = "batch"
ROUND_S = 20.0
#: A batch is looked at again after a tenth of its age, within these.
SHORTEST_S, LONGEST_S = 20.0, 900.0


def is_done(batch: JSON) -> bool:
    return batch.get("status") in DONE


def keep_results(services: Services, record: Stored, batch: JSON) -> None:
    """The files that a batch leaves are its owner's."""
    for name in ("output_file_id", "error_file_id"):
        object_id = batch.get(name)
        if isinstance(object_id, str) and object_id:
            services.stored.keep(
                Stored(
                    id=record.id,
                    at_ms=now_ms(),
                    kind="file",
                    object_id=object_id,
                    provider_id=record.provider_id,
                    owner=record.owner,
                )
            )


async def settle_batch(services: Services, record: Stored, provider: ProviderEntry, batch: JSON) -> None:
    """Charge a batch that is done. Raises UpstreamFailed where its result cannot be read now."""
    keep_results(services, record, batch)
    known = await services.stored.charged(record.id, CAUSE)
    if known is None:
        await _charge(services, record, provider, batch)
    elif services.config.redis_url:
        await _tell_limits(services, record, known)
    # Else the counters are this process's own, and were filled from a ledger that has it.
    services.stored.keep(msgspec.structs.replace(record, state="kept", at_ms=now_ms()))


async def _charge(services: Services, record: Stored, provider: ProviderEntry, batch: JSON) -> None:
    snapshot = services.keeper.current
    price = snapshot.sections["prices"].find(
        record.deployment_id, provider.price_kind, record.upstream_model, record.at_ms
    )
    if price is None:
        log.warning("batch %s of call %s has no price: its cost stays unknown", record.object_id, record.id)
        return
    full = await _full_price(services, provider, batch.get("output_file_id"), price)
    cost = divide_half_even(full * percent_of(provider), 100)
    services.write(Adjust(record.id, now_ms(), CAUSE, cost, record.charges))
    await _tell_limits(services, record, cost)


async def _tell_limits(services: Services, record: Stored, cost: int) -> None:
    charges = {(charge.budget_id, charge.period) for charge in record.charges}
    await services.limits.adjust(f"{record.id}/{CAUSE}", charges, cost)


async def _full_price(
    services: Services, provider: ProviderEntry, output: object, price: CompiledPrice
) -> int:
    """Nanodollars of every line that was answered, as though each had been a call of its own."""
    if not isinstance(output, str) or not output:
        return 0
    path = f"/files/{quote(output, safe='')}/content"
    try:
        answer = await open_answer(services.upstream, provider, path)
    except UpstreamRefused as error:
        if error.upstream_status != 404:
            raise
        log.warning("the result %s of a batch is gone: what it cost is not known", output)
        return 0
    total, unread = 0, 0
    try:
        async for _, raw in lines_of(pieces_of(answer)):
            cost = _line_price(raw, price)
            total += cost or 0
            unread += cost is None
    finally:
        answer.release()
    if unread:
        log.warning("%d lines of the result %s say nothing of what they used", unread, output)
    return total


def _line_price(raw: bytes, price: CompiledPrice) -> int | None:
    """What one line of a result cost at the full price; None where it does not tell."""
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    response = line.get("response") if isinstance(line, dict) else None
    body = response.get("body") if isinstance(response, dict) else None
    if not isinstance(body, dict):
        return 0  # an error: nothing was made
    usage = exchange.read_usage(body)
    if usage is None:
        return 0 if body.get("error") else None
    return pricing.cost(price, tokens_of(usage))


async def look(services: Services, record: Stored) -> None:
    """Ask how a pending batch is, and settle it when it is done."""
    provider = provider_at(services.keeper.current.sections["catalogue"], record.provider_id)
    if provider is None:
        return
    try:
        batch = await ask_json(services.upstream, provider, f"/batches/{quote(record.object_id, safe='')}")
        if is_done(batch):
            await settle_batch(services, record, provider, batch)
    except UpstreamRefused as error:
        if error.upstream_status == 404:
            log.warning("batch %s of call %s is gone from its provider", record.object_id, record.id)
            services.stored.keep(msgspec.structs.replace(record, state="gone", at_ms=now_ms()))
    except GatehouseError as error:
        log.info("batch %s cannot be looked at now: %s", record.object_id, error.code)


class Watch:
    """The batches that wait for their end, as one worker looks at them: each with a growing pause."""

    def __init__(self, services: Services, pending: Callable[[], Sequence[Stored]] = stored.pending) -> None:
        self._services = services
        self._pending = pending
        self._due: dict[str, float] = {}

    async def round(self) -> None:
        """Look at each that is due."""
        records = [record for record in await self._ask() if record.kind == "batch"]
        self._due = {each.id: self._due[each.id] for each in records if each.id in self._due}
        for record in records:
            now_s = time.monotonic()
            age_s = max(now_ms() - record.at_ms, 0) / 1000
            pause_s = min(max(age_s / 10, SHORTEST_S), LONGEST_S)
            # Workers look at the same ones: they spread.
            due_s = self._due.setdefault(record.id, now_s + pause_s * random.random())
            if now_s >= due_s:
                await look(self._services, record)
                self._due[record.id] = time.monotonic() + pause_s

    async def _ask(self) -> Sequence[Stored]:
        def ask() -> Sequence[Stored]:
            try:
                return self._pending()
            finally:
                close_old_connections()

        try:
            return await asyncio.to_thread(ask)
        except (DatabaseError, InterfaceError):
            return []  # the next round asks again


async def keep_looking(services: Services) -> None:
    """Rounds without end. Nothing that goes wrong in one may end them."""
    watch = Watch(services)
    while True:
        await asyncio.sleep(ROUND_S)
        if not services.keeper.ready:
            continue
        try:
            await watch.round()
        except Exception:
            log.exception("a round of looking at batches failed")
