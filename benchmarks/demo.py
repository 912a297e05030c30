"""`make demo`: lively mixed traffic on the sandbox, so that the window can be seen alive.

Makes a few keys for services, people and environments through the management API, then plays their
traffic for some minutes: chats, agents with tools, batch jobs, mistakes, people who close the tab.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import aiohttp

from gateway_project import conf
from gateway_project.env import BadSetting

PROMPTS = (
    "Summarise this week's support tickets in three sentences.",
    "Write a friendly reply to a customer whose parcel is late.",
    "Explain the difference between a list and a tuple.",
    "Translate into Korean: the meeting moves to Thursday.",
    "Suggest five names for a small coffee shop by the sea.",
    "Which of these invoices are overdue, and by how many days?",
    "Draft release notes from these commit messages.",
    "Why does this query take eight seconds?",
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {"type": "object", "properties": {field: {"type": "string"}}, "required": [field]},
        },
    }
    for name, description, field in (
        ("find_order", "Look an order up", "order"),
        ("get_weather", "The weather in a city", "city"),
    )
]


@dataclass(frozen=True, slots=True)
class Actor:
    """One key's behaviour: which models it calls how often, and how it reads the answers."""

    name: str
    service: str
    environment: str
    models: tuple[tuple[str, int], ...]  # with weights
    pause_s: float  # between calls, on average
    streams: float = 0.8  # share of streamed calls
    leaves: float = 0.0  # share of streams that are closed half-way
    people: tuple[str, ...] = ()
    client: str = "gatehouse-demo/1.0"
    budget_usd: str = "25"


CAST: tuple[Actor, ...] = (
    Actor(
        "shop assistant",
        "Web shop",
        "production",
        (("sandbox/chat", 7), ("sandbox/tools", 2), ("sandbox/slow", 1)),
        pause_s=1.5,
        leaves=0.08,
        people=("maria", "jonas", "yuna", "guest-4711"),
    ),
    Actor(
        "coding agent",
        "Engineering",
        "production",
        (("sandbox/tools", 5), ("sandbox/reasoning", 3), ("sandbox/long", 1)),
        pause_s=2.5,
        people=("alice", "bob"),
        client="demo-agent/2.3",
    ),
    Actor(
        "nightly reports",
        "Finance",
        "production",
        (("sandbox/fast", 8), ("sandbox/flaky", 2), ("sandbox/error-429", 1)),
        pause_s=0.6,
        streams=0.0,
    ),
    Actor(
        "support chat",
        "Support",
        "production",
        (("sandbox", 6), ("sandbox/chat", 3), ("sandbox/cut", 1)),
        pause_s=2.0,
        leaves=0.15,
        people=("kim", "lee", "park"),
        client="open-webui/0.9",
    ),
    Actor(
        "prompt lab",
        "Research",
        "experiment",
        (
            ("sandbox/reasoning", 3),
            ("sandbox/slow", 2),
            ("sandbox/error-500", 1),
            ("sandbox/error-midway", 1),
        ),
        pause_s=3.0,
        people=("charlie",),
    ),
    Actor(
        "smoke tests",
        "Engineering",
        "test",
        (("sandbox/fast", 9), ("no-such-model", 1)),
        pause_s=4.0,
        streams=0.5,
    ),
)


class Demo:
    """Plays the cast against one running gateway, within a bounded time."""

    def __init__(self, session: aiohttp.ClientSession, base: str, master_key: str, pace: float) -> None:
        self.session = session
        self.base = base
        self.master_key = master_key
        self.pace = pace
        self.dice = random.Random(20261123)
        self.outcomes: Counter[str] = Counter()
        self.tokens = 0

    async def manage(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        """One call to the management API; its status and what it answered."""
        headers = {"authorization": f"Bearer {self.master_key}"}
        async with self.session.post(f"{self.base}{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def key_for(self, actor: Actor) -> str:
        await self.manage("/api/v1/services/", {"name": actor.service})  # it may be there already
        body = {
            "name": f"{actor.name} (demo)",
            "service": actor.service,
            "environment": actor.environment,
            "budgets": [{"amount_usd": actor.budget_usd, "period": "month", "hard": True}],
            "limits": {"requests_per_minute": 600, "parallel": 40},
        }
        status, text = await self.manage("/api/v1/keys/", body)
        if status not in (200, 201):
            raise BadSetting(f"no key could be made: {status} {text[:300]}")
        return str(json.loads(text)["key"])

    async def play(self, actor: Actor, key: str, until: float) -> None:
        """One actor's calls, some of them beside one another, until the curtain falls."""
        async with asyncio.TaskGroup() as group:
            while time.monotonic() < until:
                group.create_task(self.call(actor, key))
                if self.dice.random() < 0.15:  # now and then a burst
                    for _ in range(self.dice.randint(2, 5)):
                        group.create_task(self.call(actor, key))
                await asyncio.sleep(self.dice.expovariate(1 / actor.pause_s) / self.pace)

    def body_for(self, actor: Actor) -> dict[str, Any]:
        names, weights = zip(*actor.models, strict=True)
        model = self.dice.choices(names, weights)[0]
        prompt = f"{self.dice.choice(PROMPTS)} (no. {self.dice.randrange(1000)})"
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
        if model == "sandbox/tools":
            body["tools"] = TOOLS
        if actor.people:
            body["user"] = self.dice.choice(actor.people)
        if self.dice.random() < actor.streams:
            body["stream"] = True
        return body

    async def call(self, actor: Actor, key: str) -> None:
        body = self.body_for(actor)
        headers = {
            "authorization": f"Bearer {key}",
            "user-agent": actor.client,
            "x-gatehouse-tags": f"demo,{actor.environment}",
            "x-gatehouse-session": f"{actor.name.replace(' ', '-')}-{self.dice.randrange(6)}",
        }
        leaves = self.dice.random() < actor.leaves
        try:
            url = f"{self.base}/v1/chat/completions"
            async with self.session.post(url, json=body, headers=headers) as answer:
                await self.read(answer, leaves)
        except (aiohttp.ClientError, TimeoutError):
            self.outcomes["broken off"] += 1

    async def read(self, answer: aiohttp.ClientResponse, leaves: bool) -> None:
        if answer.status != 200:
            await answer.read()
            self.outcomes[f"status {answer.status}"] += 1
            return
        if answer.content_type != "text/event-stream":
            usage = (await answer.json()).get("usage") or {}
            self.tokens += usage.get("total_tokens") or 0
            self.outcomes["answered"] += 1
            return
        pieces = 0
        async for _ in answer.content:
            pieces += 1
            if leaves and pieces > 12:
                answer.close()  # somebody closed the tab
                self.outcomes["left half-way"] += 1
                return
        self.outcomes["streamed"] += 1

    async def report(self, until: float) -> None:
        """A line every ten seconds, so that the terminal is alive too."""
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(10.0, left))
            told = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
            left = max(0.0, until - time.monotonic())
            print(f"  {left:4.0f} s left: {told or 'the first calls are on their way'}", flush=True)


async def perform(base: str, master_key: str, seconds: float, pace: float) -> None:
    timeout = aiohttp.ClientTimeout(total=90)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        demo = Demo(session, base, master_key, pace)
        keys = [await demo.key_for(actor) for actor in CAST]
        print(f"{len(CAST)} keys made; {seconds:.0f} seconds of traffic. Watch it: {base}/ui/live/")
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(demo.report(until))
            for actor, key in zip(CAST, keys, strict=True):
                group.create_task(demo.play(actor, key, until))
    total = sum(demo.outcomes.values())
    print(f"Done: {total} calls. What they were and what they cost: {base}/ui/")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long (180)")
    parser.add_argument("--pace", type=float, default=1.0, help="2 is twice as busy")
    parser.add_argument("--url", default="", help="the gateway (this machine's)")
    options = parser.parse_args(arguments)
    try:
        config = conf.load()
        base = (options.url or f"http://127.0.0.1:{config.port}").rstrip("/")
        if not config.master_key:
            raise BadSetting("there is no master key yet; start the gateway first: make run")
        asyncio.run(perform(base, config.master_key, options.seconds, options.pace))
    except BadSetting as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except aiohttp.ClientConnectorError:
        print(f"demo: no gateway answers on {base}; start it first: make run", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
