"""A grant calls as its key: no wider, no longer, and only from the dashboard's own address."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway_project.clock import now_ms
from keys_app.grants import make_grant
from tests.proxy_app.harness import Gateway, asked, completion


@pytest.fixture
def gate(make_gateway) -> Gateway:
    async def script(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=completion())

    return make_gateway(script)


def grant(key: str = "key-1", user: str = "user-1", at_ms: int | None = None) -> str:
    return make_grant(key, user, "alice", now_ms() if at_ms is None else at_ms)


async def ask(gate: Gateway, text: str, **more: Any) -> Any:
    return await gate.ask(asked(), key=text, **more)


async def test_it_calls_as_the_key_and_is_told_apart(gate: Gateway) -> None:
    headers = {"user-agent": "Mozilla/5.0", "origin": "http://gate.test", "host": "gate.test"}
    assert (await ask(gate, grant(), headers=headers)).status == 200
    [end] = gate.ends
    assert (end.caller.key_id, end.caller.service_id) == ("key-1", "service-1")
    assert end.caller.client == "playground"
    assert end.caller.tags == ("playground by alice",)


@pytest.mark.parametrize(
    "text",
    [
        grant(at_ms=now_ms() - 61_000),
        grant(key="key-2"),
        grant(user="user-2"),
        grant()[:-4] + "AAAA",
        "gr-gh-nonsense",
    ],
)
async def test_one_that_is_over_forged_or_for_nobody_is_refused(gate: Gateway, text: str) -> None:
    assert (await ask(gate, text)).status == 401
    assert gate.ends == []


async def test_a_key_made_a_moment_ago_is_looked_for_once_more(gate: Gateway) -> None:
    whole = gate.keeper.current
    gate.keeper.current, gate.keeper.on_miss = replace(whole, keys={}), whole
    assert (await ask(gate, grant())).status == 200
    assert gate.keeper.refreshes == 1


async def test_a_forged_grant_costs_the_database_nothing(gate: Gateway) -> None:
    assert (await ask(gate, grant()[:-4] + "AAAA")).status == 401
    assert gate.keeper.refreshes == 0


async def test_it_ends_with_its_person_and_with_its_key(gate: Gateway) -> None:
    picture = gate.keeper.current
    person = replace(picture.users["user-1"], is_active=False)
    gate.keeper.current = replace(picture, users={"user-1": person})
    assert (await ask(gate, grant())).status == 401
    [(secret_hash, key)] = picture.keys.items()
    gate.keeper.current = replace(picture, keys={secret_hash: replace(key, blocked=True)})
    assert (await ask(gate, grant())).status == 401


async def test_another_sites_script_cannot_use_it(gate: Gateway) -> None:
    for origin in ("https://evil.test", "null", "http://gate.test:81"):
        answer = await ask(gate, grant(), headers={"origin": origin, "host": "gate.test"})
        assert answer.status == 401
    assert gate.ends == []


async def test_it_is_never_wider_than_the_key(gate: Gateway) -> None:
    [(secret_hash, key)] = gate.keeper.current.keys.items()
    narrow = replace(key, models_allowed=("other",), endpoints_allowed=("chat.completions",))
    gate.keeper.current = replace(gate.keeper.current, keys={secret_hash: narrow})
    assert (await ask(gate, grant())).status == 403
    assert (await ask(gate, grant(), path="/v1/embeddings")).status == 403
