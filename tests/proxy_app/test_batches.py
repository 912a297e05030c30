"""Files and batches: whose they are, what a batch's lines may ask for, and what it costs when it is done."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest

from proxy_app.batch_settling import Watch
from proxy_app.upstream import Upstream
from proxy_app.upstream_inprocess import HttpxSender, SandboxSender
from proxy_app.views import files
from tests.proxy_app.batches import (
    COST,
    STRANGER,
    Provider,
    able,
    due,
    get,
    line,
    lines,
    look,
    make,
    opened,
    spent,
    started,
    upload,
)
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.harness import SECRET, Gateway, model
from tests.proxy_app.levels import with_budget
from usage_app.records import Adjust, Stored


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def gate(make_gateway, provider: Provider) -> Gateway:
    return await opened(make_gateway(provider, model("gpt", able()), model("other", able())))


async def test_the_lines_of_a_batch_name_the_model_as_its_provider_does(
    gate: Gateway, provider: Provider
) -> None:
    sent = line(1, temperature=0.25, note="größer")
    answer = await upload(gate, lines(sent, line(2)))
    assert (answer.status, answer.json()["id"]) == (200, "file-1")
    first, second = (json.loads(raw) for raw in provider.content["file-1"].splitlines())
    assert first == {**sent, "body": {**sent["body"], "model": "gpt-test"}}
    assert second["body"]["model"] == "gpt-test"
    assert b'name="purpose"' in provider.sent[0]
    assert gate.ends == []


async def test_a_file_that_is_no_batch_goes_as_it_is(gate: Gateway, provider: Provider) -> None:
    content = bytes(range(256)) * 9000
    assert (await upload(gate, content, "user_data")).status == 200
    assert content in provider.sent[0]
    assert (await make(gate)).json()["error"]["param"] == "input_file_id"


@pytest.mark.parametrize(
    ("bad", "status", "said"),
    [
        (b"{", 400, "Line 2 is not a JSON object"),
        (b"[1]", 400, "Line 2 is not a JSON object"),
        (lines(line(2, url="/v1/images/generations")), 400, "Line 2: a batch may ask for"),
        (lines(line(2, name="nobody")), 400, "Line 2 asks for 'nobody'"),
        (lines(line(2, api_base="http://evil.test")), 400, "Line 2: 'api_base'"),
        (lines(line(2, previous_response_id="resp_1")), 400, "Line 2: 'previous_response_id'"),
        (b'{"url": "/v1/chat/completions"}', 400, "Line 2: 'body' is not an object"),
        (lines(line(1)), 400, "Line 2: the 'custom_id' '1' stands in an earlier one already"),
        (lines({**line(2), "custom_id": ""}), 400, "Line 2: 'custom_id' is missing"),
        (lines({**line(2), "method": "GET"}), 400, "Line 2: 'method' must be POST"),
        (lines(line(2, url="/v1/embeddings")), 400, "Line 2 asks for '/v1/embeddings', those before it for"),
    ],
)
async def test_a_bad_line_is_refused_by_its_number(
    gate: Gateway, provider: Provider, bad: bytes, status: int, said: str
) -> None:
    answer = await upload(gate, lines(line(1)) + b"\n" + bad)
    assert answer.status == status
    assert said in answer.json()["error"]["message"]
    assert provider.sent == []


@pytest.mark.parametrize("has_budget", [False, True])
@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"completion_window": None}, "completion_window"),
    ],
)
async def test_a_batch_that_its_file_or_its_provider_cannot_be_made_for_is_refused_before_it_holds_anything(
    gate: Gateway, provider: Provider, asked: dict[str, Any], param: str, has_budget: bool
) -> None:
    if has_budget:
        gate.keeper.current = with_budget(gate.keeper.current, "key", 10**12)
    assert (await upload(gate, lines())).status == 200
    body = {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    refused = await gate.ask(body | asked, path="/v1/batches")
    assert (refused.status, refused.json()["error"]["param"]) == (400, param)
    if param == "endpoint":
        assert "Line 1 of the file asks for '/v1/chat/completions'" in refused.json()["error"]["message"]
    assert provider.batches == {} and not gate.services.limits._holds  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", ["file_id", "file_\\u0069d", "\\u0066ile_id"])
async def test_a_line_names_no_file_of_a_stranger_however_it_writes_that(
    gate: Gateway, provider: Provider, word: str
) -> None:
    assert (await upload(gate, b"mine", "user_data")).status == 200
    assert (await upload(gate, b"theirs", "user_data", key=STRANGER)).status == 200

    def naming(file_id: str) -> bytes:
        file = {"type": "file", "file": {"WORD": file_id}}
        return lines(line(1, messages=[{"role": "user", "content": [file]}])).replace(b"WORD", word.encode())

    assert (await upload(gate, naming("file-1"))).status == 200
    sent = len(provider.sent)
    for name in ("file-2", "nothing"):
        refused = await upload(gate, naming(name))
        assert (refused.status, refused.json()["error"]["code"]) == (404, "object_not_found")
        assert f"Line 1: There is no file '{name}'" in refused.json()["error"]["message"]
    assert len(provider.sent) == sent


async def test_a_line_may_ask_only_for_what_its_key_may(make_gateway, provider: Provider) -> None:
    models = (model("gpt", able()), model("other", able()))
    gate = await opened(make_gateway(provider, *models, models_allowed=("other",)))
    answer = await upload(gate, lines())
    assert (answer.status, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    gate = await opened(make_gateway(provider, *models, models_allowed=("gpt",)))
    answer = await upload(gate, lines(line(1, models=["gpt", "other"])))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    assert answer.json()["error"]["message"].startswith("Line 1: ")
    gate = await opened(make_gateway(provider, *models, endpoints_allowed=("files", "batches")))
    answer = await upload(gate, lines())
    assert (answer.status, answer.json()["error"]["code"]) == (403, "endpoint_not_allowed")
    assert provider.sent == []


async def test_a_provider_without_batches_is_not_asked(make_gateway, provider: Provider) -> None:
    gate = await opened(make_gateway(provider, model("gpt", able(quirks={"files": True}))))
    assert (await upload(gate, lines())).json()["error"]["code"] == "endpoint_not_served"
    assert provider.sent == []


async def test_among_several_providers_a_file_names_one(make_gateway, provider: Provider) -> None:
    gate = await opened(make_gateway(provider, model("gpt", able("alpha")), model("two", able("beta"))))
    refused = await upload(gate, b"x", "user_data")
    assert refused.status == 400
    assert "alpha, beta" in refused.json()["error"]["message"]
    assert (await upload(gate, b"x", "user_data", headers={"x-gatehouse-provider": "nobody"})).status == 400
    assert (await upload(gate, b"x", "user_data", headers={"x-gatehouse-provider": "beta"})).status == 200
    assert (await upload(gate, b"x", "user_data", query="x-gatehouse-provider=alpha")).status == 200
    assert (await upload(gate, b"x", "user_data", fields={"x-gatehouse-provider": "beta"})).status == 200
    assert [record.provider_id for record in gate.records(Stored)] == [
        *("provider-beta", "provider-alpha", "provider-beta")
    ]
    assert b"x-gatehouse-provider" not in provider.sent[-1]


async def test_a_stranger_finds_nothing_in_the_same_words_as_for_none(
    gate: Gateway, provider: Provider
) -> None:
    await started(gate)
    provider.finish()
    assert (await look(gate)).json()["output_file_id"] == "file-2"
    for path, method in (
        ("/v1/files/{}", "GET"),
        ("/v1/files/{}", "DELETE"),
        ("/v1/files/{}/content", "GET"),
        ("/v1/batches/{}", "GET"),
        ("/v1/batches/{}/cancel", "POST"),
    ):
        for name in ("file-1", "file-2") if "files" in path else ("batch_1",):
            hidden = await get(gate, path.format(name), method=method, key=STRANGER)
            none = await get(gate, path.format("nothing"), method=method, key=STRANGER)
            assert (hidden.status, none.status) == (404, 404)
            told, as_none = (each.json()["error"]["message"].partition(" (")[0] for each in (hidden, none))
            assert told.replace(name, "nothing") == as_none
    assert (await make(gate, key=STRANGER)).status == 404
    for path in ("/v1/files", "/v1/batches"):
        assert (await get(gate, path, key=STRANGER)).json()["data"] == []
    assert set(provider.files) == {"file-1", "file-2"}
    assert (await get(gate, "/v1/files/file-2/content")).body == provider.content["file-2"]


async def test_lists_come_in_pages_the_newest_first(gate: Gateway, provider: Provider, monkeypatch) -> None:
    clock = count(1_700_000_000_000)
    monkeypatch.setattr(files, "now_ms", lambda: next(clock))
    for _ in range(3):
        await upload(gate, lines())
    first = (await get(gate, "/v1/files", query="limit=2")).json()
    assert ([each["id"] for each in first["data"]], first["has_more"]) == (["file-3", "file-2"], True)
    rest = (await get(gate, "/v1/files", query=f"limit=2&after={first['last_id']}")).json()
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (["file-1"], False)
    assert (await get(gate, "/v1/files", query="purpose=vision")).json()["data"] == []
    assert (await get(gate, "/v1/files", query="limit=none")).status == 400
    assert (await get(gate, "/v1/files/file-1", method="DELETE")).json()["deleted"] is True
    assert (await get(gate, "/v1/files/file-1")).status == 404
    assert len((await get(gate, "/v1/files")).json()["data"]) == 2


async def test_a_batch_is_a_row_that_costs_nothing_until_it_is_done(
    gate: Gateway, provider: Provider
) -> None:
    await started(gate)
    [end] = gate.ends
    assert (end.endpoint, end.model, end.status, end.cost_nanodollars) == ("batches", "gpt", "ok", 0)
    assert (await look(gate)).json()["status"] == "in_progress"
    assert gate.records(Adjust) == []
    provider.finish()
    assert (await look(gate)).json()["status"] == "completed"
    [adjust] = gate.records(Adjust)
    assert (adjust.id, adjust.cause, adjust.cost_nanodollars) == (end.id, "batch", COST)
    batch = [record for record in gate.records(Stored) if record.kind == "batch"]
    assert [record.state for record in batch] == ["pending", "kept"]


async def test_what_is_cancelled_is_charged_as_far_as_it_came(gate: Gateway, provider: Provider) -> None:
    await started(gate)
    provider.finish(status="in_progress")
    assert (await get(gate, "/v1/batches/batch_1/cancel", method="POST")).json()["status"] == "cancelled"
    await gate.services.followed.finish()
    assert [adjust.cost_nanodollars for adjust in gate.records(Adjust)] == [COST]


async def test_a_budget_counts_a_batch_once_however_often_it_is_looked_at(
    gate: Gateway, provider: Provider
) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**12)
    await started(gate)
    provider.finish()
    for _ in range(3):
        await look(gate)
    again = [each for each in gate.records(Stored) if each.state == "pending"]
    await Watch(gate.services, lambda: again).round()  # another worker, which knows nothing of it
    state = await spent(gate)
    assert state == COST
    assert len({(adjust.id, adjust.cause, adjust.cost_nanodollars) for adjust in gate.records(Adjust)}) == 1


async def test_a_batch_that_does_not_fit_its_budget_is_refused(gate: Gateway, provider: Provider) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 2_000_000)
    await upload(gate, lines(line(1, max_tokens=400), line(2, max_tokens=400)))
    await upload(gate, lines(line(1, max_tokens=600), line(2, max_tokens=600)))
    refused = await make(gate, "file-2")  # 1,200 tokens of output at 2,000 nanodollars
    assert (refused.status, refused.json()["error"]["code"]) == (429, "budget_exceeded")
    assert provider.batches == {}
    assert (await make(gate, "file-1")).status == 200


async def test_a_model_without_a_price_is_refused_to_a_budget_and_unknown_without(gate: Gateway) -> None:
    sections = gate.keeper.current.sections
    sections["prices"] = type(sections["prices"])([])
    with_a_budget = with_budget(gate.keeper.current, "key", 10**12)
    await upload(gate, lines())
    gate.keeper.current, without = with_a_budget, gate.keeper.current
    assert (await make(gate)).json()["error"]["code"] == "unpriced_model"
    gate.keeper.current = without
    assert (await make(gate)).status == 200
    assert gate.ends[-1].cost_nanodollars is None


async def test_a_kill_between_charge_and_note_counts_once(
    gate: Gateway, provider: Provider, monkeypatch
) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**12)
    await started(gate)
    [pending] = [record for record in gate.records(Stored) if record.state == "pending"]
    provider.finish()
    keep = gate.services.stored.keep

    def killed(record: Stored) -> None:
        if record.kind == "batch":
            raise asyncio.CancelledError
        keep(record)

    monkeypatch.setattr(gate.services.stored, "keep", killed)
    with pytest.raises(asyncio.CancelledError):
        await due(gate, pending).round()
    monkeypatch.setattr(gate.services.stored, "keep", keep)
    await due(gate, pending).round()
    first, second = gate.records(Adjust)
    assert (first.id, first.cause, first.cost_nanodollars) == (second.id, second.cause, COST)
    assert first.cost_nanodollars == second.cost_nanodollars
    assert await spent(gate) == COST


async def test_a_worker_that_starts_after_the_charge_does_not_count_it_again(
    make_gateway, gate: Gateway, provider: Provider
) -> None:
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**12)
    await started(gate)
    [pending] = [record for record in gate.records(Stored) if record.state == "pending"]
    provider.finish()
    await look(gate)
    [adjust] = gate.records(Adjust)
    later = await opened(make_gateway(provider, model("gpt", able())))
    later.keeper.current = gate.keeper.current
    later.charged[adjust.id, adjust.cause] = adjust.cost_nanodollars
    spend = {(charge.budget_id, charge.period): COST for charge in adjust.charges}
    await later.services.limits.load(spend, [])
    await due(later, pending).round()
    assert later.records(Adjust) == []
    assert [record.state for record in later.records(Stored) if record.kind == "batch"] == ["kept"]
    assert await spent(later, pending.at_ms) == COST


async def test_a_result_that_cannot_be_read_now_is_read_later(gate: Gateway, provider: Provider) -> None:
    await started(gate)
    [pending] = [record for record in gate.records(Stored) if record.state == "pending"]
    provider.finish()
    provider.failing = True
    await due(gate, pending).round()
    assert gate.records(Adjust) == []
    provider.failing = False
    await due(gate, pending).round()
    assert [adjust.cost_nanodollars for adjust in gate.records(Adjust)] == [COST]


async def test_a_result_is_not_deleted_before_it_is_charged(gate: Gateway, provider: Provider) -> None:
    await started(gate)
    provider.finish()
    provider.failing = True
    output = (await look(gate)).json()["output_file_id"]
    assert gate.records(Adjust) == []
    assert (await get(gate, f"/v1/files/{output}", method="DELETE")).status >= 500
    assert output in provider.files
    provider.failing = False
    assert (await get(gate, f"/v1/files/{output}", method="DELETE")).json()["deleted"] is True
    assert [adjust.cost_nanodollars for adjust in gate.records(Adjust)] == [COST]


class Counting(httpx.AsyncBaseTransport):
    """Takes a body piece by piece, and keeps none."""

    size = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            self.size += len(piece)
        return httpx.Response(200, json={"id": "file-1", "object": "file"}, request=request)


async def test_a_hundred_megabytes_pass_in_a_few(gate: Gateway) -> None:
    transport = Counting()
    gate.services.upstream = Upstream(HttpxSender(transport), SandboxSender())
    one = json.dumps(line(1, note="x" * 200_000)).encode() + b"\n"
    lines_sent = 100 * 1024 * 1024 // len(one) + 1
    head, tail = form({"file": b"@"}, purpose="batch").split(b"@")

    async def pieces() -> AsyncIterator[bytes]:
        yield head
        for number in range(lines_sent):
            yield one.replace(b'"custom_id": "1"', b'"custom_id": "%d"' % number)
        yield tail

    source = pieces()

    async def receive() -> dict[str, Any]:
        piece = await anext(source, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/files",
        "query_string": b"",
        "extensions": {},
        "headers": [
            (b"authorization", f"Bearer {SECRET}".encode()),
            (b"content-type", CONTENT_TYPE.encode()),
        ],
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
