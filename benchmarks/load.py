"""A cheap client: raw connections under uvloop, closed loops, fixed rates and many streams at once.

`python -m benchmarks.load MODE JSON` prints one JSON object. Latencies at a fixed rate count from
the moment a call was due, so that a stalled server cannot hide behind calls that were never sent.
"""

import asyncio
import json
import statistics
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httptools
import uvloop

CALL_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Outcome:
    """One call: its status, and the times at which pieces of its body came (monotonic seconds)."""

    started: float
    status: int = 0
    ended: float = 0.0
    size: int = 0
    times: list[float] = field(default_factory=list)
    tail: bytes = b""


class Connection(asyncio.Protocol):
    """One kept-alive connection; one call at a time."""

    def __init__(self, keep_times: bool) -> None:
        self.keep_times = keep_times
        self.waiter: asyncio.Future[Outcome] | None = None
        self.outcome = Outcome(0.0)
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def call(self, request: bytes, started: float) -> "asyncio.Future[Outcome]":
        self.outcome = Outcome(started)
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.waiter

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.outcome.size += len(body)
        if self.keep_times:
            self.outcome.times.append(time.monotonic())
            self.outcome.tail = body

    def on_message_complete(self) -> None:
        self.outcome.status = self.parser.get_status_code()
        self.outcome.ended = time.monotonic()
        keeps = self.parser.should_keep_alive()
        self.parser = httptools.HttpResponseParser(self)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(self.outcome)
        if not keeps:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(ConnectionError("the server closed the connection"))


class Client:
    """Calls to one target."""

    def __init__(self, target: dict[str, Any], keep_times: bool = False) -> None:
        self.port = target["port"]
        self.keep_times = keep_times
        body = json.dumps(target["body"]).encode()
        self.request = (
            f"POST {target['path']} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
            f"authorization: Bearer {target['key']}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.idle: deque[Connection] = deque()
        self.failed = 0

    async def connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self.keep_times), "127.0.0.1", self.port
        )
        return connection

    async def call(self, started: float) -> Outcome | None:
        """One call over an idle connection or a new one; None when it failed."""
        try:
            connection = self.idle.pop() if self.idle else await self.connect()
            outcome = await asyncio.wait_for(connection.call(self.request, started), CALL_TIMEOUT_S)
        except (OSError, TimeoutError):
            self.failed += 1
            return None
        if outcome.status != 200:
            self.failed += 1
            connection.transport.close()
            return None
        if not connection.transport.is_closing():
            self.idle.append(connection)
        return outcome


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def latencies(outcomes: list[Outcome]) -> dict[str, float]:
    values = [(outcome.ended - outcome.started) * 1000 for outcome in outcomes]
    return {"p50_ms": percentile(values, 0.5), "p99_ms": percentile(values, 0.99)}


async def closed_loop(target: dict[str, Any], seconds: float, concurrency: int) -> dict[str, Any]:
    """So many callers, each calling again as soon as it was answered."""
    client = Client(target)
    done: list[Outcome] = []
    started = time.monotonic()

    async def caller() -> None:
        while (now := time.monotonic()) - started < seconds:
            if outcome := await client.call(now):
                done.append(outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    elapsed = time.monotonic() - started
    rate = len(done) / elapsed
    return {"calls": len(done), "failed": client.failed, "per_second": rate, **latencies(done)}


async def fixed_rate(target: dict[str, Any], seconds: float, rate: float) -> dict[str, Any]:
    """Calls at their due times, whether or not the former ones were answered."""
    client = Client(target)
    done: list[Outcome] = []
    started = time.monotonic()

    async def one(due: float) -> None:
        if outcome := await client.call(due):
            done.append(outcome)

    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * rate)):
            due = started + number / rate
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            group.create_task(one(due))
    return {"calls": len(done), "failed": client.failed, "rate": rate, **latencies(done)}


async def streams(target: dict[str, Any], count: int, rounds: int = 1) -> dict[str, Any]:
    """So many streams at once: were they whole, when did they begin, how long were their gaps?"""
    client = Client(target, keep_times=True)
    done: list[Outcome] = []

    async def one(delay: float) -> None:
        await asyncio.sleep(delay)
        for _ in range(rounds):
            outcome = await client.call(time.monotonic())
            done.extend([outcome] if outcome else [])

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number * target.get("stagger_s", 0.0)))
    gaps = [(b - a) * 1000 for each in done for a, b in zip(each.times, each.times[1:], strict=False)]
    first = [(each.times[0] - each.started) * 1000 for each in done if each.times]
    clean = sum(each.tail.rstrip().endswith(b"[DONE]") or b"message_stop" in each.tail for each in done)
    return {
        "streams": count * rounds,
        "clean": clean,
        "pieces": sum(len(each.times) for each in done),
        "first_p50_ms": percentile(first, 0.5),
        "first_p99_ms": percentile(first, 0.99),
        "gap_mean_ms": statistics.fmean(gaps) if gaps else float("nan"),
        "gap_p99_ms": percentile(gaps, 0.99),
        "gap_max_ms": max(gaps, default=float("nan")),
    }


MODES = {"closed": closed_loop, "rate": fixed_rate, "streams": streams}

if __name__ == "__main__":
    print(json.dumps(uvloop.run(MODES[sys.argv[1]](**json.loads(sys.argv[2])))))
