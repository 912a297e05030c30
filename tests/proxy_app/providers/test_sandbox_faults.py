from pathlib import Path

import orjson
import pytest

from proxy_app.providers.sandbox import SANDBOX_MODELS, SandboxCut, answer
from proxy_app.providers.sandbox.models import BEHAVIOURS, STALL_S
from tests.proxy_app.providers.sandbox_calls import Sleeps, ask, chat, plain, read, stream

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "sandbox.md"
STATUSES = [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 529]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("streamed", [True, False])
async def test_an_error_model_answers_its_status_in_the_openai_shape(status: int, streamed: bool) -> None:
    reply = await ask(chat(model=f"sandbox/error-{status}", stream=streamed))
    error = (await read(reply))["error"]
    assert reply.status == status
    assert set(error) == {"message", "type", "param", "code"}
    assert reply.headers.get("retry-after") == ("1" if status == 429 else None)


async def test_a_cut_stream_ends_without_a_finish() -> None:
    events = await stream(chat(model="sandbox/cut"))
    assert any(event["choices"][0]["delta"].get("content") for event in events)
    assert not any(event["choices"][0]["finish_reason"] for event in events)


async def test_a_cut_plain_answer_breaks_in_mid_body() -> None:
    reply = await ask(chat(model="sandbox/cut"))
    first = await anext(reply.chunks)
    assert 0 < len(first) < int(reply.headers["content-length"])
    with pytest.raises(SandboxCut):
        await anext(reply.chunks)


async def test_a_stalled_stream_opens_but_says_nothing() -> None:
    sleep = Sleeps()
    reply = await ask(chat(model="sandbox/stall", stream=True), sleep=sleep)
    assert reply.status == 200
    assert b'"content":""' in await anext(reply.chunks)
    await anext(reply.chunks)
    assert sleep.asked == [STALL_S]


async def test_a_stall_midway_comes_after_content_and_before_the_end() -> None:
    sleep = Sleeps()
    reply = await ask(chat(model="sandbox/stall-midway", stream=True), sleep=sleep)
    seen = 0
    async for _ in reply.chunks:
        if sleep.asked:
            break
        seen += 1
    assert seen > 5
    assert sleep.asked == [STALL_S]


@pytest.mark.parametrize("model", ["sandbox/stall", "sandbox/stall-midway"])
async def test_a_plain_answer_stalls_too(model: str) -> None:
    sleep = Sleeps()
    await plain(chat(model=model), sleep)
    assert sleep.asked == [STALL_S]


async def test_bad_json_cannot_be_read_in_either_way() -> None:
    reply = await ask(chat(model="sandbox/bad-json"))
    raw = b"".join([chunk async for chunk in reply.chunks])
    assert len(raw) == int(reply.headers["content-length"])
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(raw)
    with pytest.raises(orjson.JSONDecodeError):
        await stream(chat(model="sandbox/bad-json"))


async def test_an_error_midway_is_the_last_event_of_a_stream_and_a_500_otherwise() -> None:
    events = await stream(chat(model="sandbox/error-midway"))
    assert events[-1]["error"]["type"] == "server_error"
    assert events[-2]["choices"][0]["delta"]["content"]
    assert (await ask(chat(model="sandbox/error-midway"))).status == 500


async def test_flaky_fails_for_some_prompts_and_always_the_same_ones() -> None:
    prompts = [f"prompt {number}" for number in range(60)]
    first = [(await ask(chat(prompt, "sandbox/flaky"))).status for prompt in prompts]
    again = [(await ask(chat(prompt, "sandbox/flaky"))).status for prompt in prompts]
    assert first == again
    assert set(first) == {200, 503}
    assert 10 <= first.count(503) <= 30


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"messages": []}',
        {"model": "sandbox"},
        {"model": "sandbox", "messages": []},
        {"model": "sandbox", "messages": ["hi"]},
        chat(n=0),
        chat(max_tokens="many"),
        chat(stop=7),
        chat(tools="all"),
        chat(tools=[{"type": "function"}]),
        chat(response_format={"type": "json_schema"}),
        chat(response_format="xml"),
        chat(functions=[{"name": "old"}]),
    ],
)
async def test_a_wrong_request_is_a_400_with_a_sentence(body: object) -> None:
    reply = await ask(body)
    assert reply.status == 400
    assert (await read(reply))["error"]["message"].endswith(".")


async def test_an_unknown_model_is_told_the_known_ones() -> None:
    reply = await ask(chat(model="sandbox/gone"))
    error = (await read(reply))["error"]
    assert (reply.status, error["code"]) == (404, "model_not_found")
    assert "sandbox/fast" in error["message"]


async def test_unknown_paths_and_methods_are_refused() -> None:
    assert (await ask(chat(), "/images")).status == 404
    reply = await answer("GET", "/v1/chat/completions", {}, b"")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")


async def test_the_models_are_listed_and_told_one_by_one() -> None:
    listed = await read(await answer("GET", "/v1/models", {}, b""))
    assert [model["id"] for model in listed["data"]] == list(SANDBOX_MODELS)
    one = await read(await answer("GET", "/models/sandbox/fast", {}, b""))
    assert one == next(model for model in listed["data"] if model["id"] == "sandbox/fast")
    assert (await answer("GET", "/models/other", {}, b"")).status == 404


def test_every_model_has_a_behaviour_and_a_line_in_the_document() -> None:
    assert list(BEHAVIOURS) == list(SANDBOX_MODELS)
    document = DOCUMENT.read_text("utf-8")
    for name, description in SANDBOX_MODELS.items():
        assert f"| `{name}` | {description} |" in document
