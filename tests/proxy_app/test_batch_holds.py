"""What a batch may cost stays held while it is under way, and is let go once, however it ends."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import httpx
import msgspec
import pytest

from keys_app.limits import MemoryStore
from proxy_app.catalogue import Catalogue
from tests.proxy_app.batches import (
    COST,
    Provider,
    able,
    due,
    get,
    level,
    line,
    lines,
    look,
    make,
    opened,
    started,
    upload,
)
from tests.proxy_app.harness import Gateway, asked, model
from tests.proxy_app.levels import with_budget
from usage_app.records import Adjust, Stored, later_cost
from usage_app.stored import HELD_FOR

#: A line holds 400 tokens of output and its own bytes, at half of 4000 and 1000 nanodollars a token.
TWO_LINES = (line(1, max_tokens=400), line(2, max_tokens=400))
BUDGET = 2_500_000


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def gate(make_gateway, provider: Provider) -> Gateway:
    return await with_money(make_gateway, provider)


async def with_money(make_gateway, provider: Provider) -> Gateway:
    gate = await opened(make_gateway(provider, model("gpt", able()), model("other", able())))
    gate.keeper.current = with_budget(gate.keeper.current, "key", BUDGET)
    return gate


async def under_way(gate: Gateway) -> Stored:
    """One whose two lines hold most of the budget; as the ledger knows it."""
    assert (await upload(gate, lines(*TWO_LINES))).status == 200
    assert (await make(gate)).status == 200
    [record] = [each for each in gate.records(Stored) if each.state == "pending"]
    return record


async def holds(gate: Gateway) -> tuple[int, int, int]:
    state = await level(gate)
    return state.spent, state.held, state.calls_in_flight


async def test_others_may_not_spend_what_a_batch_under_way_may_cost(gate: Gateway) -> None:
    record = await under_way(gate)
    assert 1_600_000 < record.held_nanodollars < BUDGET
    assert await holds(gate) == (0, record.held_nanodollars, 1)
    assert (gate.ends[0].status, gate.ends[0].cost_nanodollars) == ("ok", 0)
    assert (await make(gate)).status == 429
    gate.keeper.current = with_budget(gate.keeper.current, "key", record.held_nanodollars + 1_000)
    refused = await gate.ask(asked(max_tokens=300))
    assert (refused.status, refused.json()["error"]["code"]) == (429, "budget_exceeded")
    assert "is held by 1 call in flight" in refused.json()["error"]["message"]
    assert len(gate.records(Stored)) == 2


async def test_the_hold_becomes_what_the_batch_cost(gate: Gateway, provider: Provider) -> None:
    await under_way(gate)
    provider.finish()
    for _ in range(2):
        await look(gate)
    assert await holds(gate) == (COST, 0, 0)
    assert (await make(gate)).status == 200


async def test_a_batch_that_its_provider_did_not_take_holds_nothing(make_gateway, provider: Provider) -> None:
    async def script(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path == "/v1/batches":
            return httpx.Response(500, json={"error": {"message": "broken"}})
        return await provider(request)

    gate = await opened(make_gateway(script, model("gpt", able())))
    gate.keeper.current = with_budget(gate.keeper.current, "key", BUDGET)
    await upload(gate, lines(*TWO_LINES))
    assert (await make(gate)).status >= 500
    assert await holds(gate) == (0, 0, 0)


async def test_one_that_is_cancelled_before_anything_was_answered_costs_and_holds_nothing(
    gate: Gateway,
) -> None:
    await under_way(gate)
    await get(gate, "/v1/batches/batch_1/cancel", method="POST")
    await gate.services.followed.finish()
    assert await holds(gate) == (0, 0, 0)
    assert [adjust.cost_nanodollars for adjust in gate.records(Adjust)] == [0]


async def test_one_that_its_provider_has_no_more_holds_nothing(gate: Gateway, provider: Provider) -> None:
    record = await under_way(gate)
    provider.batches.clear()
    for _ in range(2):
        await due(gate, record).round()
    assert await holds(gate) == (0, 0, 0)
    assert gate.records(Stored)[-1].state == "gone"


async def test_one_whose_result_is_gone_holds_nothing_and_is_not_said_to_cost_nothing(
    gate: Gateway, provider: Provider
) -> None:
    record = await under_way(gate)
    provider.finish()
    provider.files.clear()
    await due(gate, record).round()
    assert await holds(gate) == (0, 0, 0)
    assert gate.records(Adjust) == []
    assert [each.state for each in gate.records(Stored) if each.kind == "batch"][-1] == "kept"


async def test_one_of_a_provider_that_is_not_used_any_more_holds_nothing_and_is_charged_if_it_comes_back(
    gate: Gateway, provider: Provider
) -> None:
    record = await under_way(gate)
    picture = gate.keeper.current
    gate.keeper.current = replace(picture, sections={**picture.sections, "catalogue": Catalogue({})})
    watch = due(gate, record)
    for _ in range(2):
        await watch.round()
    gate.keeper.current = picture
    assert await holds(gate) == (0, 0, 0)
    provider.finish()
    await due(gate, record).round()
    assert await holds(gate) == (COST, 0, 0)


async def test_one_that_is_never_done_holds_for_two_days_and_no_longer(
    gate: Gateway, provider: Provider
) -> None:
    record = await under_way(gate)
    nearly = msgspec.structs.replace(record, at_ms=earlier(record, HELD_FOR - timedelta(minutes=5)))
    await due(gate, nearly).round()
    assert (await holds(gate))[1] == record.held_nanodollars
    lost = msgspec.structs.replace(record, at_ms=earlier(record, HELD_FOR))
    watch = due(gate, lost)
    for _ in range(2):
        await watch.round()
    assert await holds(gate) == (0, 0, 0)
    assert [each.state for each in gate.records(Stored) if each.kind == "batch"] == ["pending"]
    provider.finish()
    await due(gate, lost).round()
    assert await holds(gate) == (COST, 0, 0)


async def test_after_a_month_nobody_asks_for_it_any_more(gate: Gateway, provider: Provider) -> None:
    record = await under_way(gate)
    provider.failing = True
    provider.finish()
    await due(gate, msgspec.structs.replace(record, at_ms=earlier(record, timedelta(days=30)))).round()
    assert [each.state for each in gate.records(Stored) if each.kind == "batch"] == ["pending", "kept"]
    assert provider.reads == 1  # of the lines, when it was made


def earlier(record: Stored, age: timedelta) -> int:
    return record.at_ms - round(age.total_seconds() * 1000)


class Deaf(MemoryStore):
    """Limits elsewhere, that cannot be told of a later cost for a while."""

    is_away = False

    async def adjust(self, cause_id: str, charges: Collection[tuple[str, str]], nanodollars: int) -> bool:
        return not self.is_away and await super().adjust(cause_id, charges, nanodollars)


async def test_a_charge_that_limits_elsewhere_did_not_hear_of_is_told_again(
    make_gateway, provider: Provider
) -> None:
    gate = make_gateway(provider, model("gpt", able()))
    limits = gate.services.limits = Deaf()
    gate.services.config = replace(gate.services.config, redis_url="redis://elsewhere")
    await opened(gate)
    gate.keeper.current = with_budget(gate.keeper.current, "key", BUDGET)
    record = await under_way(gate)
    provider.finish()
    limits.is_away = True
    await due(gate, record).round()
    [adjust] = gate.records(Adjust)
    assert [each.state for each in gate.records(Stored) if each.kind == "batch"] == ["pending"]
    gate.charged[adjust.id, adjust.cause] = adjust.cost_nanodollars  # the ledger has it meanwhile
    limits.is_away = False
    for _ in range(2):
        await due(gate, record).round()
    assert len(gate.records(Adjust)) == 1
    assert await holds(gate) == (COST, 0, 0)
    assert gate.records(Stored)[-1].state == "kept"


async def test_the_ledgers_late_word_on_the_call_does_not_end_the_hold(gate: Gateway) -> None:
    record = await under_way(gate)
    limits = gate.services.limits
    await limits.settle(record.id, 0, 0, record.at_ms)
    await limits.settle(record.id, 0, 0, record.at_ms, later=later_cost(record.id))
    assert (await holds(gate))[1] == record.held_nanodollars


async def test_as_many_batches_start_as_the_budget_has_room_for(gate: Gateway) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**9)
    await started(gate)  # lines without a limit of their own, held for as long as answers usually are
    held = (await level(gate)).held
    gate.keeper.current = with_budget(gate.keeper.current, "key", 3 * held)
    assert [(await make(gate)).status for _ in range(4)] == [200, 200, 429, 429]
    state = await level(gate)
    assert (state.held, state.calls_in_flight) == (3 * held, 3)
