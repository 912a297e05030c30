"""Counting tokens: by a provider of the caller's format, else estimated; free either way."""

from dataclasses import replace

import httpx
import orjson
import pytest

from proxy_app.counting import MEDIA_TOKENS, tokens_in
from tests.proxy_app.harness import completion, deployment, model

BODY = {"model": "gpt", "messages": [{"role": "user", "content": "Say hello"}]}
CONTENTS = [{"role": "user", "parts": [{"text": "Say hello"}]}]
#: The same conversation in the words of each format that has such a count.
ASKED = {**BODY, "input": "Say hello", "contents": CONTENTS}
PATHS = {
    "/v1/messages/count_tokens": ("messages.count_tokens", "anthropic", "input_tokens"),
    "/v1beta/models/gpt:countTokens": ("count_tokens", "gemini", "totalTokens"),
    "/v1/responses/input_tokens": ("responses.input_tokens", "openai_responses", "input_tokens"),
}


def script_of(answer: httpx.Response):
    seen: list[httpx.Request] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    script.seen = seen
    return script


def assert_free(gate, endpoint: str, status: str = "ok") -> None:
    (end,) = gate.ends
    assert (end.endpoint, end.status, end.cost_nanodollars) == (endpoint, status, 0)
    assert end.tokens.input_tokens is None and end.usage_source == "none"
    assert end.charges == () and gate.services.calls == {}


@pytest.mark.parametrize("path", list(PATHS))
async def test_without_a_provider_of_the_format_the_count_is_estimated_and_says_so(make_gateway, path):
    endpoint, _, field = PATHS[path]
    script = script_of(httpx.Response(200, json=completion()))
    gate = make_gateway(script)
    answer = await gate.ask(ASKED, path=path)
    assert answer.status == 200 and 5 <= answer.json()[field] <= 40
    assert answer.headers["x-gatehouse-estimated"] == "true" and answer.headers["x-gatehouse-cost"] == "0"
    assert not script.seen
    assert_free(gate, endpoint)


@pytest.mark.parametrize("path", list(PATHS))
async def test_a_provider_of_the_format_counts(make_gateway, path):
    endpoint, wire, _ = PATHS[path]
    counted = {"input_tokens": 2095, "field_of_tomorrow": 1}
    script = script_of(httpx.Response(200, json=counted))
    gate = make_gateway(script, model("gpt", deployment("alpha", wire)))
    answer = await gate.ask(ASKED, path=path)
    assert answer.json() == counted and "x-gatehouse-estimated" not in answer.headers
    end = "/gpt-test:countTokens" if wire == "gemini" else path.removeprefix("/v1")
    assert script.seen[0].url.path.endswith(end)
    assert_free(gate, endpoint)
    assert gate.ends[0].attempts[0].cost_nanodollars == 0


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
async def test_the_whole_of_a_request_is_counted_under_the_providers_name_of_the_model(make_gateway, name):
    script = script_of(httpx.Response(200, json={"totalTokens": 2095}))
    gate = make_gateway(script, model("gpt", deployment("alpha", "gemini")))
    whole = {"model": "models/gpt", "contents": CONTENTS, "systemInstruction": {"parts": [{"text": "Hi"}]}}
    answer = await gate.ask({name: whole}, path="/v1beta/models/gpt:countTokens")
    assert answer.json() == {"totalTokens": 2095} and "x-gatehouse-estimated" not in answer.headers
    assert orjson.loads(script.seen[0].content) == {name: {**whole, "model": "models/gpt-test"}}
    assert script.seen[0].url.path.endswith("/models/gpt-test:countTokens")
    assert_free(gate, "count_tokens")


async def test_the_whole_of_a_request_is_estimated_where_the_cloud_counts_conversations_alone(make_gateway):
    script = script_of(httpx.Response(200, json={"totalTokens": 2095}))
    vertex = deployment("alpha", "gemini")
    vertex = replace(vertex, provider=replace(vertex.provider, addressing="vertex"))
    gate = make_gateway(script, model("gpt", vertex))
    answer = await gate.ask(
        {"generateContentRequest": {"contents": CONTENTS}}, path="/v1beta/models/gpt:countTokens"
    )
    assert answer.headers["x-gatehouse-estimated"] == "true" and not script.seen


@pytest.mark.parametrize("status", [404, 405, 500, 429, 401])
async def test_a_provider_that_cannot_count_now_is_no_failure(make_gateway, status):
    script = script_of(httpx.Response(status, json={"error": {"message": "no"}}))
    gate = make_gateway(script, model("gpt", deployment("alpha", "anthropic")))
    answer = await gate.ask(BODY, path="/v1/messages/count_tokens")
    assert answer.status == 200 and answer.headers["x-gatehouse-estimated"] == "true"
    assert_free(gate, "messages.count_tokens")


async def test_a_mistake_of_the_caller_is_the_providers_to_tell(make_gateway):
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: too odd"}}
    script = script_of(httpx.Response(400, json=error))
    gate = make_gateway(script, model("gpt", deployment("alpha", "anthropic")))
    answer = await gate.ask(BODY, path="/v1/messages/count_tokens")
    assert answer.status == 400 and "too odd" in answer.json()["error"]["message"]
    assert_free(gate, "messages.count_tokens", "error")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ({"messages": []}, 400),
        ({**BODY, "model": "none"}, 404),
        ({**BODY, "api_base": "x"}, 400),
    ],
)
async def test_what_cannot_be_counted_is_refused_in_dialect(make_gateway, body, status):
    gate = make_gateway(script_of(httpx.Response(200)))
    answer = await gate.ask(body, path="/v1/messages/count_tokens")
    assert answer.status == status and answer.json()["type"] == "error"


EMPTY = {
    "/v1/messages/count_tokens": [{"messages": []}, {}, {"messages": [{"role": "nobody", "content": "x"}]}],
    "/v1beta/models/gpt:countTokens": [{"contents": []}, {}, {"generateContentRequest": {"contents": []}}],
    "/v1/responses/input_tokens": [{"input": None}, {}, {"input": 7}],
}


@pytest.mark.parametrize(("path", "body"), [(path, body) for path in EMPTY for body in EMPTY[path]])
async def test_what_says_nothing_is_no_conversation_to_count(make_gateway, path, body):
    script = script_of(httpx.Response(200))
    gate = make_gateway(script, model("gpt", deployment("alpha", PATHS[path][1])))
    answer = await gate.ask({"model": "gpt", **body}, path=path)
    assert answer.status == 400 and not script.seen
    error = answer.json()["error"]
    told = {"anthropic": ("type", "invalid_request_error"), "gemini": ("status", "INVALID_ARGUMENT")}
    name, value = told.get(PATHS[path][1], ("type", "invalid_request_error"))
    assert error[name] == value


@pytest.mark.parametrize("named", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
async def test_a_count_tells_nothing_of_what_is_kept_for_others(make_gateway, monkeypatch, named):
    monkeypatch.setattr("proxy_app.stored.PATIENCE_S", 0.0)
    script = script_of(httpx.Response(200, json={"input_tokens": 9}))
    gate = make_gateway(script, model("gpt", deployment("alpha", "openai_responses")))
    answer = await gate.ask({"model": "gpt", "input": "x", **named}, path="/v1/responses/input_tokens")
    assert answer.status == 400 and not script.seen
    assert answer.json()["error"]["param"] == next(iter(named))


async def test_a_used_up_budget_stops_no_count_and_a_rate_limit_does(make_gateway):
    from dataclasses import replace

    from keys_app.entries import BudgetEntry, RateLimitEntry

    gate = make_gateway(script_of(httpx.Response(200)))
    await gate.services.limits.load({}, [])
    budget = BudgetEntry("budget-1", "key", "key-1", 0, "total", 1, None, "UTC", True)
    limit = RateLimitEntry("limit-1", "key", "key-1", 1, None, None)
    gate.keeper.current = replace(
        gate.keeper.current,
        budgets={("key", "key-1"): (budget,)},
        rate_limits={("key", "key-1"): (limit,)},
    )
    answer = await gate.ask(BODY, path="/v1/messages/count_tokens")
    assert answer.status == 200 and answer.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert (await gate.ask(BODY, path="/v1/messages/count_tokens")).status == 429


def test_an_estimate_takes_words_by_their_bytes_and_media_at_a_flat_rate():
    assert tokens_in({"text": "word " * 400}) == 501
    assert tokens_in({"url": "data:image/png;base64," + "A" * 400_000}) == MEDIA_TOKENS
    assert tokens_in({"data": "A" * 400_000}) == MEDIA_TOKENS + 1
    assert tokens_in({"text": "안녕하세요 " * 100}) == 401
