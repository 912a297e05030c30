"""Signed thoughts that all workers share, in Redis. One that does not answer is left alone for a while."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from proxy_app.signatures import KEPT_S, Place, seal, unseal
from proxy_app.wire import Signed

TIMEOUT_S = 0.2
PAUSE_S = 2.0  # without asking a Redis that did not answer
PREFIX = "{gatehouse}:signed"

log = logging.getLogger("gatehouse.calls")


class RedisSignatures:
    """See `signatures.Signatures`. Whatever Redis fails to do is a miss."""

    def __init__(self, client: Redis, prefix: str = PREFIX) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._away_until_s = 0.0

    @classmethod
    def connect(cls, url: str, prefix: str = PREFIX) -> "RedisSignatures":
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=16,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=True,
        )
        return cls(Redis(connection_pool=pool), prefix)

    async def recall(self, place: Place, call_ids: Sequence[str]) -> dict[str, Signed]:
        if time.monotonic() < self._away_until_s:
            return {}
        keys = {call_id: place.key(call_id) for call_id in call_ids}
        try:
            answers = await self._client.mget([f"{self._prefix}:{key}" for key in keys.values()])
        except (RedisError, OSError) as error:
            self._left_alone(error)
            return {}
        found = unseal(dict.fromkeys(answer for answer in answers if answer))
        return {call_id: found[key] for call_id, key in keys.items() if key in found}

    async def keep(self, place: Place, signed: Mapping[str, Signed]) -> None:
        sealed = seal(place, signed)
        if sealed is None or time.monotonic() < self._away_until_s:
            return
        try:
            async with self._client.pipeline(transaction=False) as batch:
                for call_id in signed:
                    batch.set(f"{self._prefix}:{place.key(call_id)}", sealed, ex=KEPT_S)
                await batch.execute()
        except (RedisError, OSError) as error:
            self._left_alone(error)

    async def close(self) -> None:
        await self._client.aclose(close_connection_pool=True)

    def _left_alone(self, error: Exception) -> None:
        self._away_until_s = time.monotonic() + PAUSE_S
        log.warning("signed thoughts are not kept: Redis cannot be asked (%s)", type(error).__name__)
