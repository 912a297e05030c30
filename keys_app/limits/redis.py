"""The limit store of many workers: counters in Redis, one atomic script a step.

The data belong to an epoch of one server process. Redis that was flushed, replaced or restarted has
lost counts, so its epoch ends and everything is loaded again from the ledger before limited calls pass.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError

from gateway_project.clock import now_ms as clock_ms
from gateway_project.clock import uuid7
from gateway_project.errors import LimitsUnavailable
from keys_app.limits.breaker import Breaker
from keys_app.limits.contract import UNCHECKED, UNLIMITED, Demand, Grant, LevelState, OpenHold
from keys_app.limits.pipelining import Pipeline
from keys_app.limits.redis_answers import grant_of, refusal_of, states_of
from keys_app.limits.redis_loading import write_counts
from keys_app.limits.scripts import BEGIN_EPOCH, END_EPOCH

TIMEOUT_S = 0.2
#: A burst on a cold pool opens dozens of connections at once, and each greets twice before it is used.
CONNECT_S = 1.0
CONNECTIONS = 64
PREFIX = "{gatehouse}:limits"
_ORPHANS = 10_000

logger = logging.getLogger("gatehouse.limits")


class _Away(Exception):
    """The store cannot answer: Redis is away, or its counters are not loaded."""


class RedisStore:
    """See `contract.LimitStore`."""

    def __init__(self, client: Redis, *, prefix: str = PREFIX, fail_open: bool = False) -> None:
        self._client: Any = client  # its types are unions of bytes and text; ours decodes to text
        self._prefix = prefix
        self._epoch = f"{prefix}:epoch"
        self._fail_open = fail_open
        self._pipeline = Pipeline(client, self._epoch)
        self._loaded = False
        self._verified = False
        self._ended: set[str] = set()  # epochs whose data can go
        self._orphans: list[str] = []  # reserved perhaps, while nobody answered
        self._breaker = Breaker(self._recover)

    @classmethod
    def connect(cls, url: str, *, prefix: str = PREFIX, fail_open: bool = False) -> "RedisStore":
        """A store at an address. Connects at the first step."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=CONNECT_S,
            decode_responses=True,
            # Once more on a connection the server had closed; every step may be repeated.
            retry=Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
        )
        return cls(Redis(connection_pool=pool), prefix=prefix, fail_open=fail_open)

    @property
    def needs_load(self) -> bool:
        return not self._loaded

    @property
    def fails_open(self) -> bool:
        return self._fail_open

    @property
    def is_away(self) -> bool:
        return self._breaker.is_open

    # ------------------------------------------------------------ steps

    async def reserve(
        self,
        call_id: str,
        demand: Demand,
        nanodollars: int,
        tokens: int,
        now_ms: int,
        output_tokens: int = 0,
        least: int | None = None,
    ) -> Grant:
        if demand.is_empty:
            return UNLIMITED
        counts = (len(demand.budgets), len(demand.rates))
        arguments: list[Any] = [call_id, now_ms, nanodollars, _text(least), *counts]
        for budget in demand.budgets:
            limit = budget.limit_nanodollars if budget.hard else ""
            arguments += (f"{budget.budget_id}/{budget.period}", limit, _text(budget.resets_at_ms))
        for rate in demand.rates:
            limits = (rate.requests_per_minute, rate.tokens_per_minute, rate.parallel)
            arguments += (rate.id, *map(_text, limits), rate.counted(tokens, output_tokens), rate.counts)
        try:
            answer = await self._step("reserve", arguments)
        except _Away as error:
            if isinstance(error.__cause__, RedisError) and len(self._orphans) < _ORPHANS:
                self._orphans.append(call_id)
            if self._fail_open:
                return UNCHECKED
            raise LimitsUnavailable(retry_after_s=1) from None
        if answer[0] != "ok":
            raise refusal_of(answer, demand, tokens, output_tokens)
        return grant_of(answer, demand)

    async def top_up(self, call_id: str, nanodollars: int) -> bool:
        try:
            return bool(await self._step("top_up", [call_id, nanodollars]) != "refused")
        except _Away:
            return self._fail_open

    async def settle(
        self,
        call_id: str,
        nanodollars: int,
        tokens: int,
        now_ms: int,
        charges: Collection[tuple[str, str]] | None = None,
        output_tokens: int = 0,
        later: str = "",
    ) -> bool:
        names = ["*"] if charges is None else [f"{budget}/{period}" for budget, period in charges]
        try:
            await self._step("settle", [call_id, nanodollars, tokens, output_tokens, later, *names])
        except _Away:
            return False
        return True

    async def adjust(self, cause_id: str, charges: Collection[tuple[str, str]], nanodollars: int) -> bool:
        names = [f"{budget}/{period}" for budget, period in charges]
        try:
            await self._step("adjust", [cause_id, nanodollars, *names])
        except _Away:
            return False
        return True

    async def left(self, demand: Demand) -> int | None:
        if not demand.has_hard_budget:
            return None
        try:
            states = await self.state(Demand(demand.budgets), clock_ms())
        except LimitsUnavailable:
            if self._fail_open:
                return None  # nobody knows: the call passes unchecked, so nothing caps it
            raise
        return max(0, min(state.limit - state.spent - state.held for state in states if state.hard))

    async def state(self, demand: Demand, now_ms: int) -> tuple[LevelState, ...]:
        names = [f"{budget.budget_id}/{budget.period}" for budget in demand.budgets]
        rates = [rate.id for rate in demand.rates]
        try:
            _, *numbers = await self._step("state", [now_ms, len(names), *names, *rates])
        except _Away:
            raise LimitsUnavailable(retry_after_s=1) from None
        return states_of(numbers, demand, now_ms)

    async def open_calls(self, before_ms: int) -> tuple[str, ...]:
        try:
            await self._ready()
            epoch = await self._client.hget(self._epoch, "id")
            found = await self._client.zrange(
                f"{self._prefix}:{epoch}:open", "-inf", f"({before_ms}", byscore=True
            )
        except (_Away, RedisError, OSError):
            return ()
        return tuple(found)

    async def close(self) -> None:
        await self._breaker.stop()
        await self._pipeline.stop()
        await self._client.aclose(close_connection_pool=True)

    # ------------------------------------------------------------ loading

    async def load(
        self,
        spend: Mapping[tuple[str, str], int],
        holds: Iterable[OpenHold],
        adjusted: Iterable[str] = (),
    ) -> bool:
        """Begin an epoch with these counts, unless one is in use. Raises LimitsUnavailable."""
        try:
            run = await self._server()
            await self._verify(run)
            if self._loaded:
                return False
            is_ours = await self._fill(run, spend, holds, adjusted)
            await self._verify(run)
        except (RedisError, OSError) as error:
            self._breaker.failed(error)
            raise LimitsUnavailable(retry_after_s=1) from None
        return is_ours

    async def _fill(
        self,
        run: str,
        spend: Mapping[tuple[str, str], int],
        holds: Iterable[OpenHold],
        adjusted: Iterable[str] = (),
    ) -> bool:
        """Answers whether the epoch is this one: another worker may have been first."""
        epoch = str(uuid7())
        await write_counts(self._client, f"{self._prefix}:{epoch}", spend, holds, adjusted)
        begun = await self._client.eval(BEGIN_EPOCH, 1, self._epoch, epoch, run)
        if not begun:  # another worker was first
            self._ended.add(epoch)
        await self._sweep()
        return bool(begun)

    async def _sweep(self) -> None:
        """Delete what ended epochs left behind."""
        while self._ended:
            async for key in self._client.scan_iter(f"{self._prefix}:{self._ended.pop()}:*", count=1000):
                await self._client.unlink(key)

    async def _server(self) -> str:
        information = await self._client.info("server")
        return str(information["run_id"])

    async def _verify(self, run: str) -> None:
        """Whether there is an epoch that this very server process began."""
        epoch, begun_by = await self._client.hmget(self._epoch, "id", "run")
        if epoch is not None and begun_by != run:
            logger.error("Redis is not the process that held the limits: they are loaded again.")
            await self._client.eval(END_EPOCH, 1, self._epoch, epoch)
            self._ended.add(epoch)
            epoch = None
        self._loaded = epoch is not None
        self._verified = True

    # ------------------------------------------------------------ asking

    async def _step(self, name: str, arguments: list[Any]) -> Any:
        """One script's answer; _Away when there is none. Failures open the breaker."""
        if self._breaker.is_open:
            raise _Away
        try:
            await self._ready()
            answer = await self._pipeline.run(name, [self._prefix, *arguments])
        except (RedisError, OSError) as error:
            self._verified = False
            self._breaker.failed(error)
            raise _Away from error
        self._breaker.succeeded()
        if answer == "reload" or (isinstance(answer, list) and answer[0] == "reload"):
            self._loaded = False
            raise _Away
        return answer

    async def _ready(self) -> None:
        """After a lost connection, look whether it is still the same server."""
        if not self._verified:
            await self._verify(await self._server())

    async def _recover(self) -> None:
        await self._verify(await self._server())
        orphans, self._orphans = self._orphans, []
        for start, call_id in enumerate(orphans):
            try:
                arguments = [self._prefix, call_id, 0, 0, 0, "", "*"]
                await self._pipeline.run("settle", arguments)
            except (RedisError, OSError):
                self._orphans.extend(orphans[start:])
                raise


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
