"""`/{provider}/…`: passed on as it is, by who was allowed it, to that provider alone, and charged."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from proxy_app.spool import Spool
from proxy_app.views import passing
from proxy_app.views.passing import PassThrough, passed_to
from tests.proxy_app import harness
from tests.proxy_app.harness import (
    CANARY,
    DONE,
    PRICE,
    SECRET,
    STREAM,
    Gateway,
    Stream,
    completion,
    deployment,
    message,
    model,
    response,
    streamed,
    usage_chunk,
)
from tests.proxy_app.levels import LEVELS, with_budget
from usage_app.pricing import PriceBook, PriceRow, compile_rates

ALLOWED = {"endpoints_allowed": ("*", "passthrough")}
ASKED = {"model": "gpt-test", "messages": [{"role": "user", "content": "Say hello"}]}


class Provider:
    """Answers whatever comes as a test says, and remembers it."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []
        self.bodies: list[bytes] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        self.bodies.append(await request.aread())
        return self.answers.pop(0) if self.answers else httpx.Response(200, json=completion())


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def gate(make_gateway, provider: Provider) -> Gateway:
    return make_gateway(provider, model("gpt", deployment("alpha")), **ALLOWED)


async def test_the_path_the_body_and_the_query_go_on_and_the_credential_is_ours(
    gate: Gateway, provider: Provider
) -> None:
    raw = b'{"odd":  1, "model":"gpt-test","future":{"x":[1e400]}}'
    headers = {"x-api-key": SECRET, "cookie": "a=b", "x-custom": "kept", "x-forwarded-for": "1.2.3.4"}
    answer = await gate.ask(
        raw, path="/alpha/v1/fine tuning/jobs", query="after=x&key=secret", headers=headers
    )
    [sent] = provider.seen
    assert answer.status == 200
    assert sent.url.raw_path == b"/v1/fine%20tuning/jobs?after=x"
    assert sent.url.host == "alpha.test"
    assert provider.bodies == [raw]
    assert sent.headers["authorization"] == f"Bearer {CANARY}"
    assert sent.headers["x-custom"] == "kept"
    assert not {"x-api-key", "cookie", "x-forwarded-for"} & set(sent.headers)
    assert SECRET not in str(sent.headers)


async def test_neither_a_key_nor_who_is_behind_it_goes_on(gate: Gateway, provider: Provider) -> None:
    shown = {
        "x-litellm-api-key": SECRET,
        "x-litellm-tags": "a",
        "x-openwebui-user-email": "bob@example.test",
        "x-gatehouse-end-user": "bob",
        "session-id": "s",
    }
    assert (await gate.ask(ASKED, path="/alpha/v1/x", key=None, headers=shown)).status == 200
    [sent] = provider.seen
    assert not {*shown} & {*sent.headers}
    assert SECRET not in str(sent.headers)


async def test_a_part_of_a_file_says_which_part_it_is_and_how_it_is_packed(make_gateway) -> None:
    told = {
        "content-range": "bytes 0-3/10",
        "accept-ranges": "bytes",
        "content-encoding": "gzip",
        "content-type": "video/mp4",
    }
    provider = Provider(httpx.Response(206, headers=told, stream=Stream([b"abcd"])))
    gate = make_gateway(provider, model("gpt", deployment("alpha")), **ALLOWED)
    headers = {"range": "bytes=0-3", "if-none-match": '"a"'}
    answer = await gate.ask(path="/alpha/v1/videos/v/content", method="GET", headers=headers)
    assert (answer.status, answer.body) == (206, b"abcd")
    assert {*told.items()} - {("content-type", "video/mp4")} <= {*answer.headers.items()}
    assert provider.seen[0].headers["range"] == "bytes=0-3"
    assert "if-none-match" not in provider.seen[0].headers  # a 304 would be a redirect here


@pytest.mark.parametrize("path", ["/alpha/v1/models", "/alpha/models"])
async def test_a_version_that_the_base_address_has_stands_once(
    gate: Gateway, provider: Provider, path: str
) -> None:
    await gate.ask(path=path, method="GET")
    assert provider.seen[0].url.path == "/v1/models"


@pytest.mark.parametrize("method", PassThrough.methods)
async def test_any_method_goes_on_with_its_status(make_gateway, method: str) -> None:
    provider = Provider(httpx.Response(201, content=b"" if method == "HEAD" else b'{"ok":true}'))
    gate = make_gateway(provider, model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask(path="/alpha/v1/files", method=method)
    assert (answer.status, provider.seen[0].method) == (201, method)


WAYS_OUT = (
    *("/alpha/../beta/v1/x", "/alpha/v1/../../admin", "/alpha/./v1", "/alpha//evil.test/x", "/alpha/v1//x"),
    *("/alpha/v1/\\evil.test", "/alpha/v1/a\r\nx: y", "/alpha/..", "/alpha/v1/.."),
)


@pytest.mark.parametrize("path", WAYS_OUT)
async def test_there_is_no_way_out_of_the_providers_address(
    gate: Gateway, provider: Provider, path: str
) -> None:
    answer = await gate.ask(path=path, method="GET")
    assert answer.status == 404
    assert provider.seen == []


@pytest.mark.parametrize("rest", ["@evil.test/x", "http://evil.test", "v1/x?y#z", "v1/a%2e%2e/b", "v1/:80"])
async def test_what_looks_like_another_address_is_a_path(
    gate: Gateway, provider: Provider, rest: str
) -> None:
    await gate.ask(path=f"/alpha/{rest}", method="GET")
    assert {request.url.host for request in provider.seen} <= {"alpha.test"}
    assert all(request.url.path.startswith("/v1/") for request in provider.seen)


@pytest.mark.parametrize("endpoints", [(), ("*",), ("pass*",), ("chat.completions",)])
async def test_nobody_may_who_is_not_told_so_by_name(
    make_gateway, provider: Provider, endpoints: tuple[str, ...]
) -> None:
    gate = make_gateway(provider, model("gpt", deployment("alpha")), endpoints_allowed=endpoints)
    answer = await gate.ask(ASKED, path="/alpha/v1/chat/completions")
    assert (answer.status, answer.json()["error"]["code"]) == (403, "endpoint_not_allowed")
    assert provider.seen == []


async def test_a_key_narrowed_to_models_must_name_one_that_it_may_use(
    make_gateway, provider: Provider
) -> None:
    narrow = {**ALLOWED, "models_allowed": ("gpt-test",)}
    gate = make_gateway(provider, model("gpt", deployment("alpha")), **narrow)
    assert (await gate.ask(ASKED, path="/alpha/v1/chat/completions")).status == 200
    for body, path in (
        ({**ASKED, "model": "other"}, "/alpha/v1/chat/completions"),
        ({"input": 1}, "/alpha/v1/things"),
        ({**ASKED, "models": ["gpt-test", "other"]}, "/alpha/v1/chat/completions"),
        ({**ASKED, "fallbacks": [{"model": "other"}]}, "/alpha/v1/messages"),
        ({}, "/alpha/v1/models/other:generateContent"),
    ):
        assert (await gate.ask(body, path=path)).status == 403
    assert (await gate.ask(path="/alpha/v1/files", method="GET")).status == 403
    assert len(provider.seen) == 1


def test_only_providers_that_serve_something_have_a_path() -> None:
    catalogue = harness.snapshot([model("gpt", deployment("alpha"))]).sections["catalogue"]
    assert passed_to(catalogue, "/alpha/v1/x") == {"provider": "alpha", "rest": "v1/x"}
    assert passed_to(catalogue, "/beta/v1/x") is None
    assert passed_to(catalogue, "/alpha") is None


async def test_an_unknown_first_part_is_an_unknown_path(gate: Gateway) -> None:
    answer = await gate.ask(ASKED, path="/nobody/v1/chat/completions")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "unknown_path")


# ---------------------------------------------------------------- what it costs


CASES = {
    "/alpha/v1/chat/completions": ("openai_chat", completion()),
    "/alpha/v1/responses": ("openai_responses", response()),
    "/alpha/v1/messages": ("anthropic", message()),
    "/alpha/v1/embeddings": ("openai_chat", {"data": [], "usage": {"prompt_tokens": 12, "total_tokens": 12}}),
}


@pytest.mark.parametrize("path", CASES)
async def test_a_whole_answer_is_charged_by_the_usage_it_tells(make_gateway, path: str) -> None:
    wire, body = CASES[path]
    provider = Provider(httpx.Response(200, json=body))
    gate = make_gateway(provider, model("gpt", deployment("alpha", wire)), **ALLOWED)
    answer = await gate.ask({**ASKED, "max_tokens": 9, "input": "x"}, path=path)
    assert answer.json() == body
    [end] = gate.ends
    output = 0 if "embeddings" in path else 5
    assert (end.status, end.endpoint, end.usage_source) == ("ok", "passthrough", "provider")
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (12, output)
    assert end.cost_nanodollars == 12 * 1000 + output * 4000
    assert (end.model, end.provider) == ("gpt-test", "alpha")


def own_price(deployment_id: str, dollars: int) -> PriceRow:
    rates, _ = compile_rates({"input": dollars * 10**9, "output": dollars * 10**9})
    return PriceRow(replace(PRICE, id=f"price-{dollars}", rates=rates), deployment_id=deployment_id)


@pytest.mark.parametrize(
    ("served", "prices", "each"),
    [
        ({"a": "gpt-test"}, {"a": 7}, 7),
        ({"a": "gpt-*"}, {"a": 7}, 7),
        ({"a": "gpt-test", "b": "gpt-test"}, {"a": 7, "b": 9}, 9),  # nothing tells which is meant
        ({"a": "gpt-other", "b": "gpt-test"}, {"a": 7, "b": 3}, 3),
        ({"a": "gpt-other"}, {"a": 7}, None),
    ],
)
async def test_an_admins_own_price_for_a_model_there_counts_as_it_is_passed_on(
    make_gateway, served: dict[str, str], prices: dict[str, int], each: int | None
) -> None:
    entries = [replace(deployment("alpha"), id=id, upstream_model=name) for id, name in served.items()]
    gate = make_gateway(Provider(), model("gpt", *entries), **ALLOWED)
    book = PriceBook([own_price(id, dollars) for id, dollars in prices.items()])
    picture = gate.keeper.current
    gate.keeper.current = replace(picture, sections={**picture.sections, "prices": book})
    await gate.ask(ASKED, path="/alpha/v1/chat/completions")
    [end] = gate.ends
    assert (end.deployment_id, end.cost_nanodollars) == ("", each and 17_000 * each)


async def test_a_stream_goes_through_byte_for_byte_as_it_comes_and_is_charged(make_gateway) -> None:
    gate = make_gateway(Provider(streamed(STREAM)), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask({**ASKED, "stream": True}, path="/alpha/v1/chat/completions")
    assert answer.chunks == STREAM
    assert answer.headers["content-type"].startswith("text/event-stream")
    [end] = gate.ends
    assert (end.stream, end.tokens.output_tokens, end.usage_source) == (True, 5, "provider")


CUT = httpx.ReadError("reset by peer")


@pytest.mark.parametrize(
    ("path", "pieces"),
    [
        ("/alpha/v1/chat/completions", [*STREAM[:3], CUT]),
        ("/alpha/v1/chat/completions", STREAM[:3]),  # it ends as though it were whole, without its own end
        ("/alpha/v1/anything", [*STREAM[:3], CUT]),
    ],
)
async def test_a_stream_that_its_provider_cuts_breaks_off_and_the_ledger_says_so(
    make_gateway, path: str, pieces: list
) -> None:
    gate = make_gateway(Provider(streamed(pieces)), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask({**ASKED, "stream": True}, path=path)
    assert answer.status == 200 and answer.chunks == STREAM[:3]
    assert not answer.complete  # the server closes the connection of an answer without an end
    [end] = gate.ends
    assert (end.status, end.error_code) == ("truncated", "upstream_cut")


WITHOUT_A_REASON = [*STREAM[:3], DONE]
ONE_OF_TWO = STREAM[:4]


@pytest.mark.parametrize(("count", "pieces"), [(1, WITHOUT_A_REASON), (2, ONE_OF_TWO)])
async def test_an_end_without_a_reason_for_each_answer_does_not_look_whole(
    make_gateway, count: int, pieces: list[bytes]
) -> None:
    gate = make_gateway(Provider(streamed(pieces)), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask({**ASKED, "stream": True, "n": count}, path="/alpha/v1/chat/completions")
    assert DONE not in answer.body and not answer.complete
    [end] = gate.ends
    assert (end.status, end.error_code, end.cost_nanodollars) == ("truncated", "upstream_cut", 0)


async def test_a_whole_answer_that_its_provider_cuts_breaks_off_too(make_gateway) -> None:
    cut = httpx.Response(200, headers={"content-type": "application/json"}, stream=Stream([b'{"id":', CUT]))
    gate = make_gateway(Provider(cut), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask(ASKED, path="/alpha/v1/chat/completions")
    assert answer.body == b'{"id":' and not answer.complete
    assert gate.ends[0].error_code == "upstream_cut"


async def test_an_error_in_a_stream_is_told_in_the_providers_words_and_in_the_ledger(make_gateway) -> None:
    told = b'data: {"error": {"message": "too much at once", "type": "server_error", "code": null}}\n\n'
    gate = make_gateway(Provider(streamed([*STREAM[:3], told])), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask({**ASKED, "stream": True}, path="/alpha/v1/chat/completions")
    assert answer.complete and answer.chunks[-1] == told
    [end] = gate.ends
    assert (end.status, end.error_detail) == ("error", "too much at once")
    assert end.cost_nanodollars == 0  # a provider that failed is owed what it reported


async def test_an_error_after_its_usage_was_told_costs_what_was_told(make_gateway) -> None:
    told = b'data: {"error": {"message": "too much at once", "type": "server_error", "code": null}}\n\n'
    pieces = [*STREAM[:3], usage_chunk(), told]
    gate = make_gateway(Provider(streamed(pieces)), model("gpt", deployment("alpha")), **ALLOWED)
    await gate.ask({**ASKED, "stream": True}, path="/alpha/v1/chat/completions")
    [end] = gate.ends
    assert (end.status, end.cost_nanodollars) == ("error", 12 * 1000 + 5 * 4000)


async def test_what_its_usage_cannot_be_read_of_costs_an_unknown_sum_and_never_nothing(gate: Gateway) -> None:
    await gate.ask({"model": "gpt-test"}, path="/alpha/v1/fine_tuning/jobs")
    await gate.ask(path="/alpha/v1/fine_tuning/jobs", method="GET")
    assert [(end.status, end.cost_nanodollars) for end in gate.ends] == [("ok", None), ("ok", 0)]


@pytest.mark.parametrize("level", [each for each in LEVELS if each in ("key", "user", "service", "global")])
@pytest.mark.parametrize("path", ["/alpha/v1/chat/completions", "/alpha/v1/embeddings", "/alpha/v1/anything"])
async def test_a_used_up_budget_refuses_and_the_provider_is_not_asked(
    gate: Gateway, provider: Provider, level: str, path: str
) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, level, 0)
    await gate.services.limits.load({}, [])
    answer = await gate.ask({**ASKED, "input": "x"}, path=path)
    assert answer.status in (403, 429)
    assert provider.seen == []


async def test_under_a_budget_only_what_can_be_priced_passes(gate: Gateway, provider: Provider) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**9)
    await gate.services.limits.load({}, [])
    refused = await gate.ask({"model": "gpt-test"}, path="/alpha/v1/fine_tuning/jobs")
    assert (refused.status, refused.json()["error"]["code"]) == (403, "unpriced_model")
    assert (await gate.ask(ASKED | {"max_tokens": 9}, path="/alpha/v1/chat/completions")).status == 200
    assert (await gate.ask(path="/alpha/v1/files", method="GET")).status == 200
    assert len(provider.seen) == 2


# ---------------------------------------------------------------- what goes wrong


async def test_a_refusal_is_told_in_the_providers_own_words(make_gateway) -> None:
    words = b'{"error": {"message": "no such job",  "odd": 1}}'
    refused = httpx.Response(404, content=words, headers={"content-type": "application/json"})
    slow = httpx.Response(429, content=words, headers={"retry-after": "7"})
    gate = make_gateway(Provider(refused, slow), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask(path="/alpha/v1/jobs/1", method="GET")
    assert (answer.status, answer.body) == (404, words)
    answer = await gate.ask(path="/alpha/v1/jobs/1", method="GET")
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert [end.status for end in gate.ends] == ["error", "error"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_credential_is_ours_and_is_not_repeated(make_gateway, status: int) -> None:
    words = {"error": {"message": f"bad key {CANARY}"}}
    gate = make_gateway(
        Provider(httpx.Response(status, json=words)), model("gpt", deployment("alpha")), **ALLOWED
    )
    answer = await gate.ask(path="/alpha/v1/files", method="GET")
    assert (answer.status, answer.json()["error"]["code"]) == (502, "credential_refused")
    assert CANARY not in answer.body.decode()


async def test_nothing_a_browser_would_run_comes_from_our_address(make_gateway) -> None:
    page = httpx.Response(
        200,
        content=b"<script>1</script>",
        headers={"content-type": "text/html", "set-cookie": "a=b", "location": "/x"},
    )
    gate = make_gateway(Provider(page), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask(path="/alpha/v1/page", method="GET")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not {"set-cookie", "location"} & set(answer.headers)


async def test_a_client_that_leaves_ends_the_stream_and_its_hold(make_gateway) -> None:
    more = asyncio.Event()
    pieces = [*STREAM[:2], more, *STREAM[2:]]
    gate = make_gateway(Provider(streamed(pieces)), model("gpt", deployment("alpha")), **ALLOWED)
    asked = {**ASKED, "stream": True}
    task = asyncio.create_task(gate.ask(asked, path="/alpha/v1/chat/completions", leave_after=2))
    while not any(call.client_gone_ms for call in gate.services.calls.values()):
        await asyncio.sleep(0.01)
    more.set()
    await task
    [end] = gate.ends
    assert end.status == "cancelled"
    assert (end.cost_nanodollars or 0) > 0
    assert not gate.services.calls


async def test_a_large_form_waits_on_disk_and_not_in_memory(
    make_gateway, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    spools: list[Spool] = []
    on_disk: list[bool] = []

    class Watched(Spool):
        async def close_writing(self) -> None:
            await super().close_writing()
            spools.append(self)
            on_disk.append(self.is_on_disk)

    monkeypatch.setattr(passing, "Spool", Watched)
    gate = make_gateway(provider, model("gpt", deployment("alpha")), **ALLOWED)
    body = b"--x\r\n" + bytes(5 * 1024 * 1024)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert (await gate.ask(body, path="/alpha/v1/files", headers=headers)).status == 200
    assert provider.bodies == [body]
    assert on_disk == [True]
    assert not spools[0].is_on_disk  # closed, so gone


async def test_addresses_of_another_kind_are_refused_in_words(make_gateway, provider: Provider) -> None:
    there = deployment("alpha")
    there = replace(there, provider=replace(there.provider, addressing="azure"))
    gate = make_gateway(provider, model("gpt", there), **ALLOWED)
    answer = await gate.ask(path="/alpha/v1/files", method="GET")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "endpoint_not_served")
    assert provider.seen == []


async def test_one_that_sends_nothing_is_given_up(make_gateway) -> None:
    never = asyncio.Event()

    async def script(_request: httpx.Request) -> httpx.Response:
        await never.wait()
        raise AssertionError

    gate = make_gateway(script, model("gpt", deployment("alpha")), **ALLOWED)
    task = asyncio.create_task(gate.ask(path="/alpha/v1/files", method="GET"))
    while not (calls := list(gate.services.calls.values())) or calls[0].guard is None:
        await asyncio.sleep(0.01)
    calls[0].guard.total_at = 1.0  # long ago
    assert (await task).status == 504
