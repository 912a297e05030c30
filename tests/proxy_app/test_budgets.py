"""Budgets on a call's way: refused before, held while, braked in the middle, exact after."""

import asyncio
from dataclasses import replace

import httpx

from gateway_project.clock import now_ms
from keys_app import demanding
from keys_app.entries import BudgetEntry, Principal
from tests.proxy_app.harness import DONE, STREAM, Gateway, asked, chunk, completion, streamed, usage_chunk


async def budgeted(make_gateway, script, nanodollars: int) -> Gateway:
    gate = make_gateway(script)
    entry = BudgetEntry("b1", "key", "key-1", nanodollars, "total", 1, None, "UTC", True)
    gate.keeper.current = replace(gate.keeper.current, budgets={("key", "key-1"): (entry,)})
    await gate.services.limits.load({}, [])
    return gate


async def answering(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=completion())


async def spent_and_held(gate: Gateway) -> tuple[int, int]:
    principal = Principal(next(iter(gate.keeper.current.keys.values())), None, None)
    asking = {"model": "gpt", "provider": "", "end_user": "", "now_ms": now_ms()}
    wanted = demanding.demand(gate.keeper.current, principal, **asking)
    (level,) = await gate.services.limits.state(wanted, now_ms())
    return level.spent, level.held


async def test_a_calls_cost_is_what_its_budget_is_charged(make_gateway):
    gate = await budgeted(make_gateway, answering, 10**9)
    assert (await gate.ask(asked(max_tokens=50))).status == 200
    assert await spent_and_held(gate) == (gate.ends[0].cost_nanodollars, 0)
    assert [(charge.budget_id, charge.period) for charge in gate.ends[0].charges] == [("b1", "total")]


async def test_a_used_up_budget_is_refused_without_asking_the_provider(make_gateway):
    asked_upstream = []

    async def script(request: httpx.Request) -> httpx.Response:
        asked_upstream.append(request)
        return httpx.Response(200, json=completion())

    gate = await budgeted(make_gateway, script, 0)
    answer = await gate.ask(asked(max_tokens=50))
    assert answer.status == 429 and answer.json()["error"]["code"] == "budget_exceeded"
    assert answer.headers["x-should-retry"] == "false" and "retry-after" not in answer.headers
    assert not asked_upstream and gate.ends[0].status == "refused"


async def test_an_unnamed_output_is_capped_by_the_budget_and_a_header_says_so(make_gateway):
    seen = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=completion())

    gate = await budgeted(make_gateway, script, 10**7)
    answer = await gate.ask(asked())
    cap = int(answer.headers["x-gatehouse-output-cap"])
    assert f'"max_completion_tokens":{cap}'.encode() in seen[0].content.replace(b" ", b"")


async def test_a_stream_that_outgrows_its_budget_is_ended_in_the_middle(make_gateway):
    never = asyncio.Event()
    pieces = [STREAM[0], *[chunk({"content": "word "}) for _ in range(6000)], never]
    gate = await budgeted(make_gateway, lambda _: _answer(pieces), 2 * 10**6)
    answer = await gate.ask(asked(stream=True))
    assert answer.events[-1]["error"]["code"] == "budget_exceeded" and "[DONE]" not in answer.events
    (end,) = gate.ends
    assert (end.status, end.error_code, end.usage_source) == ("cancelled", "budget_exceeded", "estimate")
    spent, held = await spent_and_held(gate)
    assert held == 0 and spent == end.cost_nanodollars
    assert 0 < spent <= 2 * 10**6


async def test_a_stream_within_its_budget_tops_up_and_ends_well(make_gateway):
    words = [chunk({"content": "word "}) for _ in range(9000)]
    usage = usage_chunk(prompt_tokens=12, completion_tokens=9000, total_tokens=9012)
    pieces = [STREAM[0], *words, chunk({}, "stop"), usage, DONE]
    gate = await budgeted(make_gateway, lambda _: _answer(pieces), 10**9)
    answer = await gate.ask(asked(stream=True))
    assert answer.events[-1] == "[DONE]"
    assert await spent_and_held(gate) == (12 * 1000 + 9000 * 4000, 0)


async def _answer(pieces):
    return streamed(pieces)
