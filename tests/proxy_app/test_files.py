"""Files in Anthropic's and Google's own words: whose they are, where they go, what an upload gives away."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from gateway_project.clock import now_ms
from keys_app.secrets import hash_secret
from proxy_app.file_kinds import FILES_BETA, KINDS, dialect_at
from proxy_app.providers.presets import PRESETS
from proxy_app.upload_tickets import VALID_MS, Ticket, seal
from tests.proxy_app.batches import STRANGER, get, opened
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.harness import CANARY, SECRET, Answer, Gateway, deployment, model
from tests.proxy_app.harness import provider as entry
from tests.proxy_app.levels import with_rate
from tests.proxy_app.pairs.hearing import error_in
from usage_app.records import Stored

HERE = "service:service-1/production"
ANTHROPIC = {"anthropic-version": "2023-06-01"}
START = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
LAST = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
UPLOAD = "/upload/v1beta/files"


class Provider:
    """Anthropic's and Google's files at once; Google names `url` as the address where an upload goes on."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []
        self.url = f"http://google.test{UPLOAD}?upload_id=theirs&key={CANARY}&upload_protocol=resumable"
        self.gone: set[str] = set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        path = request.url.path
        if request.url.host == "claude.test":
            return self._anthropic(request, path.removeprefix("/v1/files").strip("/"))
        if path == UPLOAD and request.headers.get("x-goog-upload-command") == "start":
            return httpx.Response(
                200, headers={"x-goog-upload-url": self.url, "x-goog-upload-status": "active"}
            )
        if path == UPLOAD:
            is_last = "upload" not in request.headers.get("x-goog-upload-command", "finalize")
            is_last = is_last or "finalize" in request.headers["x-goog-upload-command"]
            status = {"x-goog-upload-status": "final" if is_last else "active"}
            return httpx.Response(
                200, headers=status, json={"file": {"name": "files/new"}} if is_last else {}
            )
        name = path.removeprefix("/v1beta/").removesuffix(":download")
        if name in self.gone:
            error = {"code": 403, "message": "You do not have permission", "status": "PERMISSION_DENIED"}
            return httpx.Response(403, json={"error": error})
        return httpx.Response(200, json={} if request.method == "DELETE" else {"name": name})

    def _anthropic(self, request: httpx.Request, name: str) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"id": "file_new", "type": "file"})
        return httpx.Response(200, json={"id": name, "type": "file"})


@pytest.fixture
def provider() -> Provider:
    return Provider()


def keeps(name: str, wire: str, files: Any) -> Any:
    made = deployment(name, wire)
    return replace(made, provider=replace(made.provider, quirks={"files": files}))


@pytest.fixture
async def gate(make_gateway: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Anthropic and Google, and two keys of different services."""
    monkeypatch.setattr("proxy_app.stored.PATIENCE_S", 0.0)
    models = (
        model("claude", keeps("claude", "anthropic", "anthropic")),
        model("gemini", keeps("google", "gemini", "gemini")),
    )
    return await opened(make_gateway(provider, *models))


def kept(gate: Gateway, name: str, provider: str, at_ms: int = 1) -> None:
    gate.stored_rows.append(Stored("id", at_ms, "file", name, f"provider-{provider}", HERE))


async def begin(gate: Gateway, **more: Any) -> Answer:
    headers = {**START, **more.pop("headers", {})}
    return await gate.ask(more.pop("body", {"file": {}}), path=UPLOAD, headers=headers, **more)


async def go_on(gate: Gateway, address: str, content: bytes = b"all of it", **more: Any) -> Answer:
    """As Google's SDKs do: without a key."""
    parts = urlsplit(address)
    asked = {"path": parts.path, "query": parts.query, "key": None, "headers": LAST, **more}
    return await gate.ask(content, **asked)


# ---------------------------------------------------------------- Anthropic's


async def test_a_file_goes_to_anthropic_as_its_own_caller_asks(gate: Gateway, provider: Provider) -> None:
    headers = {**ANTHROPIC, "content-type": CONTENT_TYPE, "anthropic-beta": "other-1"}
    body = form({"file": b"content"}, expires_in_seconds="60")
    answer = await gate.ask(body, path="/v1/files", headers=headers)
    assert (answer.status, answer.json()) == (200, {"id": "file_new", "type": "file"})
    [sent] = provider.seen
    assert str(sent.url) == "http://claude.test/v1/files"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["anthropic-beta"] == f"other-1,{FILES_BETA}"
    assert b"content" in sent.content and b"expires_in_seconds" in sent.content
    shown = await get(gate, "/v1/files/file_new", headers=ANTHROPIC)
    assert shown.json()["id"] == "file_new"
    assert provider.seen[-1].headers["anthropic-beta"] == FILES_BETA


@pytest.mark.parametrize("path", ["/v1/files", "/files", "/anthropic/v1/files", "/anthropic/files"])
async def test_anthropic_s_list_is_paged_both_ways_that_its_sdks_page(gate: Gateway, path: str) -> None:
    for number in range(5):
        kept(gate, f"file_{number}", "claude", number)
    kept(gate, "files/g", "google", 9)
    found: list[str] = []
    query = "limit=2"
    while query:
        body = (await get(gate, path, query=query, headers=ANTHROPIC)).json()
        found += [each["id"] for each in body["data"]]
        query = f"limit=2&page={body['next_page']}" if body["next_page"] else ""
        assert (body["last_id"], body["has_more"]) == (found[-1], bool(query))
    assert found == [f"file_{number}" for number in (4, 3, 2, 1, 0)]
    after = await get(gate, path, query="after_id=file_2", headers=ANTHROPIC)
    assert [each["id"] for each in after.json()["data"]] == ["file_1", "file_0"]
    named = await get(gate, path, query="ids[]=file_3&ids[]=files/g&ids=file_9", headers=ANTHROPIC)
    assert [each["id"] for each in named.json()["data"]] == ["file_3"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "page=page_file_x", "after_id=x", "before_id=x"])
async def test_a_page_that_cannot_be_is_refused_in_anthropic_s_words(gate: Gateway, query: str) -> None:
    kept(gate, "file_1", "claude")
    answer = await get(gate, "/v1/files", query=query, headers=ANTHROPIC)
    assert error_in("anthropic", 400, answer.json())["type"] == "invalid_request_error"


# ---------------------------------------------------------------- Google's


async def test_google_s_list_is_paged_by_its_tokens(gate: Gateway, provider: Provider) -> None:
    for number in range(3):
        kept(gate, f"files/{number}", "google", number)
    kept(gate, "cachedContents/c", "google", 9)
    kept(gate, "file_1", "claude", 9)
    first = (await get(gate, "/v1beta/files", query="pageSize=2")).json()
    assert [each["name"] for each in first["files"]] == ["files/2", "files/1"]
    rest = await get(gate, "/v1beta/files", query=f"pageSize=2&pageToken={first['nextPageToken']}")
    assert rest.json() == {"files": [{"name": "files/0"}]}
    for size in ("0", "1000"):
        assert len((await get(gate, "/v1beta/files", query=f"pageSize={size}")).json()["files"]) == 3
    bad = await get(gate, "/v1beta/files", query="pageToken=x")
    assert error_in("gemini", 400, bad.json())["status"] == "INVALID_ARGUMENT"


async def test_what_google_has_no_more_is_unknown_and_no_fault_of_our_credential(
    gate: Gateway, provider: Provider
) -> None:
    kept(gate, "files/old", "google", 1)
    kept(gate, "files/new", "google", 2)
    provider.gone.add("files/old")
    listed = await get(gate, "/v1beta/files")
    assert listed.json() == {"files": [{"name": "files/new"}]}
    for method, verb in (("GET", ""), ("DELETE", ""), ("GET", ":download")):
        answer = await get(gate, f"/v1beta/files/old{verb}", method=method)
        assert error_in("gemini", 404, answer.json())["status"] == "NOT_FOUND"


async def test_an_upload_goes_on_at_an_address_here_that_tells_nothing(
    gate: Gateway, provider: Provider
) -> None:
    begun = await begin(gate)
    address = begun.headers["x-goog-upload-url"]
    assert (begun.status, begun.headers["x-goog-upload-status"]) == (200, "active")
    assert urlsplit(address).path == UPLOAD and "google.test" not in address
    for secret in (CANARY, SECRET, "theirs", hash_secret(SECRET)):
        assert secret not in address
    part = {"x-goog-upload-command": "upload", "x-goog-upload-offset": "0"}
    assert (await go_on(gate, address, b"one", headers=part)).headers["x-goog-upload-status"] == "active"
    assert (await get(gate, "/v1beta/files/new")).status == 404
    last = await go_on(gate, address, b"two", headers={**LAST, "x-goog-upload-offset": "3"})
    assert last.json() == {"file": {"name": "files/new"}}
    sent = provider.seen[-1]
    assert dict(parse_qsl(sent.url.query.decode())) == {"upload_id": "theirs", "upload_protocol": "resumable"}
    assert (sent.content, sent.headers["x-goog-upload-offset"]) == (b"two", "3")
    assert sent.headers["authorization"] == f"Bearer {CANARY}"
    assert (await get(gate, "/v1beta/files/new")).status == 200
    assert (await get(gate, "/v1beta/files/new", key=STRANGER)).status == 404
    assert gate.ends == [] or {end.status for end in gate.ends} == {"refused"}


async def test_an_upload_goes_on_as_long_as_its_key_works(gate: Gateway, provider: Provider) -> None:
    address = (await begin(gate)).headers["x-goog-upload-url"]
    picture = gate.keeper.current
    blocked = {name: replace(key, blocked=True) for name, key in picture.keys.items()}
    gate.keeper.current = replace(picture, keys=blocked)
    seen = len(provider.seen)
    assert error_in("gemini", 401, (await go_on(gate, address)).json())["status"] == "UNAUTHENTICATED"
    assert len(provider.seen) == seen


@pytest.mark.parametrize("case", ["forged", "of another", "over", "nothing"])
async def test_an_address_that_nobody_here_sealed_leads_nowhere(
    gate: Gateway, provider: Provider, case: str
) -> None:
    until = now_ms() + (-1 if case == "over" else VALID_MS)
    sealed = seal(Ticket(hash_secret(SECRET), "provider-google", f"{UPLOAD}?upload_id=theirs", until))
    shown = {"forged": sealed[:-9] + "AAAAAAAAA", "of another": f"v1.{'0' * 8}.x", "over": sealed}.get(
        case, "x"
    )
    answer = await go_on(gate, f"http://here{UPLOAD}?upload_id={shown}")
    assert answer.status == 401 and provider.seen == []
    # Nor does a key of the sender's own make it another's.
    assert (await go_on(gate, f"http://here{UPLOAD}?upload_id={shown}", key=STRANGER)).status == 401


@pytest.mark.parametrize(
    ("told", "path"),
    [
        (f"https://relay.example/gemini{UPLOAD}", f"/gemini{UPLOAD}"),
        (f"https://relay.example{UPLOAD}", f"/gemini{UPLOAD}"),  # in Google's own words
        (f"https://generativelanguage.googleapis.com{UPLOAD}", f"/gemini{UPLOAD}"),
        (f"https://relay.example/gemini-2{UPLOAD}", f"/gemini/gemini-2{UPLOAD}"),
        (f"https://relay.example.evil.test/gemini{UPLOAD}", ""),
    ],
)
async def test_an_upload_at_a_relay_stays_behind_its_base_address(
    make_gateway: Any, monkeypatch: pytest.MonkeyPatch, told: str, path: str
) -> None:
    monkeypatch.setattr("proxy_app.stored.PATIENCE_S", 0.0)
    seen: list[httpx.Request] = []

    async def relay(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.headers["x-goog-upload-command"] == "start":
            headers = {"x-goog-upload-url": f"{told}?upload_id=theirs", "x-goog-upload-status": "active"}
            return httpx.Response(200, headers=headers)
        return httpx.Response(200, json={"file": {"name": "files/new"}})

    entry = keeps("google", "gemini", "gemini")
    entry = replace(entry, provider=replace(entry.provider, base_url="https://relay.example/gemini"))
    gate = await opened(make_gateway(relay, model("gemini", entry)))
    begun = await begin(gate)
    if not path:
        assert begun.status == 502
    else:
        assert (await go_on(gate, begun.headers["x-goog-upload-url"])).status == 200
    assert [request.url.path for request in seen] == [f"/gemini{UPLOAD}", *([path] if path else [])]
    assert {request.url.host for request in seen} == {"relay.example"}
    if path:  # nor is it a stranger's
        assert [record.object_id for record in gate.records(Stored)] == ["files/new"]


async def test_an_upload_that_would_go_on_at_another_host_does_not(gate: Gateway, provider: Provider) -> None:
    provider.url = "http://elsewhere.test/upload?upload_id=x"
    answer = await begin(gate)
    assert answer.status == 502 and "x-goog-upload-url" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({}, {"file": {"name": "files/mine"}}, "named by their provider"),
        ({}, {"file": 3}, "not a JSON object"),
        ({}, b"{", "not a JSON object"),
        ({"x-goog-upload-command": "start, upload"}, {}, "begins with the command 'start'"),
        ({"x-goog-upload-protocol": "multipart"}, {}, "'resumable' and 'raw'"),
        ({"x-goog-upload-protocol": ""}, {}, "'resumable' and 'raw'"),
    ],
)
async def test_an_upload_that_cannot_be_begun_is_refused_in_google_s_words(
    gate: Gateway, provider: Provider, headers: dict[str, str], body: Any, said: str
) -> None:
    answer = await begin(gate, headers=headers, body=body)
    error = error_in("gemini", 400, answer.json())
    assert said in error["message"] and error["status"] == "INVALID_ARGUMENT"
    assert provider.seen == []


@pytest.mark.parametrize(
    "how", [{"headers": {"x-goog-upload-protocol": "raw"}}, {"query": "uploadType=media"}]
)
async def test_a_file_may_come_in_one_piece(gate: Gateway, provider: Provider, how: dict[str, Any]) -> None:
    headers = {"content-type": "text/plain", **how.get("headers", {})}
    answer = await gate.ask(b"all of it", path=UPLOAD, headers=headers, query=how.get("query", ""))
    assert answer.json() == {"file": {"name": "files/new"}}
    sent = provider.seen[-1]
    assert (sent.content, sent.headers["content-type"]) == (b"all of it", "text/plain")
    assert (await get(gate, "/v1beta/files/new")).status == 200


# ---------------------------------------------------------------- who keeps them


@pytest.mark.parametrize(
    ("ask", "format"),
    [
        ({"path": "/v1/files", "method": "GET"}, "openai_chat"),
        ({"path": "/v1/files", "method": "GET", "headers": ANTHROPIC}, "anthropic"),
        ({"path": "/v1beta/files", "method": "GET"}, "gemini"),
        ({"path": "/v1beta/files"}, "gemini"),
        ({"path": UPLOAD, "headers": START, "body": {}}, "gemini"),
        (
            {
                "path": "/v1/files",
                "headers": {**ANTHROPIC, "content-type": CONTENT_TYPE},
                "body": form({"file": b"x"}),
            },
            "anthropic",
        ),
    ],
)
async def test_where_no_provider_keeps_such_files_the_caller_hears_so_in_its_own_words(
    make_gateway: Any, provider: Provider, ask: dict[str, Any], format: str
) -> None:
    gate = make_gateway(provider, model("gpt", keeps("alpha", "openai_chat", False)))
    answer = await gate.ask(**ask)
    assert error_in(format, 404, answer.json())["message"]
    assert gate.ends[0].error_code == "endpoint_not_served" and provider.seen == []


async def test_of_several_providers_the_caller_names_one(make_gateway: Any, provider: Provider) -> None:
    models = [model(name, keeps(name, "gemini", "gemini")) for name in ("google", "other")]
    gate = make_gateway(provider, *models)
    refused = await begin(gate)
    assert "google, other" in error_in("gemini", 400, refused.json())["message"]
    begun = await begin(gate, headers={"x-gatehouse-provider": "google"})
    assert begun.status == 200 and provider.seen[-1].url.host == "google.test"


async def test_a_file_of_one_api_is_none_of_another_s(gate: Gateway) -> None:
    kept(gate, "file_1", "claude")
    assert (await get(gate, "/v1/files/file_1", headers=ANTHROPIC)).status == 200
    assert (await get(gate, "/v1/files/file_1")).status == 404
    assert (await get(gate, "/v1beta/files/file_1")).status == 404


async def test_the_pieces_of_an_upload_do_not_run_into_a_limit_of_requests(gate: Gateway) -> None:
    gate.keeper.current = with_rate(gate.keeper.current, "key", requests_per_minute=1)
    address = (await begin(gate)).headers["x-goog-upload-url"]
    part = {"x-goog-upload-command": "upload", "x-goog-upload-offset": "0"}
    for _ in range(3):
        assert (await go_on(gate, address, headers=part)).status == 200
    assert (await begin(gate)).status == 429


def test_every_kind_s_files_are_named_by_a_format_that_has_them() -> None:
    for preset in PRESETS.values():
        if "files" in preset.quirks:
            assert dialect_at(entry("x", quirks=dict(preset.quirks))) in KINDS, preset.kind
