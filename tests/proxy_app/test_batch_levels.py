"""Budgets at every level alike, before batches of both kinds: what does not fit is refused before a provider
hears of it, what fits is held while it is under way, and charged once."""

from typing import Any

import pytest

from keys_app.limits import MemoryStore
from tests.proxy_app import batches, test_message_batches
from tests.proxy_app.harness import Answer, Gateway, model
from tests.proxy_app.levels import END_USER, LEVELS, with_budget
from usage_app.records import Stored

BEHIND = {"x-gatehouse-end-user": END_USER}
#: Two lines of 400 tokens of output hold at least 1,600,000 nanodollars, at half of 4000 a token.
ROOM = 2_500_000


class OfLines:
    """OpenAI's, of a file."""

    cost = batches.COST

    def __init__(self, make_gateway: Any) -> None:
        self.provider = batches.Provider()
        self.gate: Gateway = make_gateway(self.provider, model("gpt", batches.able()))

    async def open(self) -> None:
        await batches.opened(self.gate)

    async def make(self, most: int) -> Answer:
        content = batches.lines(batches.line(1, max_tokens=most), batches.line(2, max_tokens=most))
        file_id = (await batches.upload(self.gate, content)).json()["id"]
        return await batches.make(self.gate, file_id, headers=BEHIND)


class OfMessages:
    """Anthropic's."""

    cost = test_message_batches.COST

    def __init__(self, make_gateway: Any) -> None:
        self.provider = test_message_batches.Provider()
        self.gate: Gateway = make_gateway(self.provider, model("gpt", test_message_batches.able("alpha")))

    async def open(self) -> None:
        await test_message_batches.priced(self.gate)

    async def make(self, most: int) -> Answer:
        request = test_message_batches.request
        asked = request(1, max_tokens=most), request(2, max_tokens=most)
        return await test_message_batches.make(self.gate, *asked, headers=BEHIND)


def use(gate: Gateway) -> tuple[int, int, int]:
    """What of the one budget there is was spent, is held, and by how many."""
    limits = gate.services.limits
    assert isinstance(limits, MemoryStore)
    [counter] = limits._counters.values()
    return counter.spent, counter.held, counter.calls


@pytest.mark.parametrize("kind", [OfLines, OfMessages])
@pytest.mark.parametrize("level", LEVELS)
async def test_a_batch_is_refused_held_and_charged_at_every_level(make_gateway, level: str, kind: Any):
    batch = kind(make_gateway)
    gate, provider = batch.gate, batch.provider
    await batch.open()
    gate.keeper.current = with_budget(gate.keeper.current, level, ROOM)
    refused = await batch.make(1000)
    assert refused.status == 429 and not provider.batches
    assert gate.ends[-1].error_code == "budget_exceeded"
    assert (await batch.make(400)).status == 200
    [record] = [each for each in gate.records(Stored) if each.state == "pending"]
    assert [charge.budget_id for charge in record.charges] == ["b1"]
    assert use(gate) == (0, record.held_nanodollars, 1) and record.held_nanodollars >= 1_600_000
    assert (await batch.make(400)).status == 429 and len(provider.batches) == 1  # the rest is held
    provider.finish()
    for _ in range(2):
        await batches.due(gate, record).round()
    assert use(gate) == (batch.cost, 0, 0)
