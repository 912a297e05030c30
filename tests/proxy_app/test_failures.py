"""What a call becomes when something on its way fails."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from gateway_project.errors import UpstreamRefused
from proxy_app.catalogue import FallbackEntry
from proxy_app.health import MOST, Health
from proxy_app.planning import Cooling
from tests.proxy_app.harness import (
    DONE,
    STREAM,
    asked,
    chunk,
    completion,
    deployment,
    model,
    streamed,
    usage_chunk,
)


def failing(status: int, **headers: str) -> httpx.Response:
    body = {"error": {"message": "no luck", "type": "server_error", "code": None}}
    return httpx.Response(status, json=body, headers=headers)


def by_host(**answers):
    """A script that answers by the provider's name; callables are called."""
    seen: list[str] = []

    async def script(request: httpx.Request) -> httpx.Response:
        name = request.url.host.split(".")[0]
        seen.append(name)
        answer = answers[name]
        return answer(request) if callable(answer) else answer

    script.seen = seen
    return script


def in_order(*names: str, **timeouts: float):
    return model("gpt", *(deployment(name, order=place, **timeouts) for place, name in enumerate(names, 1)))


def refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


BEFORE_CONTENT = {
    "429": lambda _: failing(429, **{"retry-after": "1"}),
    "500": lambda _: failing(500),
    "529": lambda _: failing(529),
    "connect": refuse_connection,
    "credential": lambda _: failing(401),
    "bad json": lambda _: httpx.Response(200, content=b"<html>"),
    "in-band error": lambda _: streamed([b'data: {"error": {"message": "overloaded", "type": "x"}}\n\n']),
    "broken off": lambda _: streamed([chunk({"role": "assistant", "content": ""}), chunk({}, "error"), DONE]),
    "cut before content": lambda _: streamed([chunk({"role": "assistant", "content": ""})]),
}


@pytest.mark.parametrize("cause", [name for name in BEFORE_CONTENT if name not in ("bad json",)])
async def test_a_stream_that_fails_before_content_goes_on_to_the_next_deployment(make_gateway, cause):
    script = by_host(alpha=BEFORE_CONTENT[cause], beta=lambda _: streamed(STREAM))
    gate = make_gateway(script, in_order("alpha", "beta"))
    answer = await gate.ask(asked(stream=True))
    assert answer.status == 200 and answer.events[-1] == "[DONE]"
    assert [event["choices"][0]["delta"].get("role") for event in answer.events[:-1]].count("assistant") == 1
    (end,) = gate.ends
    assert end.status == "ok" and end.deployment == "beta/gpt-test"
    assert [attempt.status for attempt in end.attempts] == ["error", "ok"]
    assert [attempt.number for attempt in gate.attempts] == [1, 2]


@pytest.mark.parametrize("cause", ["429", "500", "529", "connect", "credential", "bad json"])
async def test_a_plain_call_that_fails_goes_on_to_the_next_deployment(make_gateway, cause):
    script = by_host(alpha=BEFORE_CONTENT[cause], beta=lambda _: httpx.Response(200, json=completion()))
    gate = make_gateway(script, in_order("alpha", "beta"))
    answer = await gate.ask(asked())
    assert answer.status == 200 and answer.headers["x-gatehouse-attempts"] == "2"
    assert gate.ends[0].cost_nanodollars == 32000


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("word", ["error", "insufficient_system_resource", "abort"])
async def test_an_answer_that_was_broken_off_goes_on_to_the_next_deployment(make_gateway, path, word):
    broken = completion()
    broken["choices"][0]["finish_reason"] = word
    script = by_host(
        alpha=lambda _: httpx.Response(200, json=broken),
        beta=lambda _: httpx.Response(200, json=completion()),
    )
    gate = make_gateway(script, in_order("alpha", "beta"))
    body = asked(max_tokens=9)
    answer = await gate.ask(body, path=path)
    assert answer.status == 200 and answer.headers["x-gatehouse-attempts"] == "2"
    assert [attempt.status for attempt in gate.ends[0].attempts] == ["error", "ok"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_an_answer_that_was_broken_off_after_its_beginning_ends_in_an_error(make_gateway, path):
    pieces = [chunk({"content": "Hello"}), chunk({}, "error"), usage_chunk(), DONE]
    gate = make_gateway(by_host(alpha=lambda _: streamed(pieces)), in_order("alpha"))
    answer = await gate.ask(asked(stream=True, max_tokens=9), path=path)
    assert answer.status == 200 and "broke off its answer (error)" in answer.events[-1]["error"]["message"]
    (end,) = gate.ends
    assert (end.status, end.finish_reason, end.error_code) == ("error", "", "upstream_refused")
    assert end.tokens.output_tokens == 5


async def test_a_body_with_half_a_character_is_refused_before_anybody_is_asked(make_gateway):
    script = by_host(alpha=lambda _: httpx.Response(200, json=completion()))
    gate = make_gateway(script, in_order("alpha"))
    said = {"model": "gpt", "max_tokens": 9, "messages": [{"role": "user", "content": "x\ud83d y"}]}
    for path in ("/v1/chat/completions", "/v1/messages"):
        answer = await gate.ask(json.dumps(said).encode(), path=path)
        assert answer.status == 400 and "not valid JSON" in answer.json()["error"]["message"]
    assert script.seen == []


async def test_a_reason_that_nobody_knows_stands_in_the_ledger_as_it_was_told(make_gateway):
    odd = completion()
    odd["choices"][0]["finish_reason"] = "something_new"
    gate = make_gateway(by_host(alpha=lambda _: httpx.Response(200, json=odd)), in_order("alpha"))
    told = (await gate.ask(asked(max_tokens=9), path="/v1/messages")).json()
    assert told["stop_reason"] == "end_turn"
    assert (gate.ends[0].status, gate.ends[0].finish_reason) == ("ok", "something_new")


async def test_when_all_deployments_fail_the_fallback_model_answers(make_gateway):
    script = by_host(alpha=BEFORE_CONTENT["500"], beta=lambda _: httpx.Response(200, json=completion()))
    gate = make_gateway(
        script,
        model("gpt", deployment("alpha"), fallbacks=(FallbackEntry("any", "spare"),)),
        model("spare", deployment("beta")),
    )
    answer = await gate.ask(asked())
    assert answer.status == 200 and answer.headers["x-gatehouse-model"] == "spare"
    (end,) = gate.ends
    assert (end.model, end.served_model) == ("gpt", "spare")
    assert end.decision["fallbacks"][0]["model"] == "spare"


async def test_a_fallback_the_key_may_not_use_is_not_taken(make_gateway):
    script = by_host(alpha=BEFORE_CONTENT["500"], beta=lambda _: httpx.Response(200, json=completion()))
    gate = make_gateway(
        script,
        model("gpt", deployment("alpha"), fallbacks=(FallbackEntry("any", "spare"),)),
        model("spare", deployment("beta")),
        models_allowed=("gpt",),
    )
    assert (await gate.ask(asked())).status == 500
    assert script.seen == ["alpha"]


async def test_too_long_an_input_goes_to_the_model_named_for_that(make_gateway):
    def too_long(_):
        error = {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}
        return httpx.Response(400, json={"error": error})

    script = by_host(alpha=too_long, beta=lambda _: httpx.Response(200, json=completion()))
    gate = make_gateway(
        script,
        model("gpt", deployment("alpha"), fallbacks=(FallbackEntry("context_window", "long"),)),
        model("long", deployment("beta")),
    )
    assert (await gate.ask(asked())).headers["x-gatehouse-model"] == "long"


async def test_a_callers_own_mistake_is_passed_on_and_never_retried(make_gateway):
    def mistake(_):
        return httpx.Response(400, json={"error": {"message": "bad temperature", "param": "temperature"}})

    script = by_host(alpha=mistake, beta=lambda _: httpx.Response(200, json=completion()))
    gate = make_gateway(script, in_order("alpha", "beta"))
    answer = await gate.ask(asked())
    assert answer.status == 400 and "bad temperature" in answer.json()["error"]["message"]
    assert script.seen == ["alpha"]
    assert not gate.services.health.cooling
    assert (gate.ends[0].status, gate.ends[0].cost_nanodollars) == ("error", 0)


async def test_a_refused_credential_is_the_gateways_fault_not_the_callers(make_gateway):
    gate = make_gateway(by_host(alpha=BEFORE_CONTENT["credential"]))
    answer = await gate.ask(asked())
    assert answer.status == 502 and answer.json()["error"]["code"] == "credential_refused"


async def test_a_cut_after_content_is_an_error_event_and_no_false_finish(make_gateway):
    gate = make_gateway(by_host(alpha=lambda _: streamed(STREAM[:3])), in_order("alpha"))
    answer = await gate.ask(asked(stream=True))
    assert answer.status == 200
    assert "error" in answer.events[-1] and "[DONE]" not in answer.events
    assert all(event["choices"][0]["finish_reason"] is None for event in answer.events[:-1])
    (end,) = gate.ends
    assert (end.status, end.usage_source, end.error_code) == ("truncated", "estimate", "upstream_cut")
    assert end.cost_nanodollars == 0  # a failed provider is owed what it reported: nothing


async def test_an_error_after_content_is_not_spliced_with_another_deployment(make_gateway):
    pieces = [*STREAM[:3], b'data: {"error": {"message": "overloaded"}}\n\n']
    script = by_host(alpha=lambda _: streamed(pieces), beta=lambda _: streamed(STREAM))
    gate = make_gateway(script, in_order("alpha", "beta"))
    answer = await gate.ask(asked(stream=True))
    assert script.seen == ["alpha"]
    assert "error" in answer.events[-1]
    assert gate.ends[0].status == "error"


@pytest.mark.parametrize("stream", [True, False])
async def test_silence_before_content_times_out_with_504(make_gateway, stream):
    async def script(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    limits = {"first_content_s": 0.05, "total_s": 0.05}
    gate = make_gateway(script, in_order("alpha", **limits))
    answer = await gate.ask(asked(stream=stream))
    assert answer.status == 504 and answer.json()["error"]["code"] == "upstream_timeout"


async def test_headers_without_content_time_out_and_the_next_deployment_answers(make_gateway):
    never = asyncio.Event()
    script = by_host(
        alpha=lambda _: streamed([chunk({"role": "assistant", "content": ""}), never]),
        beta=lambda _: streamed(STREAM),
    )
    gate = make_gateway(script, in_order("alpha", "beta", first_content_s=0.05))
    answer = await gate.ask(asked(stream=True))
    assert answer.events[-1] == "[DONE]"
    assert gate.ends[0].attempts[0].error_code == "upstream_timeout"


@pytest.mark.parametrize("headers_first", [True, False])
async def test_every_deployment_s_silence_ends_in_its_own_time(make_gateway, headers_first):
    never = asyncio.Event()

    async def script(request: httpx.Request) -> httpx.Response:
        if not headers_first:
            await never.wait()
        return streamed([chunk({"role": "assistant", "content": ""}), never])

    gate = make_gateway(script, in_order("alpha", "beta", "gamma", first_content_s=0.05))
    async with asyncio.timeout(5):
        answer = await gate.ask(asked(stream=True))
    assert answer.status == 504
    assert [attempt.error_code for attempt in gate.ends[0].attempts] == ["upstream_timeout"] * 3


async def test_silence_in_the_middle_is_an_error_event(make_gateway):
    never = asyncio.Event()
    gate = make_gateway(
        by_host(alpha=lambda _: streamed([*STREAM[:2], never])), in_order("alpha", idle_s=0.05)
    )
    answer = await gate.ask(asked(stream=True))
    assert "silent" in answer.events[-1]["error"]["message"]
    assert gate.ends[0].error_code == "upstream_timeout"


async def test_the_total_bounds_a_stream_that_never_ends(make_gateway):
    async def endless():
        while True:
            await asyncio.sleep(0.01)
            yield chunk({"content": "x"})

    class Endless(httpx.AsyncByteStream):
        def __aiter__(self):
            return endless()

    gate = make_gateway(
        by_host(alpha=lambda _: httpx.Response(200, stream=Endless())), in_order("alpha", total_s=0.1)
    )
    answer = await gate.ask(asked(stream=True))
    assert "longer than allowed" in answer.events[-1]["error"]["message"]


async def test_a_client_that_leaves_is_drained_for_the_true_usage_while_that_is_cheap(make_gateway):
    go_on = asyncio.Event()
    pieces = [*STREAM[:2], go_on, *STREAM[2:]]
    gate = make_gateway(by_host(alpha=lambda _: streamed(pieces)))
    asking = asyncio.create_task(gate.ask(asked(stream=True, max_tokens=100), leave_after=1))
    while gate.services.calls == {} or next(iter(gate.services.calls.values())).client_gone_ms is None:
        await asyncio.sleep(0.005)
    go_on.set()
    await asking
    (end,) = gate.ends
    assert (end.status, end.usage_source) == ("cancelled", "provider")
    assert end.cost_nanodollars == 32000 and end.error_code == "client_gone"


async def test_a_client_that_leaves_an_expensive_call_cancels_it_and_is_charged_an_estimate(make_gateway):
    never = asyncio.Event()
    gate = make_gateway(by_host(alpha=lambda _: streamed([*STREAM[:3], never])))
    await gate.ask(asked(stream=True, max_tokens=1_000_000), leave_after=1)
    (end,) = gate.ends
    assert (end.status, end.usage_source) == ("cancelled", "estimate")
    assert end.cost_nanodollars > 0 and end.tokens.output_tokens >= 1


def was_told_of_leaving(call) -> bool:
    return call.guard is not None and call.guard._client is not None and call.guard._client.done()


async def test_a_client_that_leaves_once_the_answer_is_whole_has_all_of_it(make_gateway):
    """The end is held back until the call is settled; the provider's own hanging on changes nothing."""
    go_on = asyncio.Event()
    gate = make_gateway(by_host(alpha=lambda _: streamed([*STREAM, go_on])))
    asking = asyncio.create_task(gate.ask(asked(stream=True), leave_after=len(STREAM) - 3))
    while not any(was_told_of_leaving(call) for call in gate.services.calls.values()):
        await asyncio.sleep(0.005)
    go_on.set()
    answer = await asking
    assert answer.events[-1] == "[DONE]"
    assert [(end.status, end.error_code) for end in gate.ends] == [("ok", "")]


async def test_a_provider_that_keeps_the_connection_after_its_answer_is_not_waited_for(
    make_gateway, monkeypatch
):
    monkeypatch.setattr("proxy_app.streaming.LINGER_S", 0.01)
    gate = make_gateway(by_host(alpha=lambda _: streamed([*STREAM, asyncio.Event()])))
    answer = await gate.ask(asked(stream=True))
    assert answer.events[-1] == "[DONE]"
    assert [(end.status, end.tokens.output_tokens) for end in gate.ends] == [("ok", 5)]


async def test_nothing_of_a_streams_end_goes_out_before_the_call_is_settled(make_gateway):
    gate = make_gateway(by_host(alpha=lambda _: streamed(STREAM)))
    rows_at_each_piece: list[int] = []

    async def send(message):
        if message.get("body"):
            rows_at_each_piece.append(len(gate.ends))

    await gate.ask(asked(stream=True), on_send=send)
    assert rows_at_each_piece[0] == 0 and rows_at_each_piece[-1] == 1


async def test_a_client_that_leaves_a_plain_call_gets_exactly_one_row(make_gateway):
    left = asyncio.Event()
    answered = asyncio.Event()

    async def script(request: httpx.Request) -> httpx.Response:
        left.set()
        await answered.wait()
        return httpx.Response(200, json=completion())

    gate = make_gateway(script)
    asking = asyncio.create_task(gate.ask(asked(max_tokens=50), leave_when=left))
    while not any(call.client_gone_ms for call in gate.services.calls.values()):
        await asyncio.sleep(0.005)
    answered.set()
    answer = await asking
    assert answer.status == 0
    assert [(end.status, end.cost_nanodollars) for end in gate.ends] == [("cancelled", 32000)]


async def test_an_sdks_retry_cancels_the_original_that_nobody_waits_for(make_gateway):
    never = asyncio.Event()
    answers = iter([streamed([*STREAM[:2], never]), streamed(STREAM)])
    gate = make_gateway(by_host(alpha=lambda _: next(answers)))
    body = asked(stream=True, max_tokens=100)
    first = asyncio.create_task(gate.ask(body, leave_after=1))
    while not gate.services.abandoned:
        await asyncio.sleep(0.005)
    again = await gate.ask(body, headers={"x-stainless-retry-count": "1"})
    await first
    assert again.events[-1] == "[DONE]"
    assert sorted(end.status for end in gate.ends) == ["cancelled", "ok"]


async def test_a_worker_that_drains_ends_streams_with_an_error_event(make_gateway):
    from gateway_project.lifespan import _end_calls

    never = asyncio.Event()
    gate = make_gateway(by_host(alpha=lambda _: streamed([*STREAM[:2], never])))
    asking = asyncio.create_task(gate.ask(asked(stream=True)))
    while not any(call.committed for call in gate.services.calls.values()):
        await asyncio.sleep(0.005)
    _end_calls(gate.services)
    answer = await asking
    assert answer.events[-1]["error"]["code"] == "draining"
    assert gate.ends[0].status == "cancelled"


async def test_cooling_deployments_are_left_out_with_their_reason(make_gateway):
    import time

    script = by_host(beta=lambda _: httpx.Response(200, json=completion()))
    gate = make_gateway(script, in_order("alpha", "beta"))
    gate.services.health.cooling["deployment-alpha"] = Cooling(time.monotonic() + 30, "429")
    await gate.ask(asked())
    reasons = {entry["deployment"]: entry["reason"] for entry in gate.ends[0].decision["candidates"]}
    assert "cooling down" in reasons["alpha/gpt-test"]


async def test_a_model_of_a_wildcard_cools_down_alone(make_gateway):
    async def script(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["model"] == "busy":
            return httpx.Response(
                429, json={"error": {"message": "slow down"}}, headers={"retry-after": "30"}
            )
        return httpx.Response(200, json=completion())

    every = replace(deployment("alpha"), upstream_model="*")
    gate = make_gateway(script, model("some/*", every))
    assert (await gate.ask(asked(model="some/busy"))).status == 429
    assert (await gate.ask(asked(model="some/idle"))).status == 200
    again = await gate.ask(asked(model="some/busy"))
    assert again.status == 503 and again.json()["error"]["code"] == "no_deployment"
    assert list(gate.services.health.cooling) == [f"{every.id}:busy"]


def test_what_callers_name_cannot_fill_the_memory_of_health():
    health = Health()
    for number in range(MOST + 50):
        health.failed(f"d:{number}", UpstreamRefused(status=429, can_retry=True), 0.0)
    assert len(health.cooling) == len(health._records) == MOST


async def test_when_all_are_cooling_the_caller_is_told_when_to_come_back(make_gateway):
    import time

    gate = make_gateway(by_host(), in_order("alpha"))
    gate.services.health.cooling["deployment-alpha"] = Cooling(time.monotonic() + 7, "429")
    answer = await gate.ask(asked())
    assert answer.status == 503 and 1 <= int(answer.headers["retry-after"]) <= 8


async def test_usage_in_a_chunk_with_choices_counts_the_same(make_gateway):
    final = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5},
    }
    with_choices = [*STREAM[:3], b"data: " + json.dumps(final).encode() + b"\n\n", DONE]
    costs = []
    for pieces in (STREAM, with_choices, [*STREAM[:4], usage_chunk(), DONE]):
        gate = make_gateway(by_host(alpha=lambda _, pieces=pieces: streamed(pieces)))
        answer = await gate.ask(asked(stream=True))
        assert not any(event != "[DONE]" and event.get("usage") for event in answer.events)
        costs.append((gate.ends[0].cost_nanodollars, gate.ends[0].tokens.output_tokens))
    assert set(costs) == {(32000, 5)}


async def test_every_ending_leaves_no_call_behind(make_gateway):
    script = by_host(alpha=BEFORE_CONTENT["500"])
    gate = make_gateway(script)
    for body in (asked(), asked(stream=True), b"nonsense"):
        await gate.ask(body)
    assert gate.services.calls == {} and gate.services.registry.calls == {}
    assert gate.services.metrics.in_flight == 0
