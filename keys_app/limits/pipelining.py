"""Steps of many calls in one round trip: what is asked in the same turn of the loop travels together.

Nothing waits for company: a step alone is sent at once. Under load a turn holds many, and a connection
is taken, written and read once for all of them.
"""

import asyncio
from typing import Any

from redis.exceptions import NoScriptError

from keys_app.limits.scripts import digest, pack, script
from keys_app.tasks import Tasks

MOST_TOGETHER = 100

_Step = tuple[str, bytes, "asyncio.Future[Any]"]


class Pipeline:
    """Runs scripts on one client. Errors of the connection reach every step that was on the way."""

    def __init__(self, client: Any, key: str) -> None:
        self._client = client
        self._key = key
        self._waiting: list[_Step] = []
        self._tasks = Tasks()

    async def run(self, name: str, arguments: list[Any]) -> Any:
        """One script's answer; raises what the server or the connection did."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((name, pack(arguments), future))
        if len(self._waiting) == 1:
            loop.call_soon(self._send)
        return await future

    async def stop(self) -> None:
        """Wait for what is on the way."""
        await self._tasks.finish()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST_TOGETHER):
            self._tasks.start(self._travel(waiting[start : start + MOST_TOGETHER]), "limit steps")

    async def _travel(self, steps: list[_Step]) -> None:
        try:
            answers = await self._ask(steps)
        except BaseException as error:
            for _name, _packed, future in steps:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else ConnectionError())
            if not isinstance(error, Exception):
                raise
            return
        for (name, packed, future), answer in zip(steps, answers, strict=True):
            if isinstance(answer, NoScriptError):
                # The server was restarted, or never saw it: told again, it knows it from then on.
                answer = await self._tell(name, packed)
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _ask(self, steps: list[_Step]) -> list[Any]:
        if len(steps) == 1:
            name, packed, _future = steps[0]
            try:
                return [await self._client.execute_command("EVALSHA", digest(name), 1, self._key, packed)]
            except NoScriptError as error:
                return [error]
        async with self._client.pipeline(transaction=False) as batch:
            for name, packed, _future in steps:
                batch.execute_command("EVALSHA", digest(name), 1, self._key, packed)
            answers: list[Any] = await batch.execute(raise_on_error=False)
        return answers

    async def _tell(self, name: str, packed: bytes) -> Any:
        try:
            return await self._client.execute_command("EVAL", script(name), 1, self._key, packed)
        except Exception as error:  # noqa: BLE001  it belongs to the step that asked
            return error
