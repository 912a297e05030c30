"""Four workers, PostgreSQL and Redis: what is decided holds under any concurrency, to the nanodollar."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from aiohttp import web
from redis import Redis

from tests.mocking import OwnUpstream
from tests.serving import Serving

pytestmark = pytest.mark.services

DATABASE = os.environ.get("GATEHOUSE_TEST_DATABASE_URL", "")
REDIS = os.environ.get("GATEHOUSE_TEST_REDIS_URL", "redis://127.0.0.1:6379/7")
WORKERS = 4
DOLLAR = 10**9
#: $1,000 a million: 100 tokens of output cost $0.10, 10 cost $0.01; input is free, so a hold is exact.
CONFIG = """
providers: [{name: mock, kind: openai_compatible, base_url: "%s/v1", credential: none, may_be_private: true}]
models:
  - name: mock
    deployments: [{provider: mock, model: mock, price: {input: 0, output: 1000}}]
"""


class Upstream:
    """Answers as the prompt says: how many tokens, and how it ends. Counts what reached it, by prompt."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        name, how, tokens = body["messages"][-1]["content"].split(":")
        self.seen[name] = self.seen.get(name, 0) + 1
        await asyncio.sleep(0.05)
        match how:
            case "error":
                return web.json_response({"error": {"message": "no", "type": "server_error"}}, status=500)
            case "bad":
                return web.json_response({"error": {"message": "bad", "type": "x"}}, status=400)
            case "hang":
                await asyncio.sleep(60)
        return web.json_response(
            {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "mock",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "x"},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {
                    "prompt_tokens": 1,
                    "completion_tokens": int(tokens),
                    "total_tokens": 1 + int(tokens),
                },
            }
        )


class House:
    """The server under test, its upstream, and calls to it."""

    def __init__(self, server: Serving, upstream: Upstream) -> None:
        self.server = server
        self.upstream = upstream

    def call(self, key: str, name: str, how: str = "ok", tokens: int = 100, **body: Any) -> tuple[int, Any]:
        asked = {
            "model": "mock",
            "messages": [{"role": "user", "content": f"{name}:{how}:{tokens}"}],
            "max_tokens": 100,
            **body,
        }
        try:
            status, headers, answer = self.server.call("POST", "/v1/chat/completions", asked, key=key)
        except OSError:
            return 0, {}
        code = answer["error"]["code"] if isinstance(answer, dict) and "error" in answer else ""
        return status, code or headers

    def at_once(self, count: int, key: str, name: str, **options: Any) -> list[tuple[int, Any]]:
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _number: self.call(key, name, **options), range(count)))

    def budget(self, key: str) -> dict[str, Any]:
        """The key's own view of its budget, once nothing is held."""
        give_up = time.monotonic() + 30
        while True:
            policy = self.server.call("GET", "/api/v1/key", key=key)[2]["policy"]
            (level,) = [one for one in policy["levels"] if one["kind"] == "budget"]
            if not level["held"] or time.monotonic() > give_up:
                return dict(level) | {"is_live": policy["is_live"]}
            time.sleep(0.1)

    def ledger_spend(self, budget_id: str) -> int:
        with psycopg.connect(self.database) as connection:
            row = connection.execute(
                "SELECT sum(spent_nanodollars) FROM usage_app_budgetspend WHERE budget_id = %s", [budget_id]
            ).fetchone()
        return int(row[0] or 0) if row else 0

    database: str = ""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    assert DATABASE, "set GATEHOUSE_TEST_DATABASE_URL"
    parts = urlsplit(DATABASE)
    name = f"races_{uuid.uuid4().hex[:12]}"
    admin = parts._replace(path="/postgres").geturl()
    own = parts._replace(path=f"/{name}").geturl()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    clean_redis()
    upstream = Upstream()
    environment = {
        "GATEHOUSE_DATABASE_URL": own,
        "REDIS_URL": REDIS,
        "GATEHOUSE_WORKERS": str(WORKERS),
        "GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS": "on",
    }
    try:
        with OwnUpstream(upstream.answer) as running:
            config = CONFIG % running.base_url
            data: Path = tmp_path_factory.mktemp("races") / "data"
            with Serving(config_yaml=config, environment=environment, data=data) as server:
                served = House(server, upstream)
                served.database = own
                yield served
    finally:
        clean_redis()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def clean_redis() -> None:
    with Redis.from_url(REDIS) as client:
        for key in client.scan_iter("{gatehouse}:limits*"):
            client.unlink(key)


def new_key(house: House, **fields: Any) -> tuple[str, str]:
    """Secret and the id of its one budget."""
    status, _headers, made = house.server.call("POST", "/api/v1/keys/", {"name": "race", **fields})
    assert status == 201, made
    return made["key"], made["budgets"][0]["id"] if made["budgets"] else ""


def test_fifty_at_once_on_a_dollar_at_ten_cents_are_ten(house: House) -> None:
    key, budget_id = new_key(house, budgets=[{"amount_usd": "1", "period": "total"}])
    answers = house.at_once(50, key, "tens")
    assert [status for status, _told in answers].count(200) == 10
    assert {told for status, told in answers if status != 200} == {"budget_exceeded"}
    assert house.upstream.seen["tens"] == 10
    level = house.budget(key)
    assert (level["spent"], level["held"], level["left"], level["is_live"]) == (DOLLAR, 0, 0, True)
    wait_for(lambda: house.ledger_spend(budget_id) == DOLLAR)


def test_cheap_calls_one_after_the_other_use_the_budget_to_its_end(house: House) -> None:
    key, _budget_id = new_key(house, budgets=[{"amount_usd": "1", "period": "total"}])
    passed = 0
    for _turn in range(110):
        status, _told = house.call(key, "cents", tokens=10)
        if status != 200:
            break
        passed += 1
    assert passed >= 99
    assert house.budget(key)["spent"] == passed * DOLLAR // 100


def test_fifty_cheap_calls_at_once_are_refused_only_where_everything_is_held(house: House) -> None:
    key, _budget_id = new_key(house, budgets=[{"amount_usd": "6", "period": "total"}])
    answers = house.at_once(50, key, "cheap", tokens=10)
    assert {status for status, _told in answers} == {200}  # 50 holds of $0.10 are $5
    assert house.budget(key)["spent"] == 50 * DOLLAR // 100


def test_ten_a_minute_are_ten_over_all_workers(house: House) -> None:
    key, _none = new_key(house, limits={"requests_per_minute": 10})
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _n: house.call(key, "rate", tokens=1), range(100)))
    assert [status for status, _told in answers].count(200) == 10
    assert {told for status, told in answers if status != 200} == {"rate_limit_exceeded"}
    assert house.upstream.seen["rate"] == 10


def test_however_calls_end_nothing_stays_held_and_the_counter_is_the_ledger(house: House) -> None:
    key, budget_id = new_key(house, budgets=[{"amount_usd": "1000", "period": "total"}])
    endings = ["ok", "error", "bad", "leave"] * 50

    def one(how: str) -> None:
        if how == "leave":
            leave_early(house, key)
        else:
            house.call(key, "mixed", how, tokens=7)

    with ThreadPoolExecutor(24) as threads:
        hanging = [threads.submit(house.call, key, "killed", "hang") for _n in range(4)]
        wait_for(lambda: house.upstream.seen.get("killed", 0) == 4)
        list(threads.map(one, endings))
        for worker in workers_of(house.server):
            os.kill(worker, signal.SIGKILL)
        assert {call.result()[0] for call in hanging} <= {0, 502, 503}
    house.server.wait_ready()
    level = house.budget(key)
    assert level["held"] == 0
    assert level["calls_in_flight"] == 0
    wait_for(lambda: house.ledger_spend(budget_id) == house.budget(key)["spent"])
    assert house.budget(key)["spent"] > 0


def leave_early(house: House, key: str) -> None:
    try:
        house.server.call(
            "POST",
            "/v1/chat/completions",
            {"model": "mock", "messages": [{"role": "user", "content": "mixed:ok:3"}], "max_tokens": 5},
            key=key,
            timeout_s=0.01,
        )
    except OSError:
        pass


def workers_of(server: Serving) -> list[int]:
    """The processes that take calls: gunicorn's children, which the database has among the living."""
    with psycopg.connect(server.environment["GATEHOUSE_DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT pid FROM keys_app_workerprocess WHERE admits").fetchall()
    return [int(pid) for (pid,) in rows if Path(f"/proc/{pid}").exists()]


def wait_for(condition: Any, patience_s: float = 30.0) -> None:
    give_up = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.05)
