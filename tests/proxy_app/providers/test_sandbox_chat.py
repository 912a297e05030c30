import pytest

from proxy_app.providers.sandbox.models import BEHAVIOURS
from tests.proxy_app.providers.sandbox_calls import CLOCK, Sleeps, ask, chat, plain, read, rebuilt, stream


async def test_an_answer_says_what_it_is_and_what_was_asked() -> None:
    body = await plain(chat("Why is the sea salty?"))
    choice = body["choices"][0]
    assert choice["message"]["content"].startswith("Sandbox: you asked “Why is the sea salty?”.")
    assert (choice["finish_reason"], body["object"], body["created"]) == ("stop", "chat.completion", CLOCK)


async def test_the_same_request_gets_the_same_answer_and_another_gets_another() -> None:
    first, again, other = await plain(chat("a")), await plain(chat("a")), await plain(chat("b"))
    assert first == again
    assert first["id"] != other["id"]
    assert first["choices"][0]["message"] != other["choices"][0]["message"]


@pytest.mark.parametrize(
    "model", ["sandbox", "sandbox/fast", "sandbox/chat", "sandbox/reasoning", "sandbox/long"]
)
async def test_a_stream_rebuilds_to_the_plain_answer(model: str) -> None:
    body = chat("Tell me about castles", model, stream_options={"include_usage": True})
    whole, events = await plain(body), await stream(body)
    message = {name: value for name, value in whole["choices"][0]["message"].items() if value is not None}
    assert rebuilt(events) == {"message": message, "finish_reason": "stop"}
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"] == []
    assert events[-2]["usage"] == whole["usage"]
    assert {event["id"] for event in events[:-1]} == {whole["id"]}


async def test_usage_is_streamed_only_when_asked_for() -> None:
    events = await stream(chat())
    assert not any("usage" in event for event in events[:-1])


async def test_usage_counts_four_bytes_a_token() -> None:
    body = await plain(chat("x" * 400))
    usage = body["usage"]
    text = body["choices"][0]["message"]["content"]
    assert usage["prompt_tokens"] == 104
    assert usage["completion_tokens"] == -(-len(text.encode()) // 4)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}


async def test_a_long_beginning_of_a_conversation_counts_as_cached() -> None:
    turns = [
        {"role": "system", "content": "s" * 6000},
        {"role": "user", "content": "and now?"},
    ]
    usage = (await plain(chat() | {"messages": turns}))["usage"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 1408}
    assert usage["prompt_tokens"] > 1408


async def test_reasoning_comes_first_and_is_counted_within_the_output() -> None:
    body = chat("think", "sandbox/reasoning", stream_options={"include_usage": True})
    events = await stream(body)
    keys = [next(iter(event["choices"][0]["delta"]), "") for event in events[:-2]]
    assert keys.index("reasoning_content") < keys.index("content")
    usage = events[-2]["usage"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


async def test_a_long_answer_has_about_two_thousand_tokens() -> None:
    usage = (await plain(chat("long", "sandbox/long")))["usage"]
    assert 1900 <= usage["completion_tokens"] <= 2200


async def test_max_tokens_ends_the_answer_with_length() -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        body = await plain(chat("go on", **{name: 7}))
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["completion_tokens"] == 7


async def test_max_tokens_covers_reasoning_and_never_splits_a_letter() -> None:
    body = await plain(chat("가나다라마바사", "sandbox/reasoning", max_tokens=60))
    assert body["usage"]["completion_tokens"] <= 60
    assert body["choices"][0]["finish_reason"] == "length"


async def test_a_stop_sequence_ends_the_answer_before_it() -> None:
    body = await plain(chat("hello", stop=["asked"]))
    assert body["choices"][0]["message"]["content"] == "Sandbox: you "
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_several_choices_differ_and_are_interleaved_in_a_stream() -> None:
    body = chat("hello", n=3)
    whole, events = await plain(body), await stream(body)
    texts = [choice["message"]["content"] for choice in whole["choices"]]
    assert len(set(texts)) == 3
    assert [rebuilt(events, index)["message"]["content"] for index in range(3)] == texts
    order = [event["choices"][0]["index"] for event in events[:-1]]
    assert order[3:9] == [0, 1, 2, 0, 1, 2]


async def test_images_are_described_as_what_they_are() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    turn = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}
    body = await plain(chat() | {"messages": [turn]})
    assert "“What is this?” and showed an image." in body["choices"][0]["message"]["content"]
    assert body["usage"]["prompt_tokens"] > 85


async def test_the_default_model_streams_at_a_pace_one_can_watch() -> None:
    sleep = Sleeps()
    events = await stream(chat("hello", "sandbox", stream_options={"include_usage": True}), sleep)
    tokens = events[-2]["usage"]["completion_tokens"]
    assert tokens / 80 <= sleep.total <= 2 * tokens / 80
    assert len(sleep.asked) > 30


@pytest.mark.parametrize(("model", "least_s"), [("sandbox", 0), ("sandbox/fast", 0), ("sandbox/slow", 4)])
async def test_a_plain_answer_waits_as_long_as_its_model_says(model: str, least_s: float) -> None:
    sleep = Sleeps()
    await plain(chat("hello", model), sleep)
    assert sleep.total >= least_s
    assert bool(sleep.asked) is bool(least_s)


async def test_fast_never_sleeps() -> None:
    sleep = Sleeps()
    await stream(chat("hello", "sandbox/fast"), sleep)
    assert sleep.asked == []


async def test_slow_waits_four_seconds_before_the_first_content() -> None:
    sleep = Sleeps()
    reply = await ask(chat("hello", "sandbox/slow", stream=True), sleep=sleep)
    first = await anext(reply.chunks)
    assert b'"content":""' in first
    assert sleep.asked == []
    await anext(reply.chunks)
    assert sleep.asked == [4.0]


@pytest.mark.parametrize(
    "model", [name for name, kind in BEHAVIOURS.items() if not kind.status and not kind.fault]
)
async def test_every_healthy_model_answers_in_both_ways(model: str) -> None:
    assert (await plain(chat("hello", model)))["model"] == model
    assert (await stream(chat("hello", model)))[-1] == "[DONE]"


async def test_the_request_id_is_stable() -> None:
    first, again = await ask(chat()), await ask(chat())
    assert first.headers["x-request-id"] == again.headers["x-request-id"]
    assert int(first.headers["content-length"]) == len(b"".join([chunk async for chunk in first.chunks]))
    await read(again)
