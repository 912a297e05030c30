"""A call that is stopped from outside: its caller is told in its own dialect, its cost is kept."""

import asyncio

import httpx

from gateway_project.lifespan import _stopper
from tests.proxy_app.harness import STREAM, asked, chunk, streamed
from usage_app.live_stopping import Wish
from usage_app.sight import EVERYTHING, Sight


def wish(**meant: str) -> dict:
    from dataclasses import asdict

    return asdict(Wish.within(EVERYTHING, **meant))


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_a_stopped_stream_ends_with_an_error_event_and_is_charged_what_came(make_gateway):
    never = asyncio.Event()
    pieces = [STREAM[0], *[chunk({"content": "word "}) for _ in range(40)], never]

    async def script(request: httpx.Request) -> httpx.Response:
        return streamed(pieces)

    gate = make_gateway(script)
    asking = asyncio.create_task(gate.ask(asked(stream=True)))
    await until(lambda: any(call.phase == "streaming" for call in gate.services.registry.calls.values()))
    (call,) = gate.services.registry.calls.values()
    assert _stopper(gate.services)(wish(call_id=call.id)) == 1
    answer = await asking
    assert answer.events[-1]["error"]["code"] == "call_stopped"
    assert "[DONE]" not in answer.events
    assert all(not (event.get("choices") or [{}])[0].get("finish_reason") for event in answer.events[:-1])
    (end,) = gate.ends
    assert (end.status, end.error_code) == ("cancelled", "call_stopped")
    assert end.cost_nanodollars


async def test_a_plain_call_that_is_waiting_is_stopped_too(make_gateway):
    never = asyncio.Event()

    async def script(request: httpx.Request) -> httpx.Response:
        await never.wait()
        raise AssertionError

    gate = make_gateway(script)
    asking = asyncio.create_task(gate.ask(asked()))
    await until(lambda: any(call.phase == "connecting" for call in gate.services.registry.calls.values()))
    assert _stopper(gate.services)(wish(service_id="service-1")) == 1
    answer = await asking
    assert answer.json()["error"]["code"] == "call_stopped"
    assert gate.ends[0].error_code == "call_stopped"
    assert not gate.services.registry.calls


async def test_a_stranger_s_wish_stops_nothing(make_gateway):
    gate = make_gateway(lambda _: None)
    from dataclasses import asdict

    assert _stopper(gate.services)(asdict(Wish.within(Sight(user_id="carol"), service_id="service-1"))) == 0
