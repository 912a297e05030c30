"""A small company in the database: people, services, keys, and days of plausible calls.

For tests and for looking at pages; `seed_people` gives the cast, `seed_requests` their traffic.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from gateway_project import clock
from keys_app.models import Membership, Service, User, VirtualKey
from usage_app import ledger_refusals
from usage_app.dialects import dialect_of
from usage_app.ledger_rows import failed_before
from usage_app.ledger_series import start_series
from usage_app.models import Attempt, Request
from usage_app.models.rollup import DIMENSIONS
from usage_app.rollups import FIGURES, ClaimValues, Countable, Sums, is_unpriced

PASSWORD = "a long password"

#: model -> (provider, provider's model, first token ms, tokens a second, $ per million in, out)
MODELS = {
    "claude-opus-4-1": ("anthropic", "claude-opus-4-1-20250805", 1400, 55, 15, 75),
    "claude-haiku-4-5": ("anthropic", "claude-haiku-4-5", 500, 140, 1, 5),
    "gpt-5": ("openai", "gpt-5-2025-08-07", 900, 80, 1.25, 10),
    "gpt-5-mini": ("openai", "gpt-5-mini", 450, 150, 0.25, 2),
    "gemini-2.5-pro": ("gemini", "gemini-2.5-pro", 1100, 110, 1.25, 10),
    "text-embedding-3-small": ("openai", "text-embedding-3-small", 120, 0, 0.02, 0),
    "sandbox": ("sandbox", "sandbox", 60, 80, 0, 0),
    "house-llama": ("vllm", "llama-3.3-70b", 300, 60, None, None),
}


@dataclass(frozen=True, slots=True)
class People:
    """alice manages checkout, bob is in it, charlie is in none of it; root sees everything."""

    root: User
    alice: User
    bob: User
    charlie: User
    checkout: Service
    search: Service
    keys: dict[str, VirtualKey]


@cache
def _hashed_password() -> str:
    """Hashing is slow on purpose; once is enough."""
    return make_password(PASSWORD)


def seed_people() -> People:
    """The cast, their services, and a key each."""

    def person(name: str, role: str, **more: Any) -> User:
        return User.objects.create(
            username=name, email=f"{name}@example.com", role=role, password=_hashed_password(), **more
        )

    root = person("root", User.Role.ADMIN, is_staff=True, is_superuser=True)
    alice = person("alice", User.Role.MANAGER)
    bob, charlie = person("bob", User.Role.MEMBER), person("charlie", User.Role.MEMBER)
    checkout = Service.objects.create(name="checkout")
    search = Service.objects.create(name="search")
    Membership.objects.create(user=alice, service=checkout, role=Membership.Role.MANAGER)
    Membership.objects.create(user=bob, service=checkout)
    keys = {}
    for number, (name, service, user, environment) in enumerate(
        (
            ("checkout-prod", checkout, None, "production"),
            ("checkout-test", checkout, bob, "test"),
            ("search-prod", search, None, "production"),
            ("search-lab", search, root, "experiment"),
            ("charlie-notebook", None, charlie, "experiment"),
        )
    ):
        keys[name] = VirtualKey.objects.create(
            name=name,
            service=service,
            user=user,
            environment=environment,
            secret_hash=f"{number:064x}",
            prefix="sk-gh-",
            last_four=f"{number}f2c",
        )
    return People(root, alice, bob, charlie, checkout, search, keys)


def make_request(key: VirtualKey, started_at: datetime, **fields: Any) -> Request:
    """An unsaved ledger row of a key; fields override what a plain successful call has."""
    model = fields.pop("model", "gpt-5")
    provider, upstream, *_rest = MODELS[model]
    values: dict[str, Any] = {
        "id": clock.uuid7_at(int(started_at.timestamp() * 1000), random.getrandbits(74)),
        "started_at": started_at,
        "finished_at": started_at + timedelta(seconds=2),
        "endpoint": "chat.completions",
        "format": "openai_chat",
        "stream": True,
        "model": model,
        "served_model": model,
        "deployment_id": f"deployment-{upstream}"[:36],
        "deployment": f"{provider}/{upstream}",
        "provider_id": str(uuid5(NAMESPACE_DNS, provider)),
        "provider": provider,
        "upstream_model": upstream,
        "key_id": str(key.pk),
        "key_name": key.name,
        "key_hint": key.hint,
        "user_id": str(key.user_id or ""),
        "user_name": key.user.username if key.user else "",
        "service_id": str(key.service_id or ""),
        "service_name": key.service.name if key.service else "",
        "environment": key.environment,
        "status": "ok",
        "http_status": 200,
        "finish_reason": "stop",
        "input_tokens": 1200,
        "output_tokens": 240,
        "usage_source": "provider",
        "cost_nanodollars": 3_900_000,
        "ttft_ms": 800.0,
        "latency_ms": 2000.0,
        "overhead_ms": 1.4,
        "client": "openai-python/2.8",
    }
    return Request(**(values | fields))


def make_attempt(row: Request, number: int = 1, **fields: Any) -> Attempt:
    """An unsaved attempt that matches its row."""
    values: dict[str, Any] = {
        "id": clock.uuid7(),
        "request_id": row.id,
        "number": number,
        "started_at": row.started_at + timedelta(milliseconds=2),
        "deployment_id": row.deployment_id,
        "deployment": row.deployment,
        "provider_id": row.provider_id,
        "provider": row.provider,
        "upstream_model": row.upstream_model,
        "status": row.status,
        "http_status": row.http_status,
        "connect_ms": 42.0,
        "headers_ms": 310.0,
        "first_content_ms": row.ttft_ms,
        "duration_ms": (row.latency_ms or 0) - 3,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_nanodollars": row.cost_nanodollars,
    }
    return Attempt(**(values | fields))


def seed_requests(people: People, count: int, hours: float, seed: int = 7) -> list[Request]:
    """Plausible traffic over the last hours, saved; the newest a few seconds old."""
    dice = random.Random(seed)
    now = clock.now()
    rows, attempts = [], []
    for _ in range(count):
        at = now - timedelta(hours=hours * dice.random() ** 1.3, seconds=3)
        row = _one(dice, dice.choice(list(people.keys.values())), at)
        rows.append(row)
        if row.status != "refused":
            attempts += _attempts(dice, row)
    save(rows, attempts)
    return rows


def save(rows: Sequence[Request], attempts: Sequence[Attempt] = ()) -> None:
    """Write rows and count them in the sums, as the ledger process does."""
    Request.objects.bulk_create(rows, batch_size=500)
    Attempt.objects.bulk_create(attempts, batch_size=500)
    tries: dict[Any, list[Attempt]] = {}
    for attempt in attempts:
        tries.setdefault(attempt.request_id, []).append(attempt)
    sums = Sums(start_series(), ClaimValues(connection))
    for row in rows:
        figures = {name: getattr(row, name, None) or 0 for name in FIGURES} | {"requests": 1}
        figures["unpriced_requests"] = int(
            is_unpriced(row.status, row.cost_nanodollars, row.deployment_id, row.usage_source)
        )
        sums.add(
            Countable(
                started_ms=int(row.started_at.timestamp() * 1000),
                dimensions=tuple(getattr(row, name) for name in DIMENSIONS),
                figures=tuple(figures[name] for name in FIGURES),
                latency_ms=None if row.status == "refused" else row.latency_ms,
                ttft_ms=row.ttft_ms,
                failed_at=failed_before(row.status, tries.get(row.pk, [])),
            )
        )
    refused: ledger_refusals.Refusals = {}
    for row in rows:
        at_ms = int(row.started_at.timestamp() * 1000)
        told = ledger_refusals.refusals_of(row.status, row.error_code, row.decision, at_ms, row.repeated)
        ledger_refusals.add(refused, told)
    ledger_refusals.write(refused)
    with transaction.atomic():  # as the ledger does: PostgreSQL keeps its staging table for no longer
        sums.write(connection, dialect_of(connection))


def _one(dice: random.Random, key: VirtualKey, at: datetime) -> Request:
    model = dice.choices(list(MODELS), weights=[4, 8, 7, 9, 5, 3, 2, 1])[0]
    _provider, _upstream, first, speed, price_in, price_out = MODELS[model]
    status = dice.choices(["ok", "error", "refused", "cancelled"], weights=[94, 2.4, 1.8, 1.8])[0]
    tokens_in = int(dice.lognormvariate(6.8, 1.1))
    tokens_out = int(dice.lognormvariate(5.2, 0.9)) if speed else 0
    ttft = first * dice.lognormvariate(0, 0.45)
    latency = ttft + (1000 * tokens_out / speed if speed else 0)
    cost = (
        None
        if price_in is None or price_out is None
        else int(tokens_in * price_in * 1000 + tokens_out * price_out * 1000)
    )
    fields: dict[str, Any] = {
        "model": model,
        "status": status,
        "stream": bool(speed) and dice.random() < 0.8,
        "endpoint": "chat.completions" if speed else "embeddings",
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "ttft_ms": ttft,
        "latency_ms": latency,
        "overhead_ms": dice.uniform(0.6, 3.5),
        "cost_nanodollars": cost,
        "session": f"session-{dice.randrange(60)}",
        "finished_at": at + timedelta(milliseconds=latency),
    }
    if status == "error":
        fields |= {
            "http_status": 502,
            "error_code": "upstream_unreachable",
            "error_detail": "overloaded_error: Overloaded",
            "finish_reason": "",
        }
    if status == "refused":
        fields |= {
            "http_status": 429,
            "error_code": "rate_limited",
            "error_detail": "The key may make 60 requests a minute; the next one may start in 4 s.",
            "cost_nanodollars": None,
            "input_tokens": None,
            "output_tokens": None,
            "ttft_ms": None,
            "latency_ms": 0.7,
            "provider": "",
            "deployment": "",
            "deployment_id": "",
            "provider_id": "",
            "usage_source": "none",
            "finish_reason": "",
        }
    row = make_request(key, at, **fields)
    row.timeline = marks_of(row)
    row.decision = decision_of(row)
    return row


def marks_of(row: Request) -> list[dict[str, Any]]:
    """Marks as the pipeline stamps them."""
    gateway = (("parsed", 0.12), ("admitted", 0.31), ("routed", 0.38))
    if row.status == "refused":
        return [{"name": "parsed", "at_ms": 0.12}, {"name": "refused", "at_ms": row.latency_ms}]
    upstream = (
        ("attempt", 1.9),
        ("headers", (row.ttft_ms or 0) * 0.8),
        ("first_content", row.ttft_ms),
        ("settled", row.latency_ms),
    )
    return [{"name": name, "at_ms": at} for name, at in (*gateway, *upstream)]


def decision_of(row: Request) -> dict[str, Any]:
    """The plan as routing explains it."""
    if row.status == "refused":
        return {}
    return {
        "strategy": "weighted",
        "candidates": [
            {
                "deployment": row.deployment,
                "provider": row.provider,
                "chosen": True,
                "reason": "weight 3 of 4, healthy",
            },
            {
                "deployment": f"spare/{row.upstream_model}",
                "provider": "spare",
                "chosen": False,
                "reason": "cooling down for 12 s after 429",
            },
        ],
    }


def _attempts(dice: random.Random, row: Request) -> list[Attempt]:
    if dice.random() < 0.93 or row.latency_ms is None:
        return [make_attempt(row)]
    lost = dice.uniform(150, 1500)
    row.latency_ms += lost
    row.ttft_ms = (row.ttft_ms or 0) + lost
    row.timeline = marks_of(row)
    failed = make_attempt(
        row,
        1,
        status="error",
        http_status=429,
        error_code="upstream_rate_limited",
        error_detail="Too many requests",
        first_content_ms=None,
        duration_ms=lost,
        headers_ms=lost,
        output_tokens=None,
        cost_nanodollars=0,
    )
    served = make_attempt(
        row,
        2,
        started_at=row.started_at + timedelta(milliseconds=lost + 3),
        first_content_ms=row.ttft_ms - lost,
        duration_ms=row.latency_ms - lost - 4,
    )
    return [failed, served]
