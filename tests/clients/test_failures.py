"""Failures as each official Python SDK raises them: typed, with our request id, and never a false finish."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.clients.connecting import Caller, every_kind, every_speaker, quiet
from tests.clients.gateway import Gate
from tests.clients.speaking import user

pytestmark = [pytest.mark.asyncio(loop_scope="module"), quiet]

#: The provider's answer -> the status an SDK raises. Ours to mend is 502.
RAISED = {
    "400": 400,
    "404": 404,
    "422": 422,
    "429": 429,
    "500": 500,
    "503": 503,
    "529": 529,
    "401": 502,
    "quota": 429,
    "context": 400,
    "html": 502,
    "connect": 502,
}
ENDED = {"inband": "error", "cut": "truncated", "reset": "truncated", "badjson": "error"}


def at(caller: Caller, word: str) -> Caller:
    return Caller(caller.gate, caller.speaker, caller.client, caller.kind, word)


def body_of(error: Any) -> Any:
    """The error's body as the SDK keeps it; OpenAI's keeps what stands under `error`."""
    return getattr(error, "body", None) or getattr(error, "details", None)


@every_kind
@every_speaker
@pytest.mark.parametrize("fault", RAISED)
async def test_a_providers_failure_is_a_typed_exception(caller: Caller, fault: str) -> None:
    speaker = caller.speaker
    wanted = speaker.statuses.get(RAISED[fault], RAISED[fault])
    for stream in (False, True):
        word = f"{speaker.name}-{'stream' if stream else 'plain'}-fault-{fault}"
        with pytest.raises(speaker.error) as caught:
            await at(caller, word).say(user("hello"), stream=stream)
        assert speaker.status(caught.value) == wanted
        told = str(body_of(caught.value))
        assert "request id: " in told and type(caught.value) is not speaker.error
        if fault == "context":
            assert "context_length_exceeded" in told
        if fault == "401":
            assert "credential_refused" in told and "upstream-" not in told


@every_kind
@every_speaker
@pytest.mark.parametrize("fault", ENDED)
async def test_a_stream_that_breaks_raises_and_never_finishes(caller: Caller, fault: str) -> None:
    """Pains 26 and 27: after content no splice and no end; the SDK raises."""
    heard = ""
    broken = at(caller, f"{caller.speaker.name}-fault-{fault}-interval-10")
    with pytest.raises(caller.speaker.error):
        async for word in caller.speaker.words(caller.client, broken.model, "long:20"):
            heard += word
    assert heard.startswith("word0") and "<" not in heard


@every_kind
@every_speaker
async def test_a_stream_that_fails_before_its_content_is_a_real_status(caller: Caller) -> None:
    word = f"{caller.speaker.name}-fault-inband-first-interval-10"
    with pytest.raises(caller.speaker.error) as caught:
        await at(caller, word).say(user("hello"), stream=True)
    assert caller.speaker.status(caught.value) in (502, 503, 529)


@every_speaker
@pytest.mark.parametrize("kind", ["openai"])
async def test_what_a_key_may_not_do_is_told_as_the_sdk_knows_it(gate: Gate, caller: Caller) -> None:
    speaker = caller.speaker
    narrow = await asyncio.to_thread(gate.server.new_key, name="narrow", models=["openai-mock"])
    for key, kind, word, status, code in (
        ("sk-gh-" + "x" * 43, "openai", "mock", 401, "invalid_api_key"),
        (narrow, "gemini", "mock", 403, "model_not_allowed"),
        (narrow, "openai", "mok", 404, "model_not_found"),
    ):
        client = speaker.connect(gate.server.url, key)
        with pytest.raises(speaker.error) as caught:
            await Caller(gate, speaker, client, kind, word).say(user("hello"))
        await speaker.close(client)
        assert speaker.status(caught.value) == status and code in str(body_of(caught.value))


@every_speaker
@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
@pytest.mark.parametrize("fault", ["cut", "inband"])
async def test_a_broken_stream_ends_with_an_error_event_of_the_callers_format(
    gate: Gate, caller: Caller, fault: str
) -> None:
    """On the wire, since an SDK may hide what came after: the last event is the error, and no end follows."""
    model = at(caller, f"wire-{caller.speaker.name}-fault-{fault}-interval-10").model
    asked: dict[str, Any] = {"model": model, "stream": True, "max_tokens": 50}
    asked |= {"messages": [{"role": "user", "content": "long:20"}]}
    path = caller.speaker.path
    if caller.speaker.name == "responses":
        asked = {"model": model, "stream": True, "input": "long:20"}
    elif caller.speaker.name == "generate":
        asked = {"contents": [{"parts": [{"text": "long:20"}]}]}
        path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
    async with httpx.AsyncClient() as client:
        headers = {"authorization": f"Bearer {gate.key}"}
        answer = await client.post(f"{gate.server.url}{path}", json=asked, headers=headers, timeout=30)
    assert answer.status_code == 200
    *before, last = [block for block in answer.text.split("\n\n") if block.strip()]
    assert '"error"' in last and answer.headers["x-request-id"] in last
    for end in ("[DONE]", "message_stop", "response.completed", "finishReason", '"finish_reason":"'):
        assert end not in answer.text
    assert not any('"error":{' in block for block in before)
