"""Anthropic's batches of messages: what a request may ask for, whose they are, and what they cost."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from proxy_app.batch_settling import Watch
from proxy_app.catalogue import DeploymentEntry
from proxy_app.upstream import Upstream
from proxy_app.upstream_inprocess import HttpxSender, SandboxSender
from tests.proxy_app.batches import STRANGER, due, level, opened
from tests.proxy_app.harness import CANARY, SECRET, Answer, Gateway, deployment, model
from tests.proxy_app.levels import with_budget
from usage_app.pricing import CompiledPrice, PriceRow, Rates, compile_rates
from usage_app.records import Adjust, Stored

PATH = "/v1/messages/batches"
RATES, _ = compile_rates(
    {
        "input": 10**9,
        "cache_read": 10**8,
        "cache_write": 125 * 10**7,
        "cache_write_1h": 2 * 10**9,
        "output": 4 * 10**9,
    }
)
USAGE = {
    "input_tokens": 100,
    "cache_read_input_tokens": 50,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "output_tokens": 7,
}
#: Two such answers at half of the price: fresh, read, written for 5 minutes and an hour, and output.
COST = 2 * (100 * 1000 + 50 * 100 + 20 * 1250 + 10 * 2000 + 7 * 4000) // 2
RESULTS = [
    {"custom_id": "one", "result": {"type": "succeeded", "message": {"id": "msg_1", "usage": USAGE}}},
    {"custom_id": "two", "result": {"type": "errored", "error": {"type": "error"}}},
    {"custom_id": "three", "result": {"type": "canceled"}},
    {"custom_id": "four", "result": {"type": "expired"}},
    {"custom_id": "five", "result": {"type": "succeeded", "message": {"id": "msg_2", "usage": USAGE}}},
]


class Provider:
    """Keeps batches of messages; they end when it is told so."""

    def __init__(self) -> None:
        self.batches: dict[str, dict[str, Any]] = {}
        self.seen: list[httpx.Request] = []
        self.failing = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        assert request.headers["anthropic-version"] in ("2023-06-01", "2026-10-21")
        name, _, verb = request.url.path.removeprefix(PATH).strip("/").partition("/")
        if not name:
            return httpx.Response(200, json=self._make(json.loads(request.content)))
        known = self.batches.get(name)
        if known is None or (verb == "results" and not known["results_url"]):
            error = {"type": "not_found_error", "message": "nothing of that name"}
            return httpx.Response(404, json={"type": "error", "error": error})
        if verb == "results":
            if self.failing:
                return httpx.Response(529, json={"type": "error", "error": {"type": "overloaded_error"}})
            return httpx.Response(
                200, content=b"".join(json.dumps(each).encode() + b"\n" for each in RESULTS)
            )
        if request.method == "DELETE":
            del self.batches[name]
            return httpx.Response(200, json={"id": name, "type": "message_batch_deleted"})
        if verb == "cancel":
            known["processing_status"] = "canceling"
        return httpx.Response(200, json=known)

    def _make(self, asked: dict[str, Any]) -> dict[str, Any]:
        made = {
            "id": f"msgbatch_{len(self.batches) + 1}",
            "type": "message_batch",
            "processing_status": "in_progress",
            "request_counts": {"processing": len(asked["requests"])},
            "results_url": None,
        }
        self.batches[made["id"]] = made
        return made

    def finish(self, name: str = "msgbatch_1") -> None:
        url = f"https://api.anthropic.test{PATH}/{name}/results"
        self.batches[name] |= {"processing_status": "ended", "results_url": url}

    @property
    def sent(self) -> dict[str, Any]:
        """The body of the last batch that was made."""
        bodies = [request.content for request in self.seen if request.url.path == PATH]
        return dict(json.loads(bodies[-1]))


def able(name: str = "alpha", quirks: dict[str, Any] | None = None) -> DeploymentEntry:
    made = deployment(name, "anthropic")
    quirks = {"message_batches": 50} if quirks is None else quirks
    return replace(made, provider=replace(made.provider, quirks=quirks))


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def gate(make_gateway, provider: Provider) -> Gateway:
    return await priced(make_gateway(provider, model("gpt", able()), model("other", able())))


PRICE = CompiledPrice(id="price-1", provider_kind="openai", model="gpt-*", source="admin", rates=RATES)


async def priced(gate: Gateway) -> Gateway:
    await opened(gate)
    sections = gate.keeper.current.sections
    sections["prices"] = type(sections["prices"])([PriceRow(price=PRICE)])
    return gate


def request(number: object = 1, **params: Any) -> dict[str, Any]:
    asked = {"model": "gpt", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}], **params}
    return {"custom_id": str(number), "params": asked}


async def make(gate: Gateway, *requests: Any, **more: Any) -> Answer:
    body = more.pop("body", {"requests": list(requests or (request(1), request(2)))})
    return await gate.ask(body, path=more.pop("path", PATH), **more)


async def get(gate: Gateway, path: str = "/msgbatch_1", **more: Any) -> Answer:
    answer = await gate.ask(path=PATH + path, method=more.pop("method", "GET"), **more)
    await gate.services.followed.finish()
    return answer


def batches(gate: Gateway) -> list[Stored]:
    return [record for record in gate.records(Stored) if record.kind == "message_batch"]


async def test_each_request_goes_out_under_the_providers_name_of_its_model(
    gate: Gateway, provider: Provider
) -> None:
    asked = request("größer", temperature=0.25, system="Be brief.", unheard_of={"a": [1.10]})
    answer = await make(gate, body={"requests": [asked, request(2)], "field_of_tomorrow": [1]})
    assert (answer.status, answer.json()["id"]) == (200, "msgbatch_1")
    first, second = provider.sent["requests"]
    assert first == {**asked, "params": {**asked["params"], "model": "gpt-test"}}
    assert second["params"]["model"] == "gpt-test"
    assert provider.sent["field_of_tomorrow"] == [1]
    assert CANARY in provider.seen[0].headers["authorization"]
    assert SECRET not in str(provider.seen[0].headers)
    [end] = gate.ends
    assert (end.endpoint, end.format, end.model, end.status, end.cost_nanodollars) == (
        *("messages.batches", "anthropic", "gpt", "ok", 0),
    )


@pytest.mark.parametrize(
    "path", ["/messages/batches", "/anthropic/v1/messages/batches", "/anthropic/messages/batches"]
)
async def test_it_is_served_wherever_messages_are(gate: Gateway, path: str) -> None:
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": "context-1m"}
    assert (await make(gate, path=path, headers=headers)).status == 200
    for rest in ("", "/msgbatch_1"):
        assert (await gate.ask(path=path + rest, method="GET")).status == 200


async def test_what_a_caller_says_of_versions_goes_on(gate: Gateway, provider: Provider) -> None:
    await make(gate, headers={"anthropic-version": "2026-10-21", "anthropic-beta": "context-1m"})
    await make(gate)
    told, plain = (each.headers for each in provider.seen)
    assert (told["anthropic-version"], told["anthropic-beta"]) == ("2026-10-21", "context-1m")
    assert (plain["anthropic-version"], plain.get("anthropic-beta")) == ("2023-06-01", None)


DEEP = json.loads("[" * 300 + "]" * 300)


@pytest.mark.parametrize(
    ("bad", "status", "said"),
    [
        ([], 400, "Request 2 is not a JSON object"),
        (7, 400, "Request 2 is not a JSON object"),
        ({"params": request()["params"]}, 400, "Request 2: 'custom_id' is missing"),
        ({"custom_id": "2"}, 400, "Request 2: 'params' is not an object"),
        (request(2, stream=True), 400, "Request 2: 'stream' cannot be asked for"),
        (request(2, model="nobody"), 400, "Request 2 asks for 'nobody'"),
        (request(2, model="other"), 400, "Request 2 asks for 'other'"),
        (request(2, max_tokens=None), 400, "Request 2: 'max_tokens' is missing"),
        (request(2, messages=[]), 400, "Request 2: 'messages' must not be empty"),
        (
            request(2, metadata={"x": {"api_base": "http://evil.test"}}),
            400,
            "Request 2: 'params.metadata.x.api_base'",
        ),
        (request(1), 400, "Request 2: the 'custom_id' '1' stands in an earlier one already"),
        (request(2, metadata=DEEP), 400, "Request 2 is nested too deeply"),
        (request(2, container={"file_id": "file-9"}), 404, "Request 2: There is no file 'file-9'"),
    ],
)
async def test_a_bad_request_is_refused_by_its_number_in_anthropics_words(
    gate: Gateway, provider: Provider, bad: Any, status: int, said: str
) -> None:
    answer = await make(gate, request(1), bad, request(3))
    assert answer.status == status
    told = answer.json()
    assert (told["type"], told["error"]["type"]) == (
        *("error", "not_found_error" if status == 404 else "invalid_request_error"),
    )
    assert said in told["error"]["message"]
    assert provider.seen == []


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{", b"{}", b'{"requests":[]}', b'{"requests":{}}', b'{"requests":[{}', b'"requests"'),
        *(
            b'{"requests":null}',
            b'{"requests":7}',
            b'{"\\u0072equests":[7]}',
            b'{"requests":[],"api_key":"x"}',
        ),
    ],
)
async def test_a_body_that_is_no_batch_is_refused(gate: Gateway, provider: Provider, body: bytes) -> None:
    answer = await make(gate, body=body)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert provider.seen == []


async def test_requests_in_a_list_under_an_escaped_name_do_not_pass_unread(
    gate: Gateway, provider: Provider
) -> None:
    hidden = json.dumps([request(9, model="claude-of-others")])
    body = f'{{"requests":[{json.dumps(request(1))}],"\\u0072equests":{hidden}}}'
    assert (await make(gate, body=body.encode())).status == 400
    assert provider.seen == []


async def test_a_request_may_ask_only_for_what_its_key_may(make_gateway, provider: Provider) -> None:
    models = (model("gpt", able()), model("other", able()))
    for allowed, code in (
        ({"models_allowed": ("other",)}, "model_not_allowed"),
        ({"endpoints_allowed": ("messages.batches",)}, "endpoint_not_allowed"),
        ({"endpoints_allowed": ("messages",)}, "endpoint_not_allowed"),
    ):
        gate = await opened(make_gateway(provider, *models, **allowed))
        answer = await make(gate)
        assert (answer.status, answer.json()["error"]["details"]["error_code"]) == (403, code)
    gate = await opened(make_gateway(provider, *models, models_allowed=("gpt",)))
    named = json.dumps({"requests": [request(1), request(2, fallbacks=[{"model": "other"}])]})
    assert (await make(gate, body=named.encode())).status == 403
    gate = await opened(make_gateway(provider, *models, endpoints_allowed=("messages", "messages.batches")))
    assert (await make(gate)).status == 200
    assert len(provider.seen) == 1


@pytest.mark.parametrize("quirks", [{}, {"batches": 50}])
async def test_a_provider_without_them_is_not_asked(
    make_gateway, provider: Provider, quirks: dict[str, Any]
) -> None:
    gate = await opened(make_gateway(provider, model("gpt", able(quirks=quirks))))
    answer = await make(gate)
    assert (answer.status, answer.json()["error"]["type"]) == (404, "not_found_error")
    assert provider.seen == []


async def test_a_provider_that_has_them_is_chosen_whatever_stands_before_it(
    make_gateway, provider: Provider
) -> None:
    first, second = able("alpha", quirks={}), replace(able("beta"), order=2)
    gate = await opened(make_gateway(provider, model("gpt", first, second)))
    assert (await make(gate)).status == 200
    assert provider.seen[0].url.host == "beta.test"


async def test_a_stranger_finds_nothing_in_the_same_words_as_for_none(
    gate: Gateway, provider: Provider
) -> None:
    await make(gate)
    provider.finish()
    seen = len(provider.seen)
    for rest, method in (("", "GET"), ("", "DELETE"), ("/results", "GET"), ("/cancel", "POST")):
        hidden = await get(gate, f"/msgbatch_1{rest}", method=method, key=STRANGER)
        none = await get(gate, f"/nothing{rest}", method=method, key=STRANGER)
        assert (hidden.status, none.status) == (404, 404)
        told, as_none = (each.json()["error"] for each in (hidden, none))
        assert told["type"] == "not_found_error"
        assert as_none["message"].startswith("There is no message batch 'nothing' here")
        assert (
            told["message"].replace("msgbatch_1", "nothing").partition(" (")[0]
            == (as_none["message"].partition(" (")[0])
        )
    assert (await get(gate, "", key=STRANGER)).json()["data"] == []
    assert len(provider.seen) == seen
    # Nor are they among the other API's.
    assert (await gate.ask(path="/v1/batches", method="GET")).json()["data"] == []
    assert (await gate.ask(path="/v1/batches/msgbatch_1", method="GET")).status == 404


async def test_results_lie_here_and_not_at_the_providers_host(gate: Gateway, provider: Provider) -> None:
    assert (await make(gate)).json()["results_url"] is None
    assert (await get(gate)).json()["results_url"] is None
    provider.finish()
    told = (await get(gate, headers={"host": "llm.example.test:4000"})).json()["results_url"]
    assert told == "http://llm.example.test:4000/v1/messages/batches/msgbatch_1/results"
    listed = (await get(gate, "")).json()["data"][0]["results_url"]
    assert listed == f"{gate.services.config.public_url}/v1/messages/batches/msgbatch_1/results"
    config = gate.services.config
    gate.services.config = replace(config, public_url="https://llm.example.test/gate")
    told = (await get(gate, headers={"host": "evil.test"})).json()["results_url"]
    assert told == "https://llm.example.test/gate/v1/messages/batches/msgbatch_1/results"
    answer = await get(gate, "/msgbatch_1/results")
    assert [json.loads(line) for line in answer.body.splitlines()] == RESULTS
    assert answer.headers["content-type"] == "application/x-jsonl"


async def test_a_batch_is_charged_once_from_its_results_at_half_the_price(
    gate: Gateway, provider: Provider
) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**9)
    await make(gate)
    assert (await get(gate)).json()["processing_status"] == "in_progress"
    state = await level(gate)
    assert (state.spent, state.calls_in_flight) == (0, 1)
    # 100 tokens of output and the request's own bytes, twice, at half of the dearest price.
    assert 2 * 100 * 4000 // 2 < state.held < 2 * 200 * 4000 // 2
    provider.finish()
    pending = batches(gate)
    for _ in range(2):
        await get(gate)
        await Watch(gate.services, lambda: pending).round()
        await due(gate, *pending).round()
    [end] = gate.ends
    assert {(each.id, each.cause, each.cost_nanodollars) for each in gate.records(Adjust)} == {
        (end.id, "batch", COST)
    }
    state = await level(gate)
    assert (state.spent, state.held) == (COST, 0)
    assert [record.state for record in batches(gate)][:2] == ["pending", "kept"]


IN_US = {"service_tier": "us", "rates": Rates(*(2 * rate for rate in RATES))}
SEARCHED = {"server_tool_use": {"web_search_requests": 3}}
DEARER = [({"units": {"searches": 10**13}}, SEARCHED, 3 * 10**7), (IN_US, {"inference_geo": "us"}, COST // 2)]


@pytest.mark.parametrize("case", DEARER)
async def test_a_line_costs_its_searches_whole_and_what_its_place_costs(
    gate: Gateway, provider: Provider, monkeypatch: pytest.MonkeyPatch, case: Any
) -> None:
    sections, (prices, told, cost) = gate.keeper.current.sections, case
    more = replace(PRICE, id="price-2", **prices)
    sections["prices"] = type(sections["prices"])([PriceRow(PRICE), PriceRow(more, order=(0, 1))])
    line = {"result": {"type": "succeeded", "message": {"usage": USAGE | told}}}
    monkeypatch.setattr(f"{__name__}.RESULTS", [line, RESULTS[-1]])
    await make(gate)
    provider.finish()
    await get(gate)
    await due(gate, *batches(gate)).round()
    assert {each.cost_nanodollars for each in gate.records(Adjust)} == {COST + cost}


async def test_a_batch_that_does_not_fit_its_budget_is_refused(gate: Gateway, provider: Provider) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 1_500_000)
    refused = await make(gate, request(1, max_tokens=400), request(2, max_tokens=400))
    assert (refused.status, refused.json()["error"]["type"]) == (429, "rate_limit_error")
    assert provider.seen == []
    assert (await make(gate, request(1, max_tokens=200), request(2, max_tokens=200))).status == 200
    refused = await make(gate, request(1, max_tokens=200), request(2, max_tokens=200))
    assert "held by 1 call in flight" in refused.json()["error"]["message"]


async def test_what_is_cancelled_is_charged_as_far_as_it_came(gate: Gateway, provider: Provider) -> None:
    await make(gate)
    answer = await get(gate, "/msgbatch_1/cancel", method="POST")
    assert answer.json()["processing_status"] == "canceling"
    assert gate.records(Adjust) == []
    provider.finish()
    await due(gate, *batches(gate)).round()
    assert [adjust.cost_nanodollars for adjust in gate.records(Adjust)] == [COST]


async def test_a_batch_is_charged_before_it_is_deleted(gate: Gateway, provider: Provider) -> None:
    await make(gate)
    provider.finish()
    provider.failing = True
    assert (await get(gate, method="DELETE")).status == 529
    assert "msgbatch_1" in provider.batches
    provider.failing = False
    answer = await get(gate, method="DELETE")
    assert answer.json() == {"id": "msgbatch_1", "type": "message_batch_deleted"}
    assert [adjust.cost_nanodollars for adjust in gate.records(Adjust)] == [COST]
    assert batches(gate)[-1].state == "gone"
    assert (await get(gate)).status == 404
    assert (await get(gate, "")).json()["data"] == []


async def test_lists_come_in_pages_both_ways_the_newest_first(gate: Gateway) -> None:
    for number in range(5):
        gate.services.stored.keep(
            Stored("id", number, "message_batch", f"msgbatch_{number}", "provider-alpha", HERE)
        )

    async def page(query: str) -> tuple[list[str], bool, str | None, str | None]:
        told = (await get(gate, "", query=query)).json()
        return told["data"], told["has_more"], told["first_id"], told["last_id"]

    # The provider has none of them, so only the bounds are told.
    assert await page("limit=2") == ([], True, "msgbatch_4", "msgbatch_3")
    assert await page("limit=2&after_id=msgbatch_3") == ([], True, "msgbatch_2", "msgbatch_1")
    assert await page("limit=2&after_id=msgbatch_1") == ([], False, "msgbatch_0", "msgbatch_0")
    assert await page("limit=2&before_id=msgbatch_0") == ([], True, "msgbatch_2", "msgbatch_1")
    assert await page("limit=2&before_id=msgbatch_2") == ([], False, "msgbatch_4", "msgbatch_3")
    assert await page("limit=5&after_id=msgbatch_0") == ([], False, None, None)
    for bad in ("limit=0", "limit=1001", "limit=x", "after_id=msgbatch_9", "before_id=msgbatch_9"):
        assert (await get(gate, "", query=bad)).status == 400


HERE = "service:service-1/production"


async def test_a_compressed_body_and_one_that_is_too_large_are_refused(gate: Gateway) -> None:
    assert (await make(gate, headers={"content-encoding": "gzip"})).status == 415
    answer = await make(gate, headers={"content-length": str(256 * 1024 * 1024 + 1)})
    assert (answer.status, answer.json()["error"]["type"]) == (413, "request_too_large")


class Counting(httpx.AsyncBaseTransport):
    """Takes a body piece by piece, and keeps none."""

    size = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            self.size += len(piece)
        assert self.size == int(request.headers["content-length"])
        made = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress"}
        return httpx.Response(200, json=made, request=request)


async def test_a_hundred_megabytes_pass_in_a_few(gate: Gateway) -> None:
    transport = Counting()
    gate.services.upstream = Upstream(HttpxSender(transport), SandboxSender())
    content = [{"role": "user", "content": "x" * 200_000}]
    one = json.dumps(request(1, messages=content)).encode()
    count = 100 * 1024 * 1024 // len(one) + 1

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"requests":['
        for number in range(count):
            named = one.replace(b'"custom_id": "1"', b'"custom_id": "%d"' % number)
            yield (b"," if number else b"") + named
        yield b"]}"

    source = pieces()

    async def receive() -> dict[str, Any]:
        piece = await anext(source, None)
        if piece is None:
            await asyncio.Event().wait()  # the client stays
        return {"type": "http.request", "body": piece, "more_body": piece != b"]}"}

    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "query_string": b"",
        "extensions": {},
        "headers": [(b"x-api-key", SECRET.encode())],
        "client": ("203.0.113.7", 55555),
        "state": {"services": gate.services},
    }
    tracemalloc.start()
    try:
        await gate.handler(scope, receive, send)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert statuses == [200]
    assert transport.size > 100 * 1024 * 1024
    assert peak < 24 * 1024 * 1024
