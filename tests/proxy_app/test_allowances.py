"""What a call's row tells of the limits it met: as they stood when it was admitted, or what refused it."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway_project.errors import LimitsUnavailable
from keys_app.entries import BudgetEntry, RateLimitEntry
from keys_app.limits import Demand, Grant, MemoryStore
from keys_app.limits.contract import UNCHECKED
from keys_app.limits.redis import RedisStore
from proxy_app import admission
from proxy_app.allowing import MOST
from proxy_app.catalogue import FallbackEntry
from tests.proxy_app.harness import Gateway, asked, completion, deployment, model
from usage_app.ledger_rows import as_json

Level = tuple[str, str]


def budget(name: str, level: Level, amount: int = 10**9, *, hard: bool = True) -> BudgetEntry:
    return BudgetEntry(name, *level, amount, "total", 1, None, "UTC", hard)


def rate(name: str, level: Level, requests: int | None = None, parallel: int | None = None) -> RateLimitEntry:
    return RateLimitEntry(name, *level, requests, None, parallel)


def limited(gate: Gateway, *entries: BudgetEntry | RateLimitEntry) -> Gateway:
    budgets: dict[Level, tuple[BudgetEntry, ...]] = {}
    rates: dict[Level, tuple[RateLimitEntry, ...]] = {}
    for each in entries:
        level = (each.scope, each.scope_id)
        if isinstance(each, BudgetEntry):
            budgets[level] = (*budgets.get(level, ()), each)
        else:
            rates[level] = (*rates.get(level, ()), each)
    gate.keeper.current = replace(gate.keeper.current, budgets=budgets, rate_limits=rates)
    return gate


async def answering(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=completion())


async def alpha_is_down(request: httpx.Request) -> httpx.Response:
    if request.url.host == "alpha.test":
        return httpx.Response(500, json={"error": {"message": "no", "type": "server_error"}})
    return httpx.Response(200, json=completion())


def told(end: Any) -> list[dict[str, Any]]:
    """As the journal gives it back: plain objects."""
    return end.decision["allowances"]


KEY: Level = ("key", "key-1")
SERVICE: Level = ("service", "service-1")


async def test_the_row_tells_what_was_spent_held_and_left_when_the_call_was_admitted(make_gateway):
    gate = limited(
        make_gateway(answering),
        budget("b-key", KEY),
        budget("b-all", ("global", ""), hard=False),
        rate("r1", SERVICE, requests=5, parallel=2),
    )
    await gate.services.limits.load({}, [])
    for _turn in range(2):
        assert (await gate.ask(asked(max_tokens=50))).status == 200
    first, second = gate.ends
    key, everything, requests, parallel = told(second)
    assert key == {
        "kind": "budget",
        "scope": "key",
        "name": "",
        "limit": 10**9,
        "id": "b-key",
        "period": "total",
        "per": "total",
        "spent": first.cost_nanodollars,
        "held": 0,
        "hold": gate.begins[1].held_nanodollars,
    }
    assert (everything["scope"], everything["hard"], everything["id"]) == ("global", False, "b-all")
    assert requests == {
        "kind": "requests",
        "scope": "service",
        "name": "Checkout",
        "limit": 5,
        "left": 3,
        "reset_ms": requests["reset_ms"],
    }
    assert parallel == {"kind": "parallel", "scope": "service", "name": "Checkout", "limit": 2, "left": 1}


async def test_a_call_that_nothing_limits_says_so(make_gateway):
    gate = make_gateway(answering)
    assert (await gate.ask(asked())).status == 200
    assert told(gate.ends[0]) == []


async def test_a_call_that_was_refused_before_tells_nothing(make_gateway):
    gate = limited(make_gateway(answering), budget("b1", KEY))
    assert (await gate.ask(asked(model="nobody-has-it"))).status == 404
    assert "allowances" not in gate.ends[0].decision


async def test_a_refused_call_tells_what_refused_it(make_gateway):
    gate = limited(make_gateway(answering), budget("b-all", ("global", "")), budget("b-key", KEY, 1))
    await gate.services.limits.load({("b-key", "total"): 1}, [])
    assert (await gate.ask(asked(max_tokens=50))).status == 429
    (refused,) = told(gate.ends[0])
    assert (refused["id"], refused["refused"], refused["limit"], refused["spent"]) == ("b-key", True, 1, 1)
    assert refused["asked"] > 1 and "hold" not in refused


async def test_a_fallback_adds_the_levels_it_met_to_those_of_the_call(make_gateway):
    gate = make_gateway(
        alpha_is_down,
        model("gpt", deployment("alpha"), fallbacks=(FallbackEntry("any", "spare"),)),
        model("spare", deployment("beta")),
    )
    limited(
        gate, budget("b-key", KEY), budget("b-gpt", ("model", "gpt")), budget("b-spare", ("model", "spare"))
    )
    await gate.services.limits.load({("b-key", "total"): 70}, [])
    assert (await gate.ask(asked(max_tokens=50))).status == 200
    (end,) = gate.ends
    assert [(each["scope"], each["name"], each["spent"], each["held"]) for each in told(end)] == [
        ("key", "", 70, 0),
        ("model", "gpt", 0, 0),
        ("model", "spare", 0, 0),
    ]


async def test_a_fallback_and_a_deployment_that_were_refused_are_told_beside_what_admitted_the_call(
    make_gateway,
):
    gate = make_gateway(
        alpha_is_down,
        model(
            "gpt",
            deployment("alpha"),
            fallbacks=(FallbackEntry("any", "dear"), FallbackEntry("any", "spare")),
        ),
        model("dear", deployment("gamma")),
        model("spare", deployment("full", order=1), deployment("beta", order=2), strategy="in_order"),
    )
    limited(
        gate,
        budget("b-key", KEY),
        budget("b-dear", ("model", "dear"), 1),
        budget("b-full", ("provider", "full"), 1),
    )
    await gate.services.limits.load({}, [])
    assert (await gate.ask(asked(max_tokens=50))).status == 200
    (end,) = gate.ends
    assert [(each["id"], each.get("refused", False)) for each in told(end)] == [
        ("b-key", False),
        ("b-dear", True),
        ("b-full", True),
    ]


async def test_limits_that_could_not_be_asked_are_told_without_figures(make_gateway):
    class Away(MemoryStore):
        async def left(self, demand: Demand) -> int | None:
            return None

        async def reserve(self, *arguments: Any, **named: Any) -> Grant:
            return UNCHECKED

    seen = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=completion())

    gate = limited(make_gateway(script), budget("b-key", KEY), rate("r1", KEY, requests=5))
    gate.services.limits = Away()
    await gate.services.limits.load({}, [])
    assert (await gate.ask(asked())).status == 200
    key, requests = told(gate.ends[0])
    assert key["unchecked"] and "spent" not in key and key["limit"] == 10**9
    assert requests == {"kind": "requests", "scope": "key", "name": "", "limit": 5, "unchecked": True}
    assert b"max_" not in seen[0].content  # nothing was held, so nothing is capped to what is


async def test_of_very_many_limits_those_with_the_least_left_are_kept(make_gateway):
    many = [budget(f"b{number}", KEY, 10**9 + number * 10**6) for number in range(MOST + 3)]
    gate = limited(make_gateway(answering), *reversed(many))
    await gate.services.limits.load({(each.id, "total"): 10**8 for each in many}, [])
    assert (await gate.ask(asked(max_tokens=50))).status == 200
    (end,) = gate.ends
    assert {each["id"] for each in told(end)} == {f"b{number}" for number in range(MOST)}
    assert end.decision["allowances_left_out"] == 3
    assert len(as_json(told(end))) < 200 * MOST


async def test_a_worker_that_starts_while_redis_is_away_lets_calls_through_where_limits_fail_open(
    make_gateway, monkeypatch
):
    monkeypatch.setattr(admission, "LOADING_S", 0.1)
    gate = limited(make_gateway(answering), budget("b-key", KEY), rate("r-key", KEY, requests=5))
    for fails_open in (True, False):
        store = RedisStore.connect("redis://127.0.0.1:1/0", fail_open=fails_open)
        gate.services.limits = store
        for _ in range(4):  # before it is known that nobody answers there, and after
            answer = await gate.ask(asked())
            assert answer.status == (200 if fails_open else 503)
        with pytest.raises(LimitsUnavailable):
            await store.load({}, [])
        await store.close()
    assert [end.status for end in gate.ends[:5]] == ["ok"] * 4 + ["refused"]
    assert all(level["unchecked"] for end in gate.ends[:4] for level in told(end))
