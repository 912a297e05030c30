"""A circuit breaker: after a few failures in a row nothing is tried until a probe succeeds.

Probes run behind, so no call waits for one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keys_app.tasks import Tasks

FAILURES = 3
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0

logger = logging.getLogger("gatehouse.limits")


class Breaker:
    """Open means: do not try. `probe` raises while the service is away."""

    def __init__(self, probe: Callable[[], Awaitable[None]]) -> None:
        self._probe = probe
        self._failures = 0
        self._open = False
        self._tasks = Tasks()

    @property
    def is_open(self) -> bool:
        return self._open

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, error: BaseException) -> None:
        self._failures += 1
        if self._failures >= FAILURES and not self._open:
            self._open = True
            logger.error("Redis cannot be asked, limits wait for it: %s: %s", type(error).__name__, error)
            self._tasks.start(self._probe_until_it_answers(), "limits probe")

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _probe_until_it_answers(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._probe()
            except Exception:  # noqa: BLE001  whatever it is, the next probe follows
                logger.debug("Redis still cannot be asked.")
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                break
        self._failures, self._open = 0, False
        logger.warning("Redis answers again.")
