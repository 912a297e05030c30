"""What a batch cost, once its provider is done: read from its result, journalled once, told to the limits.

A batch that is done is found by its owner's look or by `keep_looking`, whichever comes first; doing it twice,
or again after a kill, counts once: the adjustment is one of a cause. Until then the limits hold what it may
cost; that ends with its charge, or when it is gone, or when nobody could look at it for too long.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import orjson
from django.db import DatabaseError, InterfaceError, close_old_connections

from gateway_project.clock import now_ms
from gateway_project.errors import GatehouseError, UpstreamRefused
from gateway_project.money import divide_half_even
from proxy_app.asking import ask_json, open_answer, pieces_of
from proxy_app.batch_kinds import KINDS, BatchKind
from proxy_app.batch_lines import lines_of
from proxy_app.call import Services
from proxy_app.catalogue import ProviderEntry
from proxy_app.service_tiers import in_place
from proxy_app.settling import tokens_of
from proxy_app.stored import provider_at
from proxy_app.wire import JSON
from usage_app import pricing, stored
from usage_app.pricing import CompiledPrice
from usage_app.records import BATCH_CAUSE, BATCHES, Adjust, Stored, later_cost

PriceIn = Callable[[str], CompiledPrice | None]  # by where a model ran
log = logging.getLogger("gatehouse.calls")

ROUND_S = 20.0
#: A batch is looked at again after a tenth of its age, within these.
SHORTEST_S, LONGEST_S = 20.0, 900.0
#: No provider keeps a result for longer.
LOOKED_AT_MS = timedelta(days=30).total_seconds() * 1000


def keep_results(services: Services, record: Stored, batch: JSON) -> None:
    """The files that a batch leaves are its owner's."""
    for name in KINDS[record.kind].files:
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
    cost = await services.stored.charged(record.id, BATCH_CAUSE)
    is_counted = cost is not None and not services.config.redis_url
    if cost is None:
        cost = await _cost(services, record, provider, batch)
        if cost is not None:
            services.write(Adjust(record.id, now_ms(), BATCH_CAUSE, cost, record.charges))
    if cost is None or is_counted:
        # Counters of this process alone were filled from a ledger that has it.
        is_told = await let_go(services, record)
    else:
        charges = {(charge.budget_id, charge.period) for charge in record.charges}
        is_told = await services.limits.adjust(later_cost(record.id), charges, cost)
    if is_told:  # else it stays pending, and is told in a later round
        services.stored.keep(msgspec.structs.replace(record, state="kept", at_ms=now_ms()))


async def let_go(services: Services, record: Stored) -> bool:
    """Hold nothing more for it. False: the limits are away."""
    return await services.limits.settle(later_cost(record.id), 0, 0, now_ms())


async def _cost(services: Services, record: Stored, provider: ProviderEntry, batch: JSON) -> int | None:
    kind = KINDS[record.kind]
    find = services.keeper.current.sections["prices"].find

    def price_in(place: str) -> CompiledPrice | None:
        """A batch has no tier, but each line may have been answered elsewhere."""
        tier = in_place("", place)
        found: CompiledPrice | None = find(
            record.deployment_id, provider.price_kind, record.upstream_model, record.at_ms, tier
        )
        return found

    if price_in("") is None:
        log.warning("batch %s of call %s has no price: its cost stays unknown", record.object_id, record.id)
        return None
    whole = await _full_price(services, provider, kind, batch, price_in)
    if whole is None:
        return None
    tokens, tools = whole
    return divide_half_even(tokens * kind.percent_at(provider), 100) + tools


async def _full_price(
    services: Services, provider: ProviderEntry, kind: BatchKind, batch: JSON, price_in: PriceIn
) -> tuple[int, int] | None:
    """Nanodollars of every line that was answered, as though each had been a call of its own: of tokens, and
    of the provider's own tools, which cost no less in a batch. None where the result is gone."""
    path = kind.result_of(batch)
    if not path:
        return 0, 0
    try:
        answer = await open_answer(services.upstream, provider, path, **_spoken(kind))
    except UpstreamRefused as error:
        if error.upstream_status != 404:
            raise
        log.warning("the result %s of a batch is gone: what it cost is not known", path)
        return None
    tokens, tools, unread = 0, 0, 0
    try:
        async for _, raw in lines_of(pieces_of(answer)):
            cost = _line_price(raw, kind, price_in)
            unread += cost is None
            if cost is not None:
                tokens += cost[0]
                tools += cost[1]
    finally:
        answer.release()
    if unread:
        log.warning("%d lines of the result %s say nothing of what they used", unread, path)
    return tokens, tools


def _line_price(raw: bytes, kind: BatchKind, price_in: PriceIn) -> tuple[int, int] | None:
    """What the tokens and the tools of one line of a result cost at the full price; None where it does
    not tell."""
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    body = kind.answer_in(line) if isinstance(line, dict) else None
    if body is None:
        return 0, 0
    usage = kind.usage_of(body)
    price = price_in(usage.geography) if usage is not None else None
    whole = pricing.cost(price, tokens_of(usage)) if usage is not None and price is not None else None
    if usage is None or price is None or whole is None:
        return None
    if not usage.units:
        return whole, 0
    usage.units.clear()
    tokens = pricing.cost(price, tokens_of(usage)) or 0
    return tokens, whole - tokens


def _spoken(kind: BatchKind) -> dict[str, Any]:
    return {"headers": kind.headers, "format": kind.format}


async def ask_batch(
    services: Services, record: Stored, provider: ProviderEntry, verb: str = "", method: str = "GET"
) -> JSON:
    """What the provider says of a batch now. Raises UpstreamFailed."""
    kind = KINDS[record.kind]
    path = kind.path_of(record.object_id, verb)
    return await ask_json(services.upstream, provider, path, method, **_spoken(kind))


async def look(services: Services, record: Stored) -> None:
    """Ask how a pending batch is, and settle it when it is done."""
    provider = provider_at(services.keeper.current.sections["catalogue"], record.provider_id)
    if provider is None:
        return
    try:
        batch = await ask_batch(services, record, provider)
        if KINDS[record.kind].is_done(batch):
            await settle_batch(services, record, provider, batch)
    except UpstreamRefused as error:
        if error.upstream_status != 404:
            log.warning(
                "batch %s of call %s cannot be looked at: %s", record.object_id, record.id, error.code
            )
            return
        log.warning("batch %s of call %s is gone from its provider", record.object_id, record.id)
        if await let_go(services, record):
            services.stored.keep(msgspec.structs.replace(record, state="gone", at_ms=now_ms()))
    except GatehouseError as error:
        log.info("batch %s cannot be looked at now: %s", record.object_id, error.code)


class Watch:
    """The batches that wait for their end, as one worker looks at them: each with a growing pause."""

    def __init__(self, services: Services, pending: Callable[[], Sequence[Stored]] = stored.pending) -> None:
        self._services = services
        self._pending = pending
        self._due: dict[str, float] = {}
        self._released: set[str] = set()

    async def round(self) -> None:
        """Look at each that is due."""
        records = [record for record in await self._ask() if record.kind in BATCHES]
        self._due = {each.id: self._due[each.id] for each in records if each.id in self._due}
        self._released.intersection_update(each.id for each in records)
        for record in records:
            if await self._is_given_up(record):
                continue
            now_s = time.monotonic()
            age_s = max(now_ms() - record.at_ms, 0) / 1000
            pause_s = min(max(age_s / 10, SHORTEST_S), LONGEST_S)
            # Workers look at the same ones: they spread.
            due_s = self._due.setdefault(record.id, now_s + pause_s * random.random())
            if now_s >= due_s:
                await look(self._services, record)
                self._due[record.id] = time.monotonic() + pause_s

    async def _is_given_up(self, record: Stored) -> bool:
        """Nothing is held for one that nobody can look at; it may come back, so it is looked at on."""
        services = self._services
        provider = provider_at(services.keeper.current.sections["catalogue"], record.provider_id)
        if provider is not None and stored.holds_money(record, now_ms()):
            return False
        # Again in each round: limits that were loaded anew may hold it anew.
        if record.charges and await let_go(services, record) and record.id not in self._released:
            self._released.add(record.id)
            log.warning("batch %s of call %s: nothing is held for it any more", record.object_id, record.id)
        if now_ms() < record.at_ms + LOOKED_AT_MS:
            return False
        services.stored.keep(msgspec.structs.replace(record, state="kept", at_ms=now_ms()))
        return True

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
