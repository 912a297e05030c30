import json

import aiohttp
import pytest

from tests.upstream import CREDENTIALS, MockUpstream
from tests.upstream.faults import FAULTS, STATUSES, read_manner
from tests.upstream.server import SILENCE_S

PROVIDERS = ("openai", "anthropic", "gemini")
every_provider = pytest.mark.parametrize("provider", [*PROVIDERS, "openai_responses"])
HEADERS = {
    "openai": {"authorization": f"Bearer {CREDENTIALS['openai']}"},
    "openai_responses": {"authorization": f"Bearer {CREDENTIALS['openai']}"},
    "anthropic": {"x-api-key": CREDENTIALS["anthropic"], "anthropic-version": "2023-06-01"},
    "gemini": {"x-goog-api-key": CREDENTIALS["gemini"]},
}


def call(provider: str, model: str, stream: bool = True, text: str = "hello", **headers: str) -> dict:
    """The arguments of one request to the mock."""
    turn = {"role": "user", "content": text}
    paths = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
    body = {"model": model, "messages": [turn], "max_tokens": 500, "stream": stream}
    path = paths.get(provider)
    if provider == "openai_responses":
        path, body = "/v1/responses", {"model": model, "input": text, "stream": stream}
    elif path is None:
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path, body = f"/v1/models/{model}:{verb}", {"contents": [{"parts": [{"text": text}]}]}
    return {"url": path, "json": body, "headers": HEADERS[provider] | headers}


@pytest.fixture
async def up():
    async with MockUpstream() as upstream:
        yield upstream


@pytest.fixture
async def http(up: MockUpstream):
    async with aiohttp.ClientSession(up.base_url) as session:
        yield session


async def read(http: aiohttp.ClientSession, provider: str, model: str, stream: bool = True) -> bytes:
    async with http.post(**call(provider, model, stream)) as answer:
        assert answer.status == 200
        return await answer.read()


@every_provider
@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_is_answered_in_the_providers_own_shape(up, http, provider: str, status: int) -> None:
    async with http.post(**call(provider, f"mock-fault-{status}")) as answer:
        body = await answer.json()
        assert answer.status == status
        assert body["error"]["message"]
        retry_after = answer.headers.get("retry-after")
    if provider == "gemini":
        assert body["error"]["code"] == status
        assert ("RetryInfo" in json.dumps(body)) is (status == 429)
    else:
        assert retry_after == ("1" if status == 429 else None)
    assert ("request_id" in body) is (provider == "anthropic")


@every_provider
async def test_an_exhausted_quota_invites_no_retry(up, http, provider: str) -> None:
    async with http.post(**call(provider, "mock-fault-quota")) as answer:
        assert answer.status == 429
        assert "retry-after" not in answer.headers
        assert "RetryInfo" not in await answer.text()


@every_provider
async def test_a_cut_stream_is_the_beginning_of_the_whole_one(up, http, provider: str) -> None:
    whole = (await read(http, provider, "mock-a")).replace(b"mock1", b"mock2")
    cut = (await read(http, provider, "mock-fault-cut")).replace(b"mock-fault-cut", b"mock-a")
    assert whole.startswith(cut)
    assert 0 < len(cut) < len(whole)


@every_provider
@pytest.mark.parametrize("fault", ["reset", "cut"])
async def test_a_plain_answer_is_cut_short(up, http, provider: str, fault: str) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await read(http, provider, f"mock-fault-{fault}", stream=False)
    await up.seen[-1].ended.wait()
    assert up.seen[-1].closed_early is False


@every_provider
async def test_a_reset_stream_breaks_after_some_content(up, http, provider: str) -> None:
    async with http.post(**call(provider, "mock-fault-reset")) as answer:
        assert b"Hello!" in await answer.content.readuntil(b"Hello!")
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


@every_provider
async def test_a_connection_can_be_closed_without_a_byte(up, http, provider: str) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await read(http, provider, "mock-fault-connect")


@every_provider
@pytest.mark.parametrize(("fault", "says_hello"), [("inband", True), ("inband-first", False)])
async def test_an_error_comes_in_the_stream(up, http, provider: str, fault: str, says_hello: bool) -> None:
    raw = await read(http, provider, f"mock-fault-{fault}")
    last = json.loads(raw.strip().rsplit(b"data: ", 1)[1])
    assert last["message"] if provider == "openai_responses" else last["error"]["message"]
    assert (b"Hello!" in raw) is says_hello


@every_provider
@pytest.mark.parametrize(("fault", "says_hello"), [("badjson", True), ("badjson-first", False)])
async def test_an_event_cannot_be_read(up, http, provider: str, fault: str, says_hello: bool) -> None:
    raw = await read(http, provider, f"mock-fault-{fault}")
    with pytest.raises(json.JSONDecodeError):
        json.loads(raw.strip().rsplit(b"data: ", 1)[1])
    assert (b"Hello!" in raw) is says_hello
    with pytest.raises(json.JSONDecodeError):
        json.loads(await read(http, provider, f"mock-fault-{fault}", stream=False))


@every_provider
@pytest.mark.parametrize(("fault", "stream"), [("headers", True), ("stall-first", False)])
async def test_silence_before_the_status(up, http, provider: str, fault: str, stream: bool) -> None:
    asked = call(provider, f"mock-fault-{fault}", stream)
    with pytest.raises(TimeoutError):
        await http.post(**asked, timeout=aiohttp.ClientTimeout(total=0.2))
    await up.seen[-1].ended.wait()
    assert up.seen[-1].closed_early


@every_provider
@pytest.mark.parametrize(("fault", "says_hello"), [("stall-first", False), ("stall-mid", True)])
async def test_a_stalled_stream_notices_that_its_client_has_gone(
    up, http, provider: str, fault: str, says_hello: bool
) -> None:
    raw = b""
    with pytest.raises(TimeoutError):
        async with http.post(
            **call(provider, f"mock-fault-{fault}"), timeout=aiohttp.ClientTimeout(total=0.3)
        ) as answer:
            async for piece in answer.content.iter_any():
                raw += piece
    assert (b"Hello!" in raw) is says_hello
    await up.seen[-1].ended.wait()
    assert up.seen[-1].closed_early
    assert SILENCE_S > 60


async def test_a_page_a_redirect_and_an_empty_body(up, http) -> None:
    async with http.post(**call("openai", "mock-fault-html")) as answer:
        assert (answer.status, answer.content_type) == (502, "text/html")
    async with http.post(**call("openai", "mock-fault-redirect"), allow_redirects=False) as answer:
        assert answer.status == 307
    assert await read(http, "openai", "mock-fault-empty-body") == b""


async def test_openai_streams_may_stray_from_the_usual(up, http) -> None:
    assert b"[DONE]" not in await read(http, "openai", "mock-no-done")
    odd = await read(http, "openai", "mock-usage-with-choices")
    assert odd.count(b'"total_tokens"') == 1
    assert b'"choices":[]' not in odd
    assert b'"total_tokens"' not in await read(http, "openai", "mock")
    assert b"message_stop" not in await read(http, "anthropic", "mock-no-done")
    assert b"usageMetadata" not in await read(http, "gemini", "mock-no-usage")
    assert b": keep-alive\n\n" in await read(http, "openai", "mock-comments")


async def test_a_plan_gives_each_request_a_manner_of_its_own(up, http) -> None:
    up.plans["mock"] = ["fault-500", "fault-429"]
    told = []
    for _ in range(3):
        async with http.post(**call("openai", "mock")) as answer:
            told.append(answer.status)
    assert told == [500, 429, 200]


async def test_a_body_that_cannot_be_read_is_a_400(up, http) -> None:
    for provider, headers in HEADERS.items():
        asked = call(provider, "mock")
        async with http.post(asked["url"], data=b"{", headers=headers) as answer:
            assert answer.status == 400
        async with http.post(asked["url"], json={"model": "mock"}, headers=headers) as answer:
            assert answer.status == 400


async def test_gemini_without_sse_streams_one_array(up, http) -> None:
    asked = call("gemini", "mock")
    async with http.post(
        asked["url"].removesuffix("?alt=sse"), json=asked["json"], headers=asked["headers"]
    ) as answer:
        parts = await answer.json()
    assert parts[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_can_be_asked_for_by_name(fault: str) -> None:
    assert read_manner(f"gpt-fault-{fault}").fault == fault
    assert read_manner(f"gpt-fault-{fault}-interval-20").interval_s == 0.02


def test_an_unknown_fault_is_a_mistake_of_the_test() -> None:
    with pytest.raises(ValueError, match="no fault 'nonsense'"):
        read_manner("gpt-fault-nonsense")
    assert read_manner("gpt-fault-slow").interval_s == 0.05
