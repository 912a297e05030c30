"""What a passed-on answer used is read in whatever shape it comes, and none is free of a budget."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from proxy_app.catalogue import DeploymentEntry
from tests.proxy_app.harness import STREAM, Stream, completion, deployment, model, response, streamed
from tests.proxy_app.levels import with_budget
from tests.proxy_app.test_budgets import spent_and_held
from tests.proxy_app.test_passing import ALLOWED, ASKED, Provider

COHERES = {
    "billed_units": {"input_tokens": 5.0, "output_tokens": 7.0},
    "tokens": {"input_tokens": 71.0, "output_tokens": 9.0},
}
COHERE_ANSWER = {
    "id": "a-1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    "usage": COHERES,
}


def _event(kind: str, **more: Any) -> bytes:
    told = json.dumps({"type": kind, **more})
    return f"event: {kind}\ndata: {told}\n\n".encode()


COHERE_STREAM = [
    _event("message-start", id="a-1", delta={"message": {"role": "assistant"}}),
    _event("content-delta", index=0, delta={"message": {"content": {"text": "Hello"}}}),
    _event("message-end", delta={"finish_reason": "COMPLETE", "usage": COHERES}),
]


def cohere() -> DeploymentEntry:
    entry = deployment("alpha", "cohere")
    base = "http://alpha.test/compatibility/v1"
    return replace(entry, provider=replace(entry.provider, base_url=base, other_formats=("openai_chat",)))


@pytest.mark.parametrize("is_stream", [True, False])
async def test_cohere_s_own_chat_is_charged_by_what_it_bills(make_gateway, is_stream: bool) -> None:
    told = streamed(COHERE_STREAM) if is_stream else httpx.Response(200, json=COHERE_ANSWER)
    provider = Provider(told)
    gate = make_gateway(provider, model("gpt", cohere()), **ALLOWED)
    answer = await gate.ask({**ASKED, "stream": is_stream}, path="/alpha/v2/chat")
    assert answer.complete
    assert answer.chunks == COHERE_STREAM if is_stream else answer.json() == COHERE_ANSWER
    assert provider.seen[0].url.path == "/v2/chat"  # beside the base address
    [end] = gate.ends
    assert (end.status, end.stream, end.usage_source) == ("ok", is_stream, "provider")
    assert end.cost_nanodollars == 5 * 1000 + 7 * 4000


async def test_cohere_s_own_chat_under_a_budget_is_bounded_in_its_own_words(make_gateway) -> None:
    provider = Provider(httpx.Response(200, json=COHERE_ANSWER))
    gate = make_gateway(provider, model("gpt", cohere()), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**7)
    await gate.services.limits.load({}, [])
    assert (await gate.ask(ASKED, path="/alpha/v2/chat")).status == 200
    sent = json.loads(provider.bodies[0])
    assert sent["max_tokens"] > 0 and "max_completion_tokens" not in sent
    assert await spent_and_held(gate) == (5 * 1000 + 7 * 4000, 0)


async def test_a_stream_of_cohere_s_without_its_end_does_not_look_whole(make_gateway) -> None:
    gate = make_gateway(Provider(streamed(COHERE_STREAM[:2])), model("gpt", cohere()), **ALLOWED)
    answer = await gate.ask({**ASKED, "stream": True}, path="/alpha/v2/chat")
    assert not answer.complete
    assert [(end.status, end.error_code) for end in gate.ends] == [("truncated", "upstream_cut")]


def _piece(text: str, **more: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
    return json.dumps({"candidates": [candidate]}).encode()


TOLD = b'{"usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 5, "totalTokenCount": 17}}'
ARRAY = b"[" + b",\r\n".join([_piece("Hel"), _piece("lo", finishReason="STOP"), TOLD]) + b"]"


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_stream_told_as_an_array_is_charged_by_its_usage(make_gateway, size: int) -> None:
    pieces = [ARRAY[at : at + size] for at in range(0, len(ARRAY), size)]
    sent = httpx.Response(200, headers={"content-type": "application/json"}, stream=Stream(pieces))
    gate = make_gateway(Provider(sent), model("gpt", deployment("alpha", "gemini")), **ALLOWED)
    answer = await gate.ask({"contents": []}, path="/alpha/v1beta/models/gpt-test:streamGenerateContent")
    assert answer.body == ARRAY and answer.complete
    [end] = gate.ends
    assert (end.status, end.stream, end.usage_source) == ("ok", True, "provider")
    assert end.cost_nanodollars == 12 * 1000 + 5 * 4000


async def test_an_array_that_ends_before_its_end_does_not_look_whole(make_gateway) -> None:
    cut = httpx.Response(200, json=[json.loads(_piece("Hel"))])
    gate = make_gateway(Provider(cut), model("gpt", deployment("alpha", "gemini")), **ALLOWED)
    await gate.ask({"contents": []}, path="/alpha/v1beta/models/gpt-test:streamGenerateContent")
    assert [(end.status, end.error_code) for end in gate.ends] == [("truncated", "upstream_cut")]


async def test_events_under_another_content_type_are_read_as_events(make_gateway) -> None:
    sent = httpx.Response(200, headers={"content-type": "application/json"}, stream=Stream(STREAM))
    gate = make_gateway(Provider(sent), model("gpt", deployment("alpha")), **ALLOWED)
    answer = await gate.ask({**ASKED, "stream": True}, path="/alpha/v1/chat/completions")
    assert answer.chunks == STREAM
    assert [(end.usage_source, end.tokens.output_tokens) for end in gate.ends] == [("provider", 5)]


async def test_an_error_that_came_whole_with_200_is_one_in_the_ledger(make_gateway) -> None:
    told = httpx.Response(200, json={"error": {"message": "too much at once"}})
    gate = make_gateway(Provider(told), model("gpt", deployment("alpha")), **ALLOWED)
    assert (await gate.ask(ASKED, path="/alpha/v1/chat/completions")).status == 200
    [end] = gate.ends
    assert (end.status, end.error_detail, end.cost_nanodollars) == ("error", "too much at once", 0)


SILENT = {key: value for key, value in completion("word " * 400).items() if key != "usage"}
UNTOLD: dict[str, tuple[str, Any]] = {
    "a chat without usage": ("/chat/completions", httpx.Response(200, json=SILENT)),
    "a chat that is no chat": ("/chat/completions", httpx.Response(200, json={"text": "hello"})),
    "a chat in unknown bytes": ("/chat/completions", httpx.Response(200, content=b"\x0a\x05hello")),
    "a chat in an unknown array": ("/chat/completions", httpx.Response(200, json=[{"text": "hello"}])),
    "events that are not JSON": ("/chat/completions", streamed([STREAM[1], b"data: hello\n\n"])),
    "an answer still being made": (
        "/responses",
        httpx.Response(200, json={**response(), "status": "in_progress", "output": [], "usage": None}),
    ),
    "images without usage": ("/images/generations", httpx.Response(200, json={"data": [{"b64_json": ""}]})),
    "images in events": ("/images/generations", streamed([b"data: {}\n\n"])),
    "embeddings without usage": ("/embeddings", httpx.Response(200, json={"data": []})),
    "a transcript in plain text": ("/audio/transcriptions", httpx.Response(200, content=b"hello")),
}


@pytest.mark.parametrize("what", UNTOLD)
async def test_what_tells_no_usage_uses_up_a_hard_budget_all_the_same(make_gateway, what: str) -> None:
    path, told = UNTOLD[what]
    gate = make_gateway(Provider(told), model("gpt", deployment("alpha")), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**9)
    await gate.services.limits.load({}, [])
    assert (await gate.ask({**ASKED, "input": "x"}, path=f"/alpha/v1{path}")).status == 200
    [end] = gate.ends
    assert (end.status, end.usage_source) == ("ok", "estimate")
    assert await spent_and_held(gate) == (end.cost_nanodollars, 0)
    assert end.cost_nanodollars


async def test_a_stream_that_says_it_is_none_is_ended_where_its_budget_ends(make_gateway) -> None:
    long = [STREAM[0], *STREAM[1:2] * 200, *STREAM[2:]]
    sent = httpx.Response(200, headers={"content-type": "application/json"}, stream=Stream(long))
    gate = make_gateway(Provider(sent), model("gpt", deployment("alpha")), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 500_000)
    await gate.services.limits.load({}, [])
    asked = {**ASKED, "stream": True, "max_tokens": 1000}
    answer = await gate.ask(asked, path="/alpha/v1/chat/completions")
    assert not answer.complete and len(answer.chunks) < 200
    assert [end.error_code for end in gate.ends] == ["budget_exceeded"]


async def test_a_client_that_left_before_an_images_last_byte_owes_it(make_gateway) -> None:
    never = asyncio.Event()
    sent = httpx.Response(200, headers={"content-type": "application/json"}, stream=Stream([b"{", never]))
    gate = make_gateway(Provider(sent), model("gpt", deployment("alpha")), **ALLOWED)
    dear = {**ASKED, "max_tokens": 100_000}  # too dear to wait for its end
    await gate.ask(dear, path="/alpha/v1/images/generations", leave_after=1)
    [end] = gate.ends
    assert (end.status, end.tokens.output_tokens) == ("cancelled", 16_384)


@pytest.mark.parametrize("count", [1, 2])
async def test_images_that_are_passed_on_hold_what_they_may_cost(make_gateway, count: int) -> None:
    gate = make_gateway(Provider(), model("gpt", deployment("alpha")), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**9)
    await gate.services.limits.load({}, [])
    await gate.ask({"model": "gpt-test", "prompt": "x", "n": count}, path="/alpha/v1/images/generations")
    [begin] = gate.begins
    assert begin.held_nanodollars >= count * 16_384 * 4000


FORM = {"content-type": "multipart/form-data; boundary=x"}


def form(**fields: str) -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    image = '--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nPNG\r\n'
    return "".join([*parts[:1], image, *parts[1:], "--x--\r\n"]).encode()


IMAGE = 16_384 * 4000


@pytest.mark.parametrize(
    ("raw", "most", "status"),
    [
        (form(model="gpt-test", n="3"), 3, 200),
        (form(model="gpt-test", n="1000"), 128, 200),
        (form(model="gpt-test", n="many"), 1, 200),
        (form(model="gpt-test"), 1, 200),
        (form(n="3"), 0, 403),  # without a model nothing has a price
        (form(model="gpt-test", n="3")[:-20], 0, 403),
    ],
)
async def test_a_form_holds_as_many_images_as_it_asks_for(
    make_gateway, raw: bytes, most: int, status: int
) -> None:
    provider = Provider()
    gate = make_gateway(provider, model("gpt", deployment("alpha")), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**11)
    await gate.services.limits.load({}, [])
    assert (await gate.ask(raw, path="/alpha/v1/images/edits", headers=FORM)).status == status
    assert provider.bodies == [raw] * (status == 200)  # byte for byte
    held = [begin.held_nanodollars for begin in gate.begins]
    assert all(most * IMAGE <= each < (most + 1) * IMAGE for each in held) and bool(held) == bool(most)


def picture(name: str) -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\nPNG\r\n'.encode()


def jsoned(body: Any) -> bytes:
    return json.dumps(body).encode()


ADDRESS = {"image_url": "https://example.test/a.png"}


@pytest.mark.parametrize(
    ("raw", "kind", "sent"),
    [
        (form(model="gpt-test"), FORM, 1),
        (form(model="gpt-test").replace(b"--x--", picture("image[]") * 3 + b"--x--"), FORM, 4),
        (form(model="gpt-test").replace(b"--x--", picture("mask") + b"--x--"), FORM, 2),
        (form(model="gpt-test")[:-5], FORM, 16),  # as many as there may be
        (jsoned({"images": [ADDRESS] * 5, "mask": ADDRESS}), {"content-type": "application/json"}, 6),
        (jsoned({"prompt": "x", "images": 3}), {"content-type": "application/json"}, 1),  # passed on as it is
    ],
)
async def test_an_edit_holds_for_each_image_that_is_sent(
    make_gateway, raw: bytes, kind: dict[str, str], sent: int
) -> None:
    gate = make_gateway(Provider(), model("gpt", deployment("alpha")), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**11)
    await gate.services.limits.load({}, [])
    await gate.ask(raw, path="/alpha/models/gpt-test/images/edits", headers=kind)
    made = 10 if sent == 16 else 1
    each = 8000 * 1000
    (begin,) = gate.begins
    assert made * IMAGE + sent * each <= begin.held_nanodollars < made * IMAGE + (sent + 1) * each


async def test_a_form_that_cannot_be_read_holds_as_many_images_as_there_may_be(make_gateway) -> None:
    gate = make_gateway(Provider(), model("gpt", deployment("alpha")), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**11)
    await gate.services.limits.load({}, [])
    path = "/alpha/models/gpt-test/images/edits"
    await gate.ask(form(model="gpt-test", n="3")[:-20], path=path, headers=FORM)
    assert gate.begins[0].held_nanodollars >= 10 * IMAGE


async def test_a_narrowed_key_may_pass_a_form_with_a_model_it_may_use(make_gateway) -> None:
    gate = make_gateway(
        Provider(), model("gpt", deployment("alpha")), models_allowed=("gpt-test",), **ALLOWED
    )
    path = "/alpha/v1/images/edits"
    statuses = [
        (await gate.ask(raw, path=path, headers=FORM)).status
        for raw in (
            form(model="gpt-test"),
            form(model="other"),
            form(model="gpt-test").replace(b"--x--", form(model="other")),  # both
        )
    ]
    assert statuses == [200, 403, 403]


GEMINI = "/alpha/v1beta/models/gpt-test:generateContent"


@pytest.mark.parametrize(
    "config",
    [
        {"generationConfig": {"candidateCount": 3}},
        {"generation_config": {"candidate_count": 3.0}},
        {"generationConfig": {"candidateCount": "3"}, "generation_config": {"candidateCount": 1}},
    ],
)
async def test_several_candidates_are_held_as_many_times(make_gateway, config: Any) -> None:
    held = []
    for more in ({}, config):
        limit = {"maxOutputTokens": 1000, **more.get("generationConfig", {})}
        gate = make_gateway(Provider(), model("gpt", deployment("alpha", "gemini")), **ALLOWED)
        gate.keeper.current = with_budget(gate.keeper.current, "key", 10**10)
        await gate.services.limits.load({}, [])
        await gate.ask({"contents": [], **more, "generationConfig": limit}, path=GEMINI)
        held.append(gate.begins[0].held_nanodollars)
    assert held[1] - held[0] >= 2 * 1000 * 4000


async def test_a_limit_that_gemini_s_callers_name_stands(make_gateway) -> None:
    provider = Provider()
    gate = make_gateway(provider, model("gpt", deployment("alpha", "gemini")), **ALLOWED)
    gate.keeper.current = with_budget(gate.keeper.current, "key", 10**7)
    await gate.services.limits.load({}, [])
    await gate.ask({"contents": [], "generationConfig": {"maxOutputTokens": 10}}, path=GEMINI)
    assert json.loads(provider.bodies[0])["generationConfig"] == {"maxOutputTokens": 10}
    [begin] = gate.begins
    assert begin.held_nanodollars < 10**6


@pytest.mark.parametrize("size", [1_000, 100_000])
async def test_a_recording_that_is_passed_on_is_estimated_by_its_size(make_gateway, size: int) -> None:
    gate = make_gateway(
        Provider(httpx.Response(200, content=b"hello")), model("gpt", deployment("alpha")), **ALLOWED
    )
    headers = {"content-type": "multipart/form-data; boundary=x"}
    await gate.ask(bytes(size), path="/alpha/v1/audio/transcriptions", headers=headers)
    [end] = gate.ends
    assert end.tokens.input_tokens == (size // 16_000 + 1) * 17
