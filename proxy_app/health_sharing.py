"""Cooldowns that all workers keep, in Redis: one worker's 429 spares the others theirs.

A hash holds {deployment id: "<until, milliseconds since the epoch>|<cause>"}. Each worker tells what is
new and reads the rest twice a second; a cooldown only grows, until a success ends it for all.
"""

import asyncio
import logging
import time
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway_project.clock import now_ms
from proxy_app.health import LONGEST_COOLDOWN_S, Health

LOOK_S = 0.5
PAUSE_S = 2.0  # without asking a Redis that did not answer
TIMEOUT_S = 0.5
KEY = "{gatehouse}:cooling"
#: sets a deployment's end unless a later one stands there
_GROW = """
local there = redis.call('HGET', KEYS[1], ARGV[1])
if not there or tonumber(string.match(there, '^%d+')) < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '|' .. ARGV[3])
end
-- the longest cooldown keeps the hash
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[4]) then
    redis.call('EXPIRE', KEYS[1], ARGV[4])
end
"""

log = logging.getLogger("gatehouse.calls")


class HealthSharing:
    """Carries the cooldowns of one worker to the others and theirs here."""

    def __init__(self, client: Redis, health: Health, key: str = KEY) -> None:
        self._client: Any = client
        self._health = health
        self._key = key
        self._shared: dict[str, float] = {}  # ends as the others know them, on our clock

    @classmethod
    def connect(cls, url: str, health: Health, key: str = KEY) -> "HealthSharing":
        client = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        )
        return cls(client, health, key)

    async def run(self) -> None:
        """Until cancelled. While Redis is away each worker keeps its own."""
        answers = True
        try:
            while True:
                try:
                    await self.exchange()
                    answers = True
                    await asyncio.sleep(LOOK_S)
                except (RedisError, OSError) as error:
                    if answers:
                        log.warning(
                            "cooldowns are not shared: Redis cannot be asked (%s)", type(error).__name__
                        )
                    answers = False
                    await asyncio.sleep(PAUSE_S)
        finally:
            await self._client.aclose()

    async def exchange(self) -> None:
        """Tell what is new here, take over what is new elsewhere. Raises RedisError, OSError."""
        health, at_s, at_ms = self._health, time.monotonic(), now_ms()
        changed = set(health.changed)
        async with self._client.pipeline(transaction=False) as batch:
            for deployment_id in changed:
                cooling = health.cooling.get(deployment_id)
                if cooling is None:
                    batch.hdel(self._key, deployment_id)
                    continue
                until_ms = at_ms + int((cooling.until_s - at_s) * 1000)
                # Kept beyond its end: a longer delay of the provider is its own.
                life_s = int(max(cooling.until_s - at_s, LONGEST_COOLDOWN_S)) + 60
                batch.eval(_GROW, 1, self._key, deployment_id, until_ms, cooling.cause, life_s)
            batch.hgetall(self._key)
            answers = await batch.execute()
        health.changed -= changed
        self._take_over(answers[-1], at_s, at_ms)

    def _take_over(self, found: dict[str, str], at_s: float, at_ms: int) -> None:
        health, known = self._health, {}
        for deployment_id, text in found.items():
            until_ms, _, cause = text.partition("|")
            until_s = at_s + (int(until_ms) - at_ms) / 1000
            if until_s <= at_s or deployment_id in health.changed:
                continue
            health.cool(deployment_id, until_s, cause)
            known[deployment_id] = health.cooling[deployment_id].until_s
        for deployment_id, until_s in self._shared.items():
            cooling = health.cooling.get(deployment_id)
            if deployment_id not in found and cooling is not None and cooling.until_s == until_s:
                del health.cooling[deployment_id]  # a success elsewhere ended it
        self._shared = known
