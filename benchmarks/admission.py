"""What admission costs: authenticate, authorise, reserve and settle, without a server around it.

CPU time of this process for each call, with budgets at four levels and a rate limit at two: in memory,
and with Redis (whose own CPU is not ours) at 32 calls at once. `python -m benchmarks.admission` prints
JSON; `make bench` runs it. Redis: GATEHOUSE_BENCH_REDIS_URL, else 127.0.0.1:6379 where one answers.
"""

import asyncio
import json
import os
import statistics
import sys
import time
import uuid

from gateway_project.errors import LimitsUnavailable
from keys_app import demanding, policy
from keys_app.entries import BudgetEntry, KeyEntry, RateLimitEntry, ServiceEntry, Snapshot, UserEntry
from keys_app.limits.contract import LimitStore
from keys_app.limits.memory import MemoryStore
from keys_app.limits.redis import RedisStore
from keys_app.secrets import hash_secret

SECRET = "sk-gh-" + "b" * 43
AMOUNT, COST, TOKENS, OUTPUT = 5_000_000, 1_200_000, 900, 300
ROUNDS = 5
IN_MEMORY, WITH_REDIS, AT_ONCE = 4_000, 1_500, 32
REDIS = os.environ.get("GATEHOUSE_BENCH_REDIS_URL", "redis://127.0.0.1:6379/15")


def picture() -> Snapshot:
    """A key of a person in a service; nothing in it is ever used up."""

    def budget(name: str, scope: str, filed: str, period: str) -> BudgetEntry:
        return BudgetEntry(name, scope, filed, 10**18, period, 1, None, "Asia/Seoul", True)

    def rate(name: str, scope: str, filed: str) -> RateLimitEntry:
        return RateLimitEntry(name, scope, filed, 10**8, 10**9, 10**6)

    key = KeyEntry("k", "bench", "sk-gh-…bbbb", "u", "s", "production", models_allowed=("bench*",))
    return Snapshot(
        1,
        0,
        {hash_secret(SECRET): key},
        {"u": UserEntry("u", "bench", True, "member")},
        {"s": ServiceEntry("s", "bench", True)},
        {
            ("key", "k"): (budget("b1", "key", "k", "day"),),
            ("user", "u"): (budget("b2", "user", "u", "month"),),
            ("service", "s"): (budget("b3", "service", "s", "month"),),
            ("global", ""): (budget("b4", "global", "", "total"),),
        },
        {("key", "k"): (rate("r1", "key", "k"),), ("service", "s"): (rate("r2", "service", "s"),)},
    )


async def one(store: LimitStore, snapshot: Snapshot, call_id: str) -> None:
    """A call's way through admission and out of it."""
    at_ms = time.time_ns() // 1_000_000
    principal = policy.authenticate(snapshot, hash_secret(SECRET), at_ms)
    policy.authorise(principal, "chat.completions", "203.0.113.7")
    if not policy.may_use_model(principal, "bench"):
        raise SystemExit("The benchmark's key may not use the benchmark's model.")
    wanted = demanding.demand(snapshot, principal, model="bench", provider="mock", end_user="", now_ms=at_ms)
    await store.reserve(call_id, wanted, AMOUNT, TOKENS, at_ms, OUTPUT, COST)
    await store.settle(call_id, COST, TOKENS, at_ms, output_tokens=OUTPUT)


async def measured(store: LimitStore, calls: int, at_once: int) -> float:
    """Microseconds of our CPU a call; the median of the rounds after one to warm up."""
    snapshot = picture()

    async def lane(names: list[str]) -> None:
        for name in names:
            await one(store, snapshot, name)

    figures = []
    for turn in range(ROUNDS + 1):
        names = [f"{turn}-{number}-{uuid.uuid4()}" for number in range(calls)]
        before = time.process_time_ns()
        await asyncio.gather(*(lane(names[start::at_once]) for start in range(at_once)))
        figures.append((time.process_time_ns() - before) / calls / 1000)
    return statistics.median(figures[1:])


async def with_redis() -> float | None:
    """None where no Redis answers."""
    store = RedisStore.connect(REDIS, prefix=f"{{bench-{uuid.uuid4()}}}")
    try:
        await store.load({}, [])
    except LimitsUnavailable as error:
        print(f"without Redis: {error}", file=sys.stderr)
        return None
    finally:
        if store.needs_load:
            await store.close()
    try:
        return await measured(store, WITH_REDIS, AT_ONCE)
    finally:
        async for key in store._client.scan_iter(f"{store._prefix}:*", count=1000):
            await store._client.unlink(key)
        await store.close()


async def main() -> dict[str, float | None]:
    memory = MemoryStore()
    await memory.load({}, [])
    return {
        "admission_memory_us": await measured(memory, IN_MEMORY, 1),
        "admission_redis_us": await with_redis(),
    }


if __name__ == "__main__":
    loop_factory = None
    if "--asyncio" not in sys.argv:
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        print(json.dumps(runner.run(main())))
