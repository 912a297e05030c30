"""A registry of background tasks: a failure is logged, and shutdown awaits them all."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger("gatehouse.tasks")


class Tasks:
    """The tasks one object has started."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """Cancel what still runs and wait for it to end."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def finish(self) -> None:
        """Wait for what runs to end by itself."""
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s ended with an error", task.get_name(), exc_info=error)
