"""One call through the pipeline: answers, records, refusals."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from gateway_project.errors import ForbiddenParameter
from proxy_app.reading import refuse_forbidden
from proxy_app.wire import JSON
from tests.proxy_app.harness import CANARY, STREAM, asked, completion, streamed


def answering(*bodies: dict):
    seen: list[httpx.Request] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=bodies[min(len(seen), len(bodies)) - 1])

    script.seen = seen
    return script


async def streaming(request: httpx.Request) -> httpx.Response:
    return streamed(STREAM)


async def test_a_plain_call_is_answered_and_recorded_once(make_gateway):
    script = answering(completion())
    gate = make_gateway(script)
    answer = await gate.ask(asked())
    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there"
    (begin,), (attempt,), (end,) = gate.begins, gate.attempts, gate.ends
    assert begin.id == attempt.id == end.id == answer.headers["x-request-id"]
    assert end.status == "ok" and end.http_status == 200
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (12, 5)
    assert end.cost_nanodollars == 12 * 1000 + 5 * 4000
    assert end.usage_source == "provider" and end.price_id == "price-1"
    assert answer.headers["x-gatehouse-cost"] == "0.000032"
    assert end.caller.key_name == "checkout" and end.caller.service_name == "Checkout"


async def test_the_provider_sees_its_credential_the_call_id_and_no_client_header(make_gateway):
    script = answering(completion())
    gate = make_gateway(script)
    answer = await gate.ask(asked(), headers={"x-stainless-lang": "python", "openai-organization": "org"})
    (request,) = script.seen
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["x-gatehouse-request-id"] == answer.headers["x-request-id"]
    assert request.headers["x-gatehouse-attempt"] == "1"
    assert "x-stainless-lang" not in request.headers and "openai-organization" not in request.headers
    assert json.loads(request.content) == {**asked(), "model": "gpt-test"}


async def test_a_stream_is_relayed_without_the_usage_nobody_asked_for(make_gateway):
    gate = make_gateway(streaming)
    answer = await gate.ask(asked(stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    events = answer.events
    assert events[-1] == "[DONE]" and answer.complete
    assert all("usage" not in event or event["usage"] is None for event in events[:-1])
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1]) == "Hello"
    (end,) = gate.ends
    assert (end.status, end.tokens.input_tokens, end.cost_nanodollars) == ("ok", 12, 32000)
    assert end.ttft_ms is not None


async def test_a_stream_that_asks_for_usage_gets_it(make_gateway):
    gate = make_gateway(streaming)
    answer = await gate.ask(asked(stream=True, stream_options={"include_usage": True}))
    assert answer.events[-2]["usage"]["prompt_tokens"] == 12


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": "bearer {}"}, ""),
        ({"x-api-key": "{}"}, ""),
        ({"x-goog-api-key": "{}"}, ""),
        ({"api-key": "{}"}, ""),
        ({"x-litellm-api-key": "Bearer {}"}, ""),
        ({"authorization": "Bearer ", "x-api-key": "{}"}, ""),
        ({"authorization": "Bearer", "x-goog-api-key": "{}"}, ""),
        ({"x-api-key": "Bearer ", "api-key": "{}"}, ""),
        ({"authorization": "Bearer "}, "key={}"),
        ({}, "key={}"),
    ],
)
async def test_every_way_to_show_a_key_is_understood(make_gateway, headers, query):
    from tests.proxy_app.harness import SECRET

    gate = make_gateway(answering(completion()))
    shown = {name: value.format(SECRET) for name, value in headers.items()}
    answer = await gate.ask(asked(), key=None, headers=shown, query=query.format(SECRET))
    assert answer.status == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_body"),
        (b"{nonsense", 400, "invalid_body"),
        (b"[1, 2]", 400, "invalid_body"),
        (b'{"messages": []}', 400, None),
        (b'{"model": 7, "messages": []}', 400, None),
        (b'{"model": "gpt", "messages": "no list"}', 400, None),
        (b'{"model": "nobody", "messages": [{"role": "user", "content": "x"}]}', 404, "model_not_found"),
    ],
)
async def test_bad_input_gets_openais_error_shape_and_one_row(make_gateway, body, status, code):
    gate = make_gateway(answering(completion()))
    answer = await gate.ask(body)
    assert answer.status == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"] in error["message"]
    if code:
        assert error["code"] == code
    (end,) = gate.ends
    assert (end.status, end.http_status, end.caller.key_id) == ("refused", status, "key-1")
    assert not gate.begins


@pytest.mark.parametrize(
    "body",
    [
        asked(api_base="http://evil.test"),
        asked(metadata={"a": [{"base_url": "http://evil.test"}]}),
        asked(extra_body={"litellm_params": {"api_key": "x"}}),
    ],
)
async def test_a_caller_never_chooses_address_or_credential(make_gateway, body):
    script = answering(completion())
    gate = make_gateway(script)
    answer = await gate.ask(body)
    assert answer.status == 400 and answer.json()["error"]["code"] == "forbidden_parameter"
    assert not script.seen


async def test_an_escaped_spelling_of_a_forbidden_name_is_found_too(make_gateway):
    script = answering(completion())
    gate = make_gateway(script)
    raw = b'{"model": "gpt", "messages": [], "metadata": {"api\\u005fbase": "http://evil.test"}}'
    assert (await gate.ask(raw)).status == 400
    assert not script.seen


async def test_a_tools_own_argument_may_be_called_api_key(make_gateway):
    schema = {"type": "object", "properties": {"api_key": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "log_in", "parameters": schema}}
    gate = make_gateway(answering(completion()))
    assert (await gate.ask(asked(tools=[tool]))).status == 200


DATA = {"base_url": "http://x", "deep": [{"api_key": "v", "api_base": {}}]}
SCHEMA = {"type": "object", "$defs": {"api_key": {"type": "string"}}, "default": {"base_url": ""}}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
        {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]},
        {"tools": [{"name": "f", "input_schema": SCHEMA}]},
        {"messages": [{"content": [{"type": "tool_use", "id": "t", "name": "f", "input": DATA}]}]},
        {"contents": [{"parts": [{"functionCall": {"name": "f", "args": DATA}}]}]},
        {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": DATA}}]}]},
    ],
)
def test_what_a_tool_takes_was_given_and_gave_back_may_bear_any_name(body: JSON) -> None:
    whole = {"model": "gpt", "messages": []} | body
    refuse_forbidden(whole)
    for place in ("x", "extra_body", "input", "parameters", "args", "response"):
        with pytest.raises(ForbiddenParameter):
            refuse_forbidden(whole | {place: DATA})


async def test_an_unknown_key_is_401_and_leaves_no_row(make_gateway):
    gate = make_gateway(answering(completion()))
    answer = await gate.ask(asked(), key="sk-gh-wrong")
    assert answer.status == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    assert "sk-gh-wrong" not in answer.body.decode()
    assert gate.keeper.refreshes == 1
    assert not gate.ends


async def test_no_key_at_all_is_401(make_gateway):
    gate = make_gateway(answering(completion()))
    assert (await gate.ask(asked(), key=None)).status == 401


async def test_a_key_made_a_moment_ago_works_at_once(make_gateway):
    from tests.proxy_app.harness import deployment, model, snapshot

    gate = make_gateway(answering(completion()))
    gate.keeper.on_miss = snapshot([model("gpt", deployment("alpha"))], secret="sk-gh-new")
    assert (await gate.ask(asked(), key="sk-gh-new")).status == 200


async def test_a_key_that_cannot_be_looked_up_is_503_not_401(make_gateway):
    gate = make_gateway(answering(completion()))
    gate.keeper.database_down = True
    answer = await gate.ask(asked(), key="sk-gh-unknown")
    assert answer.status == 503 and "retry-after" in answer.headers


@pytest.mark.parametrize("fields", [{"blocked": True}, {"expires_at_ms": 1}])
async def test_a_blocked_or_expired_key_is_refused_with_a_row(make_gateway, fields):
    gate = make_gateway(answering(completion()), **fields)
    assert (await gate.ask(asked())).status == 401
    assert [end.status for end in gate.ends] == ["refused"]


async def test_a_flood_of_one_refusal_is_few_rows_with_a_count(make_gateway):
    from proxy_app import refusals

    gate = make_gateway(answering(completion()), blocked=True)
    for _ in range(50):
        await gate.ask(asked())
    refusals.flush(gate.services)
    assert len(gate.ends) == 2
    assert sum(end.repeated for end in gate.ends) == 50


async def test_the_master_key_may_call_and_is_recorded_as_master(make_gateway):
    from tests.proxy_app.harness import MASTER

    gate = make_gateway(answering(completion()))
    assert (await gate.ask(asked(), key=MASTER)).status == 200
    assert gate.ends[0].caller.key_name == "master"


async def test_a_model_the_key_may_not_use_is_403(make_gateway):
    gate = make_gateway(answering(completion()), models_allowed=("other-*",))
    answer = await gate.ask(asked())
    assert answer.status == 403 and answer.json()["error"]["code"] == "model_not_allowed"


@pytest.mark.parametrize(
    "named",
    [
        {"models": ["gpt", "other"]},
        {"fallbacks": [{"model": "other"}]},
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "other"}]},
    ],
)
async def test_a_body_cannot_name_another_model_that_the_key_may_not_use(
    make_gateway, named: dict[str, Any]
) -> None:
    provider = answering(completion())
    refused = await make_gateway(provider, models_allowed=("gpt",)).ask({**asked(), **named})
    assert (refused.status, refused.json()["error"]["code"]) == (403, "model_not_allowed")
    assert refused.json()["error"]["param"] == next(iter(named)) and provider.seen == []
    for allowed in ((), ("gpt", "oth*")):
        answer = await make_gateway(provider, models_allowed=allowed).ask({**asked(), **named})
        assert answer.status != 403


async def test_an_unknown_model_names_its_neighbours(make_gateway):
    gate = make_gateway(answering(completion()))
    answer = await gate.ask(asked(name="gptt"))
    assert "'gpt'" in answer.json()["error"]["message"]


async def test_a_body_over_the_limit_is_413_before_it_is_read(make_gateway):
    gate = make_gateway(answering(completion()))
    answer = await gate.ask(b"{}", headers={"content-length": str(20 * 1024 * 1024)})
    assert answer.status == 413 and answer.headers["connection"] == "close"
    assert gate.ends[0].error_code == "body_too_large"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/nothing", "POST", 404),
        ("/v1/v1/chat/completions", "POST", 404),
        ("/v1/chat/completions", "GET", 405),
        ("/v1/chat/completions", "DELETE", 405),
    ],
)
async def test_wrong_paths_and_methods_answer_in_openais_shape(make_gateway, path, method, status):
    gate = make_gateway(answering(completion()))
    answer = await gate.ask(asked(), path=path, method=method)
    assert answer.status == status and "message" in answer.json()["error"]
    assert len(gate.ends) == 1


async def test_a_doubled_base_address_is_told_the_right_one(make_gateway):
    gate = make_gateway(answering(completion()))
    answer = await gate.ask(asked(), path="/v1/v1/chat/completions")
    assert "/v1 twice" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/gpt/chat/completions",
        "/engines/gpt/chat/completions",
        "/v1/chat/completions/",
    ],
)
async def test_aliases_are_the_same_endpoint(make_gateway, path):
    gate = make_gateway(answering(completion()))
    assert (await gate.ask(asked(), path=path)).status == 200
    assert gate.ends[0].endpoint == "chat.completions"


async def test_claims_are_recorded_and_not_sent_upstream(make_gateway):
    script = answering(completion())
    gate = make_gateway(script)
    await gate.ask(
        asked(),
        headers={
            "user-agent": "OpenAI/Python 3.54.0",
            "x-openwebui-user-email": "bob%40example.test",
            "x-gatehouse-session": "s-1",
            "x-gatehouse-tags": "batch, nightly",
        },
    )
    caller = gate.ends[0].caller
    assert (caller.end_user, caller.session, caller.client) == (
        "bob@example.test",
        "s-1",
        "OpenAI SDK 3.54.0",
    )
    assert caller.tags == ("batch", "nightly")
    assert not [name for name in script.seen[0].headers if "openwebui" in name or "session" in name]


async def test_the_model_list_holds_what_the_key_may_use(make_gateway):
    from tests.proxy_app.harness import deployment, model

    gate = make_gateway(
        answering(completion()),
        model("gpt", deployment("alpha")),
        model("claude", deployment("beta")),
        models_allowed=("gpt",),
    )
    answer = await gate.ask(path="/v1/models", method="GET")
    assert [entry["id"] for entry in answer.json()["data"]] == ["gpt"]
    assert (await gate.ask(path="/v1/models/claude", method="GET")).status == 404
    assert (await gate.ask(path="/v1/models/gpt", method="GET")).json()["owned_by"] == "alpha"


async def test_a_browser_may_call_only_from_an_origin_the_key_allows(make_gateway):
    gate = make_gateway(answering(completion()), origins=("https://app.test",))
    allowed = await gate.ask(asked(), headers={"origin": "https://app.test"})
    assert allowed.headers["access-control-allow-origin"] == "https://app.test"
    assert (await gate.ask(asked(), headers={"origin": "https://evil.test"})).status == 403
    preflight = await gate.ask(method="OPTIONS", key=None, headers={"origin": "https://app.test"})
    assert preflight.status == 204 and "access-control-allow-methods" in preflight.headers
    assert not {"content-length", "content-type"} & set(preflight.headers)


@pytest.mark.parametrize(
    ("asking", "status"),
    [
        ({"key": None}, 401),
        ({"key": "sk-gh-wrong"}, 401),
        ({"path": "/v1/nothing"}, 404),
        ({"method": "GET"}, 405),
    ],
)
async def test_a_page_that_some_key_allows_may_read_why_it_was_refused(make_gateway, asking, status):
    gate = make_gateway(answering(completion()), origins=("https://app.test",))
    for origin in ("https://app.test", "https://evil.test"):
        answer = await gate.ask(asked(), headers={"origin": origin}, **asking)
        told = answer.headers.get("access-control-allow-origin")
        assert told == ("https://app.test" if origin == "https://app.test" else None)
    assert (await gate.ask(asked(), headers={"origin": "https://app.test"}, **asking)).status == status


async def test_what_is_shown_for_the_gateway_alone_counts_before_what_a_provider_is_shown(make_gateway):
    from tests.proxy_app.harness import SECRET

    gate = make_gateway(answering(completion()))
    shown = {"authorization": "Bearer sk-ant-oat01-of-a-subscription", "x-api-key": "sk-other"}
    assert (await gate.ask(asked(), key=None, headers=shown)).status == 401
    shown["x-litellm-api-key"] = f"Bearer {SECRET}"
    assert (await gate.ask(asked(), key=None, headers=shown)).status == 200


async def test_more_calls_than_allowed_in_flight_are_503(make_gateway):
    gate = make_gateway(answering(completion()))
    gate.services.entered = gate.services.config.max_in_flight
    answer = await gate.ask(asked())
    assert answer.status == 503 and answer.headers["retry-after"] == "1"


async def test_the_usage_carries_the_cost_for_callers_that_ask(make_gateway):
    gate = make_gateway(answering(completion()))
    answer = await gate.ask(asked(), headers={"x-gatehouse-usage": "cost"})
    assert answer.json()["usage"]["cost"] == 0.000032
    gate = make_gateway(streaming, reports_cost=True)
    streamed_answer = await gate.ask(asked(stream=True, stream_options={"include_usage": True}))
    assert streamed_answer.events[-2]["usage"]["cost"] == 0.000032
    assert streamed_answer.events[-1] == "[DONE]"


@pytest.mark.parametrize("query", ["", "alt=sse"])
async def test_the_cost_stands_in_every_framing_of_a_gemini_stream(make_gateway, query):
    gate = make_gateway(streaming, reports_cost=True)
    body = {"contents": [{"role": "user", "parts": [{"text": "Say hello"}]}]}
    answer = await gate.ask(body, path="/v1beta/models/gpt:streamGenerateContent", query=query)
    pieces = answer.events if query else answer.json()
    assert [piece["usageMetadata"]["cost"] for piece in pieces if "usageMetadata" in piece] == [0.000032]


async def test_a_key_that_may_use_a_model_may_use_it_by_its_alias(make_gateway):
    from dataclasses import replace

    from proxy_app.catalogue import Catalogue

    gate = make_gateway(answering(completion()), models_allowed=("gpt",))
    catalogue = gate.keeper.current.sections["catalogue"]
    aliased = Catalogue({**catalogue.by_name, "fast": catalogue.by_name["gpt"]})
    gate.keeper.current = replace(
        gate.keeper.current, sections={**gate.keeper.current.sections, "catalogue": aliased}
    )
    assert (await gate.ask(asked(name="fast"))).status == 200


async def test_calls_at_once_are_counted_from_their_arrival(make_gateway):
    from dataclasses import replace

    go_on = asyncio.Event()

    async def script(request: httpx.Request) -> httpx.Response:
        await go_on.wait()
        return httpx.Response(200, json=completion())

    gate = make_gateway(script)
    gate.services.config = replace(gate.services.config, max_in_flight=3)
    asking = [asyncio.create_task(gate.ask(asked())) for _ in range(10)]
    await asyncio.sleep(0)
    while sum(task.done() for task in asking) < 7:
        await asyncio.sleep(0.001)
    go_on.set()
    statuses = sorted([(await task).status for task in asking])
    assert statuses == [200] * 3 + [503] * 7
    assert gate.services.entered == 0


async def test_usage_of_a_failed_call_without_a_price_costs_unknown_not_nothing(make_gateway):
    from dataclasses import replace

    from usage_app.pricing import PriceBook

    pieces = [*STREAM[:3], STREAM[4], b'data: {"error": {"message": "overloaded"}}\n\n']

    async def script(request: httpx.Request) -> httpx.Response:
        return streamed(pieces)

    gate = make_gateway(script)
    sections = {**gate.keeper.current.sections, "prices": PriceBook([])}
    gate.keeper.current = replace(gate.keeper.current, sections=sections)
    await gate.ask(asked(stream=True))
    (end,) = gate.ends
    assert end.status == "error" and end.tokens.input_tokens == 12 and end.cost_nanodollars is None
