"""Answers that a provider keeps: found again at who made them, by whom they were made for, by no other."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from proxy_app import following
from tests.proxy_app.harness import Answer, Gateway, Stream, deployment, model, response, streamed
from usage_app.records import Stored

HERE = "service:service-1/production"
ASKED = {"model": "gpt", "input": "Say hello"}
USED = 12 * 1000 + 5 * 4000  # nanodollars of what the script says it used


class Provider:
    """A provider that keeps its answers; those in the background are done after some looks."""

    def __init__(self, looks: int = 2) -> None:
        self.seen: list[httpx.Request] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.looks = looks
        self.end: dict[str, Any] = {"status": "completed"}
        self.failing: list[int] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self.failing and request.method == "GET":
            return httpx.Response(self.failing.pop(0), json={"error": {"message": "not now"}})
        route = request.url.path.removeprefix("/responses").strip("/")
        if not route:
            return self._make(request)
        object_id, _, verb = route.partition("/")
        if object_id not in self.kept:
            return httpx.Response(404, json={"error": {"message": "no such response"}})
        if request.method == "DELETE":
            del self.kept[object_id]
            return httpx.Response(200, json={"id": object_id, "deleted": True})
        if verb == "input_items":
            return httpx.Response(200, json={"object": "list", "data": [{"query": str(request.url.query)}]})
        if verb == "cancel":
            self.kept[object_id] |= {"status": "cancelled", "usage": None}
            return httpx.Response(200, json=self.kept[object_id])
        return httpx.Response(200, json=self._look(object_id))

    def _make(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host.partition(".")[0]
        made = response() | {"id": f"resp_{host}_{len(self.kept) + 1}"}
        self.kept[made["id"]] = made
        if b'"background"' in request.content:
            made |= {"status": "queued", "output": [], "usage": None}
        if b'"stream"' in request.content:
            return self._streamed(made)
        return httpx.Response(200, json=made)

    def _streamed(self, made: dict[str, Any]) -> httpx.Response:
        done = {"type": "response.completed", "sequence_number": 1, "response": made}
        events = [{"type": "response.created", "sequence_number": 0, "response": made}, done]
        raw = [f"event: {event['type']}\ndata: {httpx_json(event)}\n\n".encode() for event in events]
        return streamed(raw)

    def _look(self, object_id: str) -> dict[str, Any]:
        kept = self.kept[object_id]
        if kept["status"] in ("queued", "in_progress"):
            self.looks -= 1
            kept |= {"status": "in_progress"} if self.looks > 0 else response() | {"id": object_id} | self.end
        return kept


def httpx_json(value: Any) -> str:
    return httpx.Response(200, json=value).text


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    monkeypatch.setattr(following, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(following, "LONGEST_PAUSE_S", 0.0)
    return Provider()


@pytest.fixture
def gate(make_gateway, provider: Provider) -> Gateway:
    return make_gateway(provider, model("gpt", deployment("alpha", "openai_responses")))


async def make(gate: Gateway, **fields: Any) -> Any:
    answer = await gate.ask(ASKED | fields, path="/v1/responses")
    assert answer.status == 200, answer.body
    return answer.json()


async def fetch(gate: Gateway, rest: str, method: str = "GET", **more: Any) -> Answer:
    return await gate.ask(path=f"/v1/responses/{rest}", method=method, **more)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_found_again_as_soon_as_its_caller_has_it(gate: Gateway, stream: bool) -> None:
    answer = await gate.ask({**ASKED, "stream": True} if stream else ASKED, path="/v1/responses")
    assert answer.status == 200
    again = await fetch(gate, "resp_alpha_1")
    assert again.status == 200
    assert again.json()["id"] == "resp_alpha_1"
    [kept] = gate.records(Stored)
    assert (kept.owner, kept.provider_id, kept.state, kept.id) == (
        HERE,
        "provider-alpha",
        "kept",
        gate.ends[0].id,
    )


async def test_looking_at_it_costs_nothing_and_is_no_call(gate: Gateway) -> None:
    await make(gate)
    for _ in range(3):
        assert (await fetch(gate, "resp_alpha_1")).status == 200
    assert (await fetch(gate, "resp_alpha_1/input_items", query="limit=2&key=secret")).status == 200
    [end] = gate.ends
    assert end.cost_nanodollars == USED


async def test_the_query_goes_along_without_what_could_be_a_key(gate: Gateway, provider: Provider) -> None:
    await make(gate)
    await fetch(gate, "resp_alpha_1/input_items", query="include[]=a&include[]=b&key=secret&after=item_1")
    asked = provider.seen[-1]
    assert asked.url.params.multi_items() == [("include[]", "a"), ("include[]", "b"), ("after", "item_1")]


async def test_its_events_end_at_the_provider_too_when_their_reader_leaves(make_gateway) -> None:
    events = Stream([b"data: 1\n\n", asyncio.Event()])

    async def script(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json=response() | {"id": "resp_1"})
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=events)

    gate = make_gateway(script, model("gpt", deployment("alpha", "openai_responses")))
    await make(gate)
    written = len(gate.ends)
    answer = await fetch(gate, "resp_1", query="stream=true", leave_after=1)
    for _ in range(20):  # turns in which the provider's side is closed
        await asyncio.sleep(0)
    assert (answer.body, answer.complete, events.closed) == (b"data: 1\n\n", False, True)
    assert len(gate.ends) == written


async def test_one_is_stopped_in_json_as_everything_is_said(gate: Gateway, provider: Provider) -> None:
    await make(gate)
    await fetch(gate, "resp_alpha_1/cancel", "POST")
    assert provider.seen[-1].headers["content-type"] == "application/json"


async def test_what_was_not_to_be_kept_is_nobodys(gate: Gateway, provider: Provider) -> None:
    await make(gate, store=False)
    assert (await fetch(gate, "resp_alpha_1")).status == 404
    assert gate.records(Stored) == []
    assert len(provider.seen) == 1


async def test_a_deleted_one_is_gone_here_too(gate: Gateway, provider: Provider) -> None:
    await make(gate)
    assert (await fetch(gate, "resp_alpha_1", "DELETE")).json()["deleted"] is True
    seen = len(provider.seen)
    for method in ("GET", "DELETE"):
        assert (await fetch(gate, "resp_alpha_1", method)).status == 404
    assert len(provider.seen) == seen
    assert [each.state for each in gate.records(Stored)] == ["kept", "gone"]


@pytest.mark.parametrize(
    "owner", ["service:service-2/production", "service:service-1/test", "user:user-1/production", "key:k/"]
)
@pytest.mark.parametrize("way", ["GET ", "DELETE ", "POST /cancel", "GET /input_items"])
async def test_a_strangers_answer_is_not_there_and_its_provider_is_not_asked(
    gate: Gateway, provider: Provider, owner: str, way: str
) -> None:
    gate.stored_rows.append(Stored("id", 1, "response", "resp_theirs", "provider-alpha", owner))
    method, _, verb = way.partition(" ")
    theirs = await fetch(gate, f"resp_theirs{verb}", method)
    none = await fetch(gate, f"resp_nobodys{verb}", method)
    assert (theirs.status, none.status) == (404, 404)
    said = [each.json()["error"]["message"].partition(" (")[0] for each in (theirs, none)]
    assert said[0].replace("theirs", "") == said[1].replace("nobodys", "")
    assert provider.seen == []


async def test_nobody_goes_on_from_a_strangers_answer(gate: Gateway, provider: Provider) -> None:
    stranger = "service:service-2/production"
    gate.stored_rows.append(Stored("id", 1, "response", "resp_theirs", "provider-alpha", stranger))
    for stream in (False, True):
        asked = {**ASKED, "previous_response_id": "resp_theirs", "stream": stream}
        answer = await gate.ask(asked, path="/v1/responses")
        assert answer.status == 400
        error = answer.json()["error"]
        assert (error["code"], error["param"]) == ("previous_response_not_found", "previous_response_id")
    assert provider.seen == []
    assert {end.status for end in gate.ends} == {"refused"} or gate.ends == []


async def test_what_goes_on_goes_to_who_made_what_came_before(make_gateway, provider: Provider) -> None:
    names = ("alpha", "beta", "gamma")
    both = model("gpt", *(deployment(name, "openai_responses") for name in names))
    gate = make_gateway(provider, both)
    for _ in range(12):
        made = await make(gate)
        again = await make(gate, previous_response_id=made["id"])
        assert again["id"].split("_")[1] == made["id"].split("_")[1]
    assert len({request.url.host for request in provider.seen}) > 1


async def test_a_model_elsewhere_cannot_go_on(make_gateway, provider: Provider) -> None:
    gate = make_gateway(
        provider,
        model("gpt", deployment("alpha", "openai_responses")),
        model("other", deployment("beta", "openai_responses")),
    )
    made = await make(gate)
    answer = await gate.ask(
        {**ASKED, "model": "other", "previous_response_id": made["id"]}, path="/v1/responses"
    )
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "previous_response_id"
    assert len(provider.seen) == 1


async def test_a_conversation_at_the_provider_has_no_owner_and_is_refused(
    gate: Gateway, provider: Provider
) -> None:
    for named in ("conv_1", {"id": "conv_1"}):
        answer = await gate.ask({**ASKED, "conversation": named}, path="/v1/responses")
        assert (answer.status, answer.json()["error"]["param"]) == (400, "conversation")
    assert provider.seen == []


NAMED = {
    "/v1/responses": {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]
    },
    "/v1/messages": {
        "max_tokens": 9,
        "messages": [
            {
                "role": "user",
                "content": [{"type": "document", "source": {"type": "file", "file_id": "file-1"}}],
            }
        ],
    },
}


@pytest.mark.parametrize("path", NAMED)
@pytest.mark.parametrize("owner", ["service:service-2/production", "service:service-1/test", None])
@pytest.mark.parametrize("word", ["file_id", "file_\\u0069d"])
async def test_nobody_shows_a_model_a_file_of_another_owner(
    gate: Gateway, provider: Provider, path: str, owner: str | None, word: str
) -> None:
    if owner is not None:
        gate.stored_rows.append(Stored("id", 1, "file", "file-1", "provider-alpha", owner))
    body = json.dumps({"model": "gpt", **NAMED[path]}).replace("file_id", word)
    answer = await gate.ask(body.encode(), path=path)
    assert answer.status == 404
    assert "file-1" in answer.body.decode()
    assert provider.seen == []


async def test_a_file_of_ones_own_leads_to_the_provider_that_has_it(make_gateway, provider: Provider) -> None:
    names = ("alpha", "beta", "gamma")
    gate = make_gateway(provider, model("gpt", *(deployment(name, "openai_responses") for name in names)))
    gate.stored_rows.append(Stored("id", 1, "file", "file-1", "provider-beta", HERE))
    for _ in range(9):
        await make(gate, **NAMED["/v1/responses"])
    assert {request.url.host for request in provider.seen} == {"beta.test"}


async def test_a_tools_own_word_for_it_is_no_file(gate: Gateway) -> None:
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}}}
    await make(gate, tools=[{"type": "function", "name": "open", "parameters": schema}])


async def test_its_provider_is_not_used_any_more(gate: Gateway, provider: Provider) -> None:
    gate.stored_rows.append(Stored("id", 1, "response", "resp_1", "provider-gone", HERE))
    answer = await fetch(gate, "resp_1")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "endpoint_not_served")


@pytest.mark.parametrize(("status", "told"), [(401, 502), (403, 502), (429, 429), (500, 500), (404, 404)])
async def test_what_its_provider_refuses_is_told_as_ever(
    gate: Gateway, provider: Provider, status: int, told: int
) -> None:
    await make(gate)
    provider.failing = [status]
    assert (await fetch(gate, "resp_alpha_1")).status == told


# ---------------------------------------------------------------- in the background


async def background(gate: Gateway, **fields: Any) -> Any:
    made = await make(gate, background=True, **fields)
    assert made["status"] == "queued"
    return made


async def ended(gate: Gateway) -> Any:
    await gate.services.followed.finish()
    [end] = gate.ends
    return end


async def test_the_caller_has_its_id_at_once_and_the_call_ends_with_what_was_used(
    gate: Gateway, provider: Provider
) -> None:
    provider.looks = 5
    provider.failing = [500, 429]
    made = await background(gate)
    assert gate.ends == []
    assert list(gate.services.calls)
    end = await ended(gate)
    assert (end.status, end.usage_source, end.cost_nanodollars) == ("ok", "provider", USED)
    assert (end.tokens.input_tokens, end.tokens.output_tokens) == (12, 5)
    assert not gate.services.calls
    assert [each.state for each in gate.records(Stored)] == ["pending", "kept"]
    assert (await fetch(gate, made["id"])).json()["status"] == "completed"


@pytest.mark.parametrize(
    ("way", "status"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "broke"}}, "error"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "ok"),
    ],
)
async def test_however_it_ends_its_use_is_charged(
    gate: Gateway, provider: Provider, way: dict[str, Any], status: str
) -> None:
    provider.end = way
    await background(gate)
    end = await ended(gate)
    assert (end.status, end.usage_source, end.cost_nanodollars) == (status, "provider", USED)


async def test_one_that_was_deleted_while_it_was_made_is_estimated(gate: Gateway, provider: Provider) -> None:
    await background(gate)
    provider.kept.clear()
    end = await ended(gate)
    assert (end.status, end.usage_source) == ("interrupted", "estimate")
    assert end.cost_nanodollars > 0


async def test_a_worker_that_ends_lets_it_go_and_estimates(gate: Gateway, provider: Provider) -> None:
    provider.looks = 1_000_000_000
    await background(gate)
    following.let_go(list(gate.services.calls.values()))
    end = await ended(gate)
    assert (end.status, end.usage_source) == ("interrupted", "estimate")
    assert all(request.method != "POST" or request.url.path == "/responses" for request in provider.seen)


async def test_a_stop_from_the_dashboard_reaches_the_provider(gate: Gateway, provider: Provider) -> None:
    provider.looks = 1_000_000_000
    made = await background(gate)
    [call] = gate.services.calls.values()
    assert call.following is not None
    call.following.cancel()
    end = await ended(gate)
    assert (end.status, end.error_code) == ("cancelled", "call_stopped")
    assert provider.seen[-1].url.path == f"/responses/{made['id']}/cancel"


async def test_its_caller_may_cancel_it(gate: Gateway, provider: Provider) -> None:
    provider.looks = 1_000_000_000
    made = await background(gate)
    assert (await fetch(gate, f"{made['id']}/cancel", "POST")).json()["status"] == "cancelled"
    end = await ended(gate)
    assert end.status == "cancelled"
