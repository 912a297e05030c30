"""A call costs what the tier costs that it was served in: asked for by the caller, told by the provider."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy_app.service_tiers import asked_tier
from tests.proxy_app import harness
from tests.proxy_app.levels import with_budget
from tests.proxy_app.test_searches import ASKED, USED, events, searched, serving
from usage_app.pricing import CompiledPrice, PriceBook, PriceRow, compile_rates

USUAL, PRIORITY, FLEX = (10 * 1000 + 5 * 4000), 2 * (10 * 1000 + 5 * 4000), (10 * 1000 + 5 * 4000) // 2
FAST = 4 * USUAL


def price(tier: str, factor: float, source: str = "list") -> PriceRow:
    rates, _ = compile_rates({"input": int(10**9 * factor), "output": int(4 * 10**9 * factor)})
    named = CompiledPrice(f"{source}-{tier}", "openai", "gpt-test", source, rates, service_tier=tier)
    return PriceRow(named, order=(1, 1))


LIST = [price("", 1), price("priority", 2), price("flex", 0.5), price("fast", 4)]


def at_prices(gate: harness.Gateway, rows: list[PriceRow]) -> harness.Gateway:
    picture = gate.keeper.current
    gate.keeper.current = replace(picture, sections={**picture.sections, "prices": PriceBook(rows)})
    return gate


def answered(wire: str, tier: str | None, *, stream: bool) -> tuple[bytes, str]:
    """A provider's answer of 10 tokens in and 5 out, served in a tier."""
    told: dict[str, Any] = {} if tier is None else {"service_tier": tier}
    match wire:
        case "openai_chat":
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            whole = harness.completion() | told | {"usage": usage}
            choice: dict[str, Any] = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
            first = {"id": "x", "object": "chat.completion.chunk", "choices": [choice], **told}
            last = {**first, "choices": [{**choice, "delta": {}, "finish_reason": "stop"}], "usage": usage}
            streamed = events(first, last, named=False) + b"data: [DONE]\n\n"
        case "openai_responses":
            whole = harness.response() | told | {"usage": {**USED, "total_tokens": 15}}
            began = {**whole, "status": "in_progress", "usage": None, "service_tier": "auto"}
            streamed = events(
                {"type": "response.created", "sequence_number": 0, "response": began},
                {"type": "response.completed", "sequence_number": 1, "response": whole},
            )
        case "anthropic":
            speed = {} if tier is None else {"speed": tier}
            whole = harness.message({"type": "text", "text": "Hi"}) | {"usage": {**USED, **speed}}
            streamed = events(
                {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USED},
                {"type": "message_stop"},
            )
        case _:
            traffic = {} if tier is None else {"trafficType": f"ON_DEMAND_{tier.upper()}"}
            whole = searched()
            whole["usageMetadata"] |= traffic
            streamed = events(whole, named=False)
    return (streamed, "text/event-stream") if stream else (json.dumps(whole).encode(), "application/json")


async def end_of(
    folder: Path,
    wire: str,
    told: str | None,
    asked: dict[str, Any],
    stream: bool,
    caller: str = "",
    quirks: dict[str, Any] | None = None,
) -> Any:
    content, kind = answered(wire, told, stream=stream)
    deployment = harness.deployment("alpha", wire)
    provider = replace(deployment.provider, quirks={**deployment.provider.quirks, **(quirks or {})})
    model = harness.model("gpt", replace(deployment, provider=provider))
    gate = harness.gateway(folder, serving(content, kind), model)
    at_prices(gate, LIST)
    path, body = ASKED[caller or wire]
    body = {name: value for name, value in body.items() if name != "tools"} | asked
    query = ""
    if "generateContent" in path:
        path, query = path.replace("generateContent", "streamGenerateContent") if stream else path, "alt=sse"
    else:
        body |= {"model": "gpt", "stream": stream}
    answer = await gate.ask(body, path=path, query=query if stream else "")
    assert answer.status == 200, answer.body
    (end,) = gate.ends
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (10, 5)
    return end


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("wire", "asked", "told", "tier", "cost"),
    [
        ("openai_chat", {"service_tier": "priority"}, "priority", "priority", PRIORITY),
        ("openai_chat", {"service_tier": "priority"}, "default", "", USUAL),  # it was not to be had
        ("openai_chat", {"service_tier": "priority"}, None, "priority", PRIORITY),  # at the caller's word
        ("openai_chat", {"service_tier": "auto"}, "priority", "priority", PRIORITY),  # the project's setting
        ("openai_chat", {}, "flex", "flex", FLEX),
        ("openai_chat", {}, None, "", USUAL),
        ("openai_chat", {}, "a tier of 2030", "a tier of 2030", USUAL),
        ("openai_responses", {"service_tier": "flex"}, "flex", "flex", FLEX),
        ("openai_responses", {}, "priority", "priority", PRIORITY),
        ("anthropic", {"speed": "fast"}, "fast", "fast", FAST),
        ("anthropic", {"speed": "fast"}, "standard", "", USUAL),
        ("gemini", {"serviceTier": "priority"}, "priority", "priority", PRIORITY),
        ("gemini", {"service_tier": "FLEX"}, None, "flex", FLEX),
    ],
)
async def test_a_relayed_call_costs_what_its_tier_costs(
    tmp_path: Path, wire: str, asked: dict[str, Any], told: str | None, tier: str, cost: int, stream: bool
) -> None:
    end = await end_of(tmp_path, wire, told, asked, stream)
    assert end.cost_nanodollars == cost and end.usage_source == "provider"
    assert end.price_id == f"list-{tier if cost != USUAL else ''}"
    assert end.decision.get("service_tier", "") == tier


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("caller", "wire", "asked", "told", "cost"),
    [
        ("gemini", "openai_chat", {"serviceTier": "priority"}, "priority", PRIORITY),
        ("openai_chat", "openai_responses", {"service_tier": "priority"}, "default", USUAL),
        ("anthropic", "openai_responses", {}, "flex", FLEX),
        ("openai_responses", "gemini", {"service_tier": "priority"}, "priority", PRIORITY),
        ("anthropic", "gemini", {}, "flex", FLEX),
    ],
)
async def test_a_translated_call_costs_what_its_tier_costs(
    tmp_path: Path, caller: str, wire: str, asked: dict[str, Any], told: str, cost: int, stream: bool
) -> None:
    assert (await end_of(tmp_path, wire, told, asked, stream, caller)).cost_nanodollars == cost


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("caller", "wire", "asked", "quirks", "cost"),
    [
        ("openai_responses", "openai_chat", {"service_tier": "priority"}, {}, PRIORITY),
        ("gemini", "openai_chat", {"serviceTier": "flex"}, {}, FLEX),
        ("openai_responses", "openai_chat", {"service_tier": "priority"}, {"drop": ["service_tier"]}, USUAL),
        ("gemini", "openai_chat", {"serviceTier": "priority"}, {"drop": ["service_tier"]}, USUAL),
        ("openai_responses", "gemini", {"service_tier": "fast"}, {}, USUAL),  # has no such word
        ("anthropic", "openai_chat", {"speed": "fast"}, {}, USUAL),  # Anthropic's own
        ("openai_chat", "openai_chat", {"service_tier": "flex"}, {"drop": ["service_tier"]}, FLEX),  # relayed
    ],
)
async def test_a_provider_that_tells_no_tier_is_charged_by_what_it_was_sent(
    tmp_path: Path,
    caller: str,
    wire: str,
    asked: dict[str, Any],
    quirks: dict[str, Any],
    cost: int,
    stream: bool,
) -> None:
    end = await end_of(tmp_path, wire, None, asked, stream, caller, quirks)
    assert end.cost_nanodollars == cost and bool(end.decision.get("service_tier")) == (cost != USUAL)


def test_a_tier_is_read_as_each_provider_is_asked_for_it() -> None:
    asked = [{"service_tier": "flex"}, {"serviceTier": "flex"}, {"serviceTier": {"type": "flex"}}]
    assert [asked_tier(body) for body in asked] == ["flex", "flex", "flex"]


US_LIST = [*LIST, price("us", 1.1), price("fast_us", 4.4)]


def placed(told: str | None, speed: str | None, *, stream: bool) -> tuple[bytes, str]:
    """A message of Anthropic's that tells where it was made."""
    content, kind = answered("anthropic", speed, stream=stream)
    if told is None:
        return content, kind
    usage = json.dumps({**USED, "inference_geo": told})[1:-1]
    return content.replace(json.dumps(USED)[1:-1].encode(), usage.encode()), kind


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("asked", "speed", "told", "tier", "percent"),
    [
        ({"inference_geo": "us"}, None, "us", "us", 110),
        ({}, None, "us", "us", 110),  # the workspace's setting
        ({"inference_geo": "us"}, None, None, "us", 110),  # at the caller's word
        ({"inference_geo": "us"}, None, "global", "", 100),
        ({"inference_geo": "global"}, None, "global", "", 100),
        ({}, None, "not_available", "", 100),
        ({"inference_geo": "us", "speed": "fast"}, "fast", "us", "fast_us", 440),
        ({"inference_geo": "us", "speed": "fast"}, "standard", "us", "us", 110),
        ({"speed": "fast"}, "fast", "us", "fast_us", 440),
        ({"speed": "fast"}, None, "us", "fast_us", 440),
        ({"inference_geo": ["us"]}, None, None, "", 100),
    ],
)
async def test_a_message_costs_what_the_place_costs_where_it_was_made(
    tmp_path: Path,
    asked: dict[str, Any],
    speed: str | None,
    told: str | None,
    tier: str,
    percent: int,
    stream: bool,
) -> None:
    content, kind = placed(told, speed, stream=stream)
    model = harness.model("gpt", harness.deployment("alpha", "anthropic"))
    gate = at_prices(harness.gateway(tmp_path, serving(content, kind), model), US_LIST)
    path, body = ASKED["anthropic"]
    body = {name: value for name, value in body.items() if name != "tools"}
    assert (await gate.ask(body | asked | {"model": "gpt", "stream": stream}, path=path)).status == 200
    (end,) = gate.ends
    assert end.cost_nanodollars == USUAL * percent // 100
    assert end.price_id == f"list-{tier}" and end.decision.get("service_tier", "") == tier


@pytest.mark.parametrize("stream", [False, True])
async def test_a_translated_message_costs_what_its_place_costs(tmp_path: Path, stream: bool) -> None:
    content, kind = placed("us", None, stream=stream)
    model = harness.model("gpt", harness.deployment("alpha", "anthropic"))
    gate = at_prices(harness.gateway(tmp_path, serving(content, kind), model), US_LIST)
    asked = {"model": "gpt", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    assert (await gate.ask(asked)).status == 200
    (end,) = gate.ends
    assert end.cost_nanodollars == USUAL * 110 // 100


async def test_a_failed_attempt_leaves_its_tier_to_no_other(tmp_path: Path) -> None:
    content, kind = answered("openai_chat", "default", stream=False)
    calls: list[httpx.Request] = []

    async def script(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        status = 503 if len(calls) == 1 else 200
        return httpx.Response(status, content=content, headers={"content-type": kind})

    gate = harness.gateway(
        tmp_path, script, harness.model("gpt", harness.deployment("alpha"), harness.deployment("beta"))
    )
    at_prices(gate, LIST)
    asked = {"model": "gpt", "messages": [{"role": "user", "content": "Hi"}], "service_tier": "priority"}
    assert (await gate.ask(asked)).status == 200 and len(calls) == 2
    (end,) = gate.ends
    assert end.cost_nanodollars == USUAL and "service_tier" not in end.decision


async def test_a_hold_covers_the_dearer_of_what_is_asked_for_and_the_usual(tmp_path: Path) -> None:
    held = {}
    for tier in ("", "priority", "flex", "us"):
        content, kind = answered("openai_chat", tier or None, stream=False)
        gate = harness.gateway(
            tmp_path / tier, serving(content, kind), harness.model("gpt", harness.deployment("alpha"))
        )
        gate.keeper.current = with_budget(at_prices(gate, US_LIST).keeper.current, "key", 10**12)
        await gate.services.limits.load({}, [])
        body = {"model": "gpt", "max_tokens": 1000, "messages": [{"role": "user", "content": "Hi" * 500}]}
        asked = {"inference_geo": tier} if tier == "us" else {"service_tier": tier} if tier else {}
        assert (await gate.ask(body | asked)).status == 200
        (begin,) = gate.begins
        held[tier] = begin.held_nanodollars
    assert held["priority"] > 1.9 * held[""] and held["flex"] >= held[""]
    assert held["us"] > 1.09 * held[""]


@pytest.mark.parametrize(
    ("rows", "tier", "expected"),
    [
        (LIST, "priority", "list-priority"),
        (LIST, "scale", "list-"),
        ([*LIST, price("", 3, "admin")], "priority", "admin-"),  # a price set here holds for all tiers
        ([*LIST, price("", 3, "admin"), price("priority", 5, "admin")], "priority", "admin-priority"),
        ([*LIST, price("priority", 5, "admin")], "", "list-"),
    ],
)
def test_a_price_set_here_wins_over_the_lists_for_a_tier(
    rows: list[PriceRow], tier: str, expected: str
) -> None:
    found = PriceBook(rows).find("", "openai", "gpt-test", 0, tier)
    assert found is not None and found.id == expected


@pytest.mark.parametrize("told", [None, "auto", "default", "STANDARD", 7, [], {}, True, "standard_only"])
def test_a_word_for_the_usual_tier_or_none_at_all_is_the_usual_tier(told: Any) -> None:
    assert asked_tier({"service_tier": told, "serviceTier": told, "speed": told}) == ""
