"""What users of gateways suffer from, each pain before every pair of a caller's format and a provider's.

The numbers are those of the list of pains; what is asserted is what the caller receives.
"""

import asyncio
from typing import Any

import pytest

from tests.proxy_app.pairs.pairing import (
    DOLLARS,
    every_pair,
    next_format,
    open_pair,
    plain_and_streamed,
    put_under_budget,
)
from tests.proxy_app.pairs.providing import Provider, written
from tests.proxy_app.pairs.speaking import question, where
from tests.proxy_app.test_budgets import spent_and_held
from tests.upstream.script import ScriptedUsage
from tests.upstream.wire import Quirks

#: Failures that show nothing of an answer. A plain call has no first content to wait for.
BEFORE_CONTENT = ("429", "500", "529", "connect", "inband-first", "badjson-first", "cut-first", "stall-first")
AFTER_CONTENT = ("inband", "badjson", "cut", "reset", "stall-mid")


def told(usage: ScriptedUsage) -> tuple[int, int, int, int]:
    """The usage of a script as a caller must hear it."""
    return usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens


def price(upstream: str, usage: ScriptedUsage) -> float:
    """Dollars; Gemini tells nothing of what it writes to its cache."""
    written_tokens = 0 if upstream == "gemini" else usage.cache_write_tokens
    uncached = usage.input_tokens - usage.cache_read_tokens - written_tokens
    cost = uncached * DOLLARS["input"] + usage.cache_read_tokens * DOLLARS["cache_read"]
    cost += written_tokens * DOLLARS["cache_write"] + usage.output_tokens * DOLLARS["output"]
    return round(cost / 1e6, 9)


# ---------------------------------------------------------------- 1, 2, 3: money


@every_pair
async def test_1_a_stream_is_counted_as_the_plain_answer_is(make_gateway, inbound, upstream):
    rows = []
    for stream, quirks in ((False, Quirks()), (True, Quirks()), (True, Quirks(usage_with_choices=True))):
        provider = Provider(upstream, quirks=quirks)
        pair = open_pair(make_gateway, inbound, provider)
        heard = await pair.ask(stream)
        assert heard.usage == told(provider.script.usage)
        [end] = pair.gate.ends
        rows.append((end.tokens, end.cost_nanodollars, end.usage_source))
    assert rows[0] == rows[1] == rows[2] and rows[0][1] > 0 and rows[0][2] == "provider"


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses", "anthropic", "gemini"])
async def test_1_who_asks_for_no_usage_gets_none_and_is_counted_all_the_same(make_gateway, upstream):
    provider = Provider(upstream)
    pair = open_pair(make_gateway, "openai_chat", provider)
    body = question("openai_chat", True)
    del body["stream_options"]
    answer = await pair.gate.ask(body, **where("openai_chat", True))
    assert answer.events[-1] == "[DONE]" and not any(event.get("usage") for event in answer.events[:-1])
    [end] = pair.gate.ends
    assert end.tokens.output_tokens == provider.script.usage.output_tokens and end.cost_nanodollars > 0


@every_pair
@plain_and_streamed
async def test_2_cached_tokens_are_told_and_priced_as_what_they_are(make_gateway, inbound, upstream, stream):
    provider = Provider(upstream, "cached")
    pair = open_pair(make_gateway, inbound, provider)
    heard = await pair.ask(stream, headers={"x-gatehouse-usage": "cost"})
    usage = provider.script.usage
    assert heard.usage == told(usage) and usage.cache_read_tokens > 1000
    assert heard.cost == price(upstream, usage)
    if not stream:
        assert float(pair.answers[0].headers["x-gatehouse-cost"]) == price(upstream, usage)


@every_pair
@pytest.mark.parametrize("most", [100, 1_000_000], ids=["drained", "cancelled"])
async def test_3_a_caller_that_leaves_a_stream_is_one_row_with_a_cost(make_gateway, inbound, upstream, most):
    """Cheap, it is drained for its true usage; dear, it is cancelled and estimated."""
    go_on = asyncio.Event()
    frames = written(upstream, "hello")
    middle = len(frames) // 2
    pieces = [frame.raw for frame in frames]
    provider = Provider(upstream, pieces=[*pieces[:middle], go_on, *pieces[middle:]])
    pair = open_pair(make_gateway, inbound, provider)
    await put_under_budget(pair.gate)
    asking = asyncio.create_task(pair.ask(True, most=most, how={"leave_after": 1}))
    calls = pair.gate.services.calls
    while not asking.done() and not any(call.client_gone_ms for call in calls.values()):
        await asyncio.sleep(0.001)
    assert asking.done() or (await spent_and_held(pair.gate))[1] > 0
    go_on.set() if most == 100 else None
    heard = await asking
    assert heard.finish is None and not heard.ended
    [end] = pair.gate.ends
    assert end.status == "cancelled" and end.cost_nanodollars > 0 and end.tokens.output_tokens > 0
    assert end.usage_source == ("provider" if most == 100 else "estimate")
    assert not calls and not pair.gate.services.abandoned
    assert await spent_and_held(pair.gate) == (end.cost_nanodollars, 0)


@every_pair
@plain_and_streamed
async def test_3_a_caller_that_leaves_before_any_answer_is_one_row(make_gateway, inbound, upstream, stream):
    left = asyncio.Event()
    provider = Provider(upstream, fault="headers")
    pair = open_pair(make_gateway, inbound, provider)
    await put_under_budget(pair.gate)
    body = question(inbound, stream, most=1_000_000)
    sent = {"leave_when": left, **where(inbound, stream)}
    asking = asyncio.create_task(pair.gate.ask(body, **sent))
    while not provider.seen:
        await asyncio.sleep(0.001)
    assert (await spent_and_held(pair.gate))[1] > 0
    left.set()
    answer = await asking
    assert answer.status == 0 and not answer.body and provider.freed
    [end] = pair.gate.ends
    assert (end.status, end.error_code) == ("cancelled", "client_gone") and end.cost_nanodollars > 0
    assert await spent_and_held(pair.gate) == (end.cost_nanodollars, 0)


# ---------------------------------------------------------------- 26, 27, 28: streams that fail


@every_pair
@plain_and_streamed
@pytest.mark.parametrize("fault", BEFORE_CONTENT)
async def test_26_a_failure_before_content_is_never_seen(make_gateway, inbound, upstream, stream, fault):
    if not stream and fault == "stall-first":
        return
    alpha, beta = Provider(upstream, fault=fault), Provider(next_format(upstream))
    # Short only where it is waited for: a slow machine answers later than that, too.
    limits = {"first_content_s": 0.5} if fault == "stall-first" else {}
    pair = open_pair(make_gateway, inbound, alpha, beta, **limits)
    heard = await pair.ask(stream)
    assert (heard.status, heard.text, heard.finish) == (200, beta.script.text, "stop")
    assert heard.starts == 1 and heard.ended and heard.error is None
    [end] = pair.gate.ends
    assert [attempt.status for attempt in end.attempts][-1] == "ok" and len(end.attempts) == len(
        pair.gate.attempts
    )
    assert end.attempts[0].status == "error" and end.deployment == "beta/gpt-test"


@every_pair
@plain_and_streamed
async def test_26_where_all_fail_before_content_the_status_tells(make_gateway, inbound, upstream, stream):
    for fault, statuses in (("429", {429}), ("529", {503, 529}), ("inband-first", {500, 502, 503, 529})):
        providers = Provider(upstream, fault=fault), Provider(next_format(upstream), fault=fault)
        pair = open_pair(make_gateway, inbound, *providers)
        heard = await pair.ask(stream)
        assert heard.status in statuses and heard.error
        assert all(provider.seen for provider in providers)


@every_pair
@pytest.mark.parametrize("fault", AFTER_CONTENT)
async def test_27_a_failure_after_content_is_an_error_and_no_finish(make_gateway, inbound, upstream, fault):
    """Nor is it spliced with another provider's answer (26)."""
    alpha, beta = Provider(upstream, fault=fault), Provider(next_format(upstream))
    limits = {"idle_s": 0.5} if fault == "stall-mid" else {}
    pair = open_pair(make_gateway, inbound, alpha, beta, **limits)
    heard = await pair.ask(True)
    assert heard.status == 200 and heard.error and heard.error["message"]
    assert heard.finish is None and not heard.ended
    assert heard.text and alpha.script.text.startswith(heard.text) and not beta.seen
    [end] = pair.gate.ends
    cut = fault in ("cut", "reset")
    assert end.status == ("truncated" if cut else "error")
    assert end.usage_source == "estimate" or not cut


@every_pair
async def test_28_every_word_goes_out_before_the_next_one_comes(make_gateway, inbound, upstream):
    heard = asyncio.Event()
    provider = Provider(upstream, paced=heard)
    pair = open_pair(make_gateway, inbound, provider)

    async def on_send(message: dict[str, Any]) -> None:
        if message.get("body"):
            heard.set()

    told = await pair.ask(True, how={"on_send": on_send})
    assert told.text == provider.script.text and told.ended


@every_pair
@pytest.mark.parametrize("silence", ["headers", "stall-first", "stall-mid", "plain"])
async def test_28_every_silence_ends_in_its_own_time(make_gateway, inbound, upstream, silence):
    """The other limits are far away, so the one that ends it is the one that is set."""
    limits = {"headers": "first_content_s", "stall-first": "first_content_s", "stall-mid": "idle_s"}
    provider = Provider(upstream, fault="headers" if silence == "plain" else silence)
    pair = open_pair(make_gateway, inbound, provider, **{limits.get(silence, "total_s"): 0.03})
    async with asyncio.timeout(5):
        heard = await pair.ask(silence != "plain")
    assert heard.status == (200 if silence == "stall-mid" else 504)
    assert heard.error and heard.finish is None and not heard.ended and provider.freed
    assert pair.gate.ends[0].error_code == "upstream_timeout"
