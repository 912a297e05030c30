"""Nothing is lost: worker and ledger process are killed again and again while calls run.

Every call that reached the provider has exactly one row, every try exactly one attempt, and the sums
agree; nobody restarts anything by hand.
"""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults.processes import (
    MockProcess,
    children,
    descendants,
    is_alive,
    is_free,
    ledgers,
    rows,
    until,
    workers,
)
from tests.serving import Serving

CALLS, AT_ONCE, KILLS = 2000, 20, 10
RETRY_S = 0.1
PATIENCE_S = 120
PRICE = {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}
KINDS = {"openai": "gpt", "anthropic": "claude", "gemini": "gemini"}


def config(up: MockProcess) -> str:
    models = [
        {
            "model_name": kind,
            "litellm_params": {
                "model": f"{kind}/{family}-mock",
                "api_base": up.urls[kind],
                "api_key": up.credentials[kind],
                **PRICE,
            },
        }
        for kind, family in KINDS.items()
    ]
    return json.dumps({"model_list": models})


@dataclass
class Load:
    """A crowd of clients; `answered` are the ids of calls whose whole answer arrived."""

    server: Serving
    key: str
    allowed: int = 0  # as many calls as may have been sent by now
    sent: int = 0
    answered: set[str] = field(default_factory=set)
    broken: Counter[str] = field(default_factory=Counter)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(AT_ONCE):
                group.create_task(self._client(session))
        self.finished.set()

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while self.sent < CALLS:
            if self.sent >= self.allowed:
                await asyncio.sleep(0.005)
                continue
            self.sent += 1
            try:
                await self._call(session, self.sent)
            except (aiohttp.ClientError, OSError) as error:
                self.broken[type(error).__name__] += 1

    async def _call(self, session: aiohttp.ClientSession, number: int) -> None:
        stream = number % 2 == 0
        body = {
            "model": list(KINDS)[number % 3],
            "stream": stream,
            "messages": [{"role": "user", "content": f"long:{number % 12 + 2}"}],
        }
        headers = {"authorization": f"Bearer {self.key}"}
        url = f"{self.server.url}/v1/chat/completions"
        status = 503  # a worker that has just been started says so until it knows its keys
        while status == 503:
            async with session.post(url, json=body, headers=headers) as answer:
                raw, status = await answer.read(), answer.status
            await asyncio.sleep(RETRY_S if status == 503 else 0)
        if answer.status == 200 and (not stream or raw.endswith(b"data: [DONE]\n\n")):
            self.answered.add(answer.headers["x-request-id"])
        else:
            self.broken[f"{answer.status} {raw[-300:]!r}" if answer.status != 200 else "cut"] += 1

    async def has_moved(self, by: int) -> None:
        """Until so many more calls were answered, or none is left."""
        wanted = len(self.answered) + by
        while len(self.answered) < wanted and not self.finished.is_set():
            await asyncio.sleep(0.005)


@dataclass
class Killer:
    """Kills the worker `KILLS` times between the calls, and the ledger process every third time."""

    supervisor: int
    dice: random.Random = field(default_factory=lambda: random.Random(20261123))
    workers_killed: int = 0
    ledgers_killed: int = 0

    async def run(self, load: Load) -> None:
        share = CALLS // (KILLS + 1)
        for number in range(KILLS):
            also_ledger = number % 3 == 0  # each time the supervisor waits longer before it starts it
            if also_ledger:
                await asyncio.to_thread(until, lambda: ledgers(self.supervisor), 40)
            load.allowed += share
            # Calls were answered since the last kill, so a worker is up; the rest are on their way.
            await load.has_moved(self.dice.randint(share // 3, share - 2 * AT_ONCE))
            assert not load.finished.is_set(), load.broken.most_common(8)
            for pid in workers(self.supervisor):
                os.kill(pid, signal.SIGKILL)
                self.workers_killed += 1
            for pid in ledgers(self.supervisor) if also_ledger else ():
                os.kill(pid, signal.SIGKILL)
                self.ledgers_killed += 1
        load.allowed = CALLS


def dashed(hexadecimal: str) -> str:
    parts = (hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20], hexadecimal[20:])
    return "-".join(parts)


async def test_no_call_and_no_attempt_is_lost_or_doubled(tmp_path: Path) -> None:
    with (
        MockProcess(tmp_path, interval_ms=3) as up,
        Serving(config(up), {"GATEHOUSE_LOG_LEVEL": "WARNING"}) as server,
    ):
        assert server.process is not None and server.data is not None
        load = Load(server, server.new_key(name="crowd"))
        killer = Killer(server.process.pid)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(load.run())
            group.create_task(killer.run(load))
        assert killer.workers_killed == KILLS and killer.ledgers_killed == 4
        database = next(server.data.glob("*.sqlite3"))
        seen = up.seen()
        ids = {request_id for request_id, _ in seen}
        await asyncio.to_thread(until, lambda: _settled(database, ids | load.answered), 60)

        # Restarted by itself, and serving.
        status, _, _ = server.call("POST", "/v1/chat/completions", _hello(), key=load.key)
        assert status == 200
        check_rows(database, seen, load)
        audit = server.manage("audit_ledger")
        assert audit.returncode == 0, audit.stdout + audit.stderr
        kill_the_supervisor(server)


def _hello() -> dict[str, Any]:
    return {"model": "openai", "messages": [{"role": "user", "content": "hello"}]}


def _settled(database: Path, ids: set[str]) -> bool:
    found = {dashed(row[0]) for row in rows(database, "SELECT id FROM usage_app_request")}
    return ids <= found


def check_rows(database: Path, seen: list[tuple[str, int]], load: Load) -> None:
    statuses = {dashed(row[0]): row[1] for row in rows(database, "SELECT id, status FROM usage_app_request")}
    attempts = Counter(
        (dashed(row[0]), row[1]) for row in rows(database, "SELECT request_id, number FROM usage_app_attempt")
    )
    assert len(seen) == len(set(seen)), "the provider was asked twice as one attempt"
    assert max(attempts.values()) == 1
    assert set(seen) <= set(attempts)
    # What a client has whole is in the ledger as whole.
    assert {statuses[each] for each in load.answered} == {"ok"}
    # A call without a trace at the provider was begun and killed before it was sent.
    unseen = [statuses[each] for each in set(statuses) - {request_id for request_id, _ in seen}]
    assert set(unseen) <= {"refused", "interrupted", "ok"}
    assert unseen.count("ok") <= 1  # the call after the kills, made when `seen` was already read
    interrupted = list(statuses.values()).count("interrupted")
    assert 0 < interrupted <= AT_ONCE * KILLS
    assert set(statuses.values()) <= {"ok", "interrupted", "refused", "cancelled"}


def kill_the_supervisor(server: Serving) -> None:
    """Its children end themselves at once: no orphan holds the port."""
    assert server.process is not None
    family = descendants(server.process.pid)
    assert len(family) >= 3 and len(children(server.process.pid)) == 2
    server.process.kill()
    server.process.wait()
    until(lambda: not any(is_alive(pid) for pid in family), 8, "a process outlived its supervisor")
    until(lambda: is_free(server.port), 2, "the port is still held")
