"""Records for the ledger's tests: what a worker would have written."""

import random
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from gateway_project.clock import now_ms, uuid7_at
from usage_app.records import (
    AttemptBegun,
    AttemptEnded,
    Begin,
    Caller,
    Charge,
    End,
    Mark,
    Progress,
    Status,
    Stored,
    Tokens,
)

NOON_MS = int(datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp() * 1000)
KEY, OTHER_KEY = str(uuid7_at(NOON_MS, 1)), str(uuid7_at(NOON_MS, 2))
ALICE, BOB = str(uuid7_at(NOON_MS, 3)), str(uuid7_at(NOON_MS, 4))
SEARCH, CHAT = str(uuid7_at(NOON_MS, 5)), str(uuid7_at(NOON_MS, 6))
DEPLOYMENT, PROVIDER = str(uuid7_at(NOON_MS, 7)), str(uuid7_at(NOON_MS, 8))
BUDGET = str(uuid7_at(NOON_MS, 9))
MONTH = Charge(BUDGET, "2026-11")

CALLER = Caller(
    key_id=KEY,
    key_name="backend",
    key_hint="sk-gh-…9f2c",
    user_id=ALICE,
    user_name="alice",
    service_id=SEARCH,
    service_name="Search",
    environment="production",
    client="openai-python/2.1",
)
OTHER_DEPLOYMENT, OTHER_PROVIDER = str(uuid7_at(NOON_MS, 10)), str(uuid7_at(NOON_MS, 11))
_chance = random.Random(7)


def call_id(at_ms: int = NOON_MS) -> str:
    return str(uuid7_at(at_ms, _chance.getrandbits(74)))


def a_begin(id: str = "", **changes: Any) -> Begin:
    at_ms = changes.pop("at_ms", NOON_MS)
    fields: dict[str, Any] = {
        "caller": CALLER,
        "endpoint": "chat.completions",
        "format": "openai_chat",
        "stream": True,
        "model": "gpt-4o",
        "input_estimate": 1000,
        "charges": (MONTH,),
        "held_nanodollars": 10**9,
    }
    return Begin(id=id or call_id(at_ms), at_ms=at_ms, **{**fields, **changes})


def an_attempt(id: str, number: int = 1, at_ms: int = NOON_MS + 3, price_id: str = "") -> AttemptBegun:
    return AttemptBegun(
        id=id,
        number=number,
        at_ms=at_ms,
        deployment_id=DEPLOYMENT,
        deployment="openai/gpt-4o",
        provider_id=PROVIDER,
        provider="openai",
        upstream_model="gpt-4o",
        price_id=price_id,
    )


def a_progress(id: str, output_tokens: int, at_ms: int = NOON_MS + 5_000) -> Progress:
    return Progress(id=id, at_ms=at_ms, output_tokens=output_tokens)


def a_batch(id: str = "", **changes: Any) -> Stored:
    """A batch that the call has made, under way since a moment."""
    fields: dict[str, Any] = {
        "at_ms": now_ms() - 60_000,
        "kind": "batch",
        "object_id": "batch_1",
        "provider_id": PROVIDER,
        "owner": f"service:{SEARCH}/production",
        "state": "pending",
        "deployment_id": DEPLOYMENT,
        "model": "gpt-4o",
        "upstream_model": "gpt-4o",
        "charges": (MONTH,),
        "held_nanodollars": 5_000,
    }
    return Stored(id=id or call_id(), **{**fields, **changes})


def failed_tries(count: int, at_ms: int = NOON_MS, status: Status = "error") -> list[AttemptEnded]:
    """Attempts at another deployment, numbered from 1, that failed before the one that ends the call."""
    return [
        AttemptEnded(
            number=number,
            at_ms=at_ms + number,
            deployment_id=OTHER_DEPLOYMENT,
            deployment="gemini/gemini-2.5-pro",
            provider_id=OTHER_PROVIDER,
            provider="gemini",
            upstream_model="gemini-2.5-pro",
            status=status,
            http_status=503,
            cost_nanodollars=0,
        )
        for number in range(1, count + 1)
    ]


def after_failures(end: End, failed: list[AttemptEnded]) -> End:
    """The call with attempts before its own."""
    own = [replace(each, number=each.number + len(failed)) for each in end.attempts]
    return replace(end, attempts=[*failed, *own])


def an_end(id: str = "", **changes: Any) -> End:
    at_ms = changes.pop("at_ms", NOON_MS)
    cost = changes.get("cost_nanodollars", 7_500_000)
    tokens = changes.get("tokens", Tokens(1200, 300, 0, 0, 450, 100))
    status = changes.get("status", "ok")
    attempt = AttemptEnded(
        number=1,
        at_ms=at_ms + 3,
        deployment_id=DEPLOYMENT,
        deployment="openai/gpt-4o",
        provider_id=PROVIDER,
        provider="openai",
        upstream_model="gpt-4o",
        status=status,
        http_status=200,
        duration_ms=890.0,
        tokens=tokens,
        cost_nanodollars=cost,
        upstream_id="chatcmpl-1",
    )
    fields: dict[str, Any] = {
        "finished_at_ms": at_ms + 900,
        "caller": CALLER,
        "endpoint": "chat.completions",
        "format": "openai_chat",
        "stream": True,
        "model": "gpt-4o",
        "served_model": "gpt-4o",
        "deployment_id": DEPLOYMENT,
        "deployment": "openai/gpt-4o",
        "provider_id": PROVIDER,
        "provider": "openai",
        "upstream_model": "gpt-4o",
        "status": "ok",
        "http_status": 200,
        "finish_reason": "stop",
        "tokens": tokens,
        "usage_source": "provider",
        "cost_nanodollars": cost,
        "ttft_ms": 320.0,
        "latency_ms": 900.0,
        "overhead_ms": 0.8,
        "attempts": [attempt],
        "marks": [Mark("arrived", 0.0), Mark("done", 900.0)],
        "decision": {"candidates": [{"deployment": "openai/gpt-4o", "reason": "weight 1"}]},
        "charges": (MONTH,),
    }
    return End(id=id or call_id(at_ms), at_ms=at_ms, **{**fields, **changes})


def a_refusal(**changes: Any) -> End:
    nothing: dict[str, Any] = {
        "status": "refused",
        "http_status": 429,
        "error_code": "rate_limited",
        "served_model": "",
        "deployment_id": "",
        "deployment": "",
        "provider_id": "",
        "provider": "",
        "upstream_model": "",
        "tokens": Tokens(),
        "usage_source": "none",
        "cost_nanodollars": None,
        "ttft_ms": None,
        "attempts": [],
        "charges": (),
        "finish_reason": "",
        "latency_ms": 0.4,
    }
    return an_end(**{**nothing, **changes})
