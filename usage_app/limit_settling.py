"""The ledger process's part in limits: every call it wrote is settled once more where limits are shared.

A worker that died holding a reservation cannot settle it; its call's row can. Settling twice changes
nothing, so nobody needs to know which of the two came first.
"""

import asyncio
import logging
from collections.abc import Sequence

from gateway_project.clock import now_ms
from gateway_project.conf import Config
from keys_app.limits import LimitStore, open_store
from usage_app.ledger_rows import SettledCall

logger = logging.getLogger("gatehouse.ledger")

AT_ONCE = 100


class LimitSettler:
    """Settles over one connection of its own, on a loop of its own; used from the ledger's thread."""

    def __init__(self, store: LimitStore) -> None:
        self._store = store
        self._loop = asyncio.new_event_loop()

    @classmethod
    def for_shared_limits(cls, config: Config) -> "LimitSettler | None":
        """None where limits live in the worker itself: it is gone with them."""
        return cls(open_store(config)) if config.redis_url else None

    def __call__(self, calls: Sequence[SettledCall]) -> None:
        charged = [call for call in calls if call.charges]
        for start in range(0, len(charged), AT_ONCE):
            self._loop.run_until_complete(self._settle(charged[start : start + AT_ONCE]))

    async def _settle(self, calls: Sequence[SettledCall]) -> None:
        at_ms = now_ms()
        for call in calls:
            tokens = (call.input_tokens or 0) + (call.output_tokens or 0)
            if not await self._store.settle(call.id, call.cost_nanodollars or 0, tokens, at_ms):
                logger.warning("The limits are away; open holds end when they are read back.")
                return

    def close(self) -> None:
        self._loop.run_until_complete(self._store.close())
        self._loop.close()
