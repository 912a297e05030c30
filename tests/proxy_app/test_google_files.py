"""Files that Google keeps: whoever brought one may show it to a model, a stranger gets the 404 of none."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from proxy_app.google_files import file_name
from tests.proxy_app.batches import STRANGER, opened
from tests.proxy_app.harness import Gateway, deployment, model
from tests.proxy_app.pairs.providing import Provider
from tests.proxy_app.pairs.speaking import FORMATS, question, user, where
from usage_app.records import Stored

HERE = "service:service-1/production"
URI = "https://generativelanguage.googleapis.com/v1beta/files/abc-1"
UPLOADED = {"file": {"name": "files/abc-1", "uri": URI, "mimeType": "application/pdf"}}


def naming(format: str, address: str) -> Any:
    """A part that names a file by its address, in the words of the format."""
    return {
        "openai_chat": {"type": "image_url", "image_url": {"url": address}},
        "openai_responses": {"type": "input_file", "file_url": address},
        "anthropic": {"type": "document", "source": {"type": "url", "url": address}},
        "gemini": {"fileData": {"fileUri": address, "mimeType": "application/pdf"}},
    }[format]


class Google(Provider):
    """Takes uploads besides."""

    def __init__(self, form: str) -> None:
        super().__init__(form)
        self.uploads: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/upload/v1beta/files"):
            self.uploads.append(request.url.path)
            return httpx.Response(200, json=UPLOADED)
        if request.url.path.endswith("/cachedContents"):
            return httpx.Response(200, json=CACHE)
        if request.url.path.endswith(":countTokens"):
            self.seen.append(request)
            return httpx.Response(200, json={"totalTokens": 3})
        return await super().__call__(request)


@pytest.fixture
def google() -> Google:
    return Google("gemini")


@pytest.fixture
async def gate(make_gateway: Any, google: Google, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Two keys of different services before one account of Google's."""
    monkeypatch.setattr("proxy_app.stored.PATIENCE_S", 0.0)
    made = make_gateway(
        google, model("gpt", deployment("alpha", "gemini")), endpoints_allowed=("*", "passthrough")
    )
    return await opened(made)


async def ask(gate: Gateway, format: str, address: str = URI, **more: Any) -> Any:
    body = question(format, turns=[user(format, [naming(format, address)])])
    if format == "openai_responses":
        body["store"] = False
    return await gate.ask(body, **{**where(format, False), **more})


@pytest.mark.parametrize("format", FORMATS)
async def test_whoever_brought_a_file_may_name_it_and_nobody_else(gate, google, format):
    headers = {"content-type": "multipart/related; boundary=x", "x-goog-upload-protocol": "multipart"}
    brought = await gate.ask(b"--x--", path="/alpha/upload/v1beta/files", headers=headers)
    assert brought.status == 200 and brought.json() == UPLOADED
    assert (await ask(gate, format)).status in (200, 400)  # the owner: carried, or no such part here
    was_seen = len(google.seen)
    refused = await ask(gate, format, key=STRANGER)
    never = await ask(gate, format, URI.replace("abc-1", "xyz-2"), key=STRANGER)
    assert refused.status == never.status == 404 and len(google.seen) == was_seen
    words = [answer.json()["error"]["message"].partition(" (request")[0] for answer in (refused, never)]
    assert words[0].replace("abc-1", "xyz-2") == words[1] and "files/abc-1" in words[0]


async def test_the_owner_s_address_reaches_google_unchanged(gate, google):
    gate.stored_rows.append(Stored("id", 1, "file", "files/abc-1", "provider-alpha", HERE))
    assert (await ask(gate, "gemini")).status == 200
    assert google.seen[-1]["contents"][0]["parts"] == [naming("gemini", URI)]
    assert (await ask(gate, "openai_chat")).status == 200
    [part] = google.seen[-1]["contents"][0]["parts"]
    assert part["fileData"]["fileUri"] == URI


@pytest.mark.parametrize(
    "address",
    [
        URI,
        "files/abc-1",
        "HTTPS://GenerativeLanguage.googleapis.com/v1beta/files/abc-1",
        "https://generativelanguage.googleapis.com:443/v1/files/abc-1?alt=media#x",
        "https://generativelanguage.googleapis.com/v1beta/%66iles/abc-1/",
        " https://user@generativelanguage.googleapis.com/v1beta/files/abc-1",
    ],
)
async def test_a_stranger_s_file_is_found_however_its_address_is_written(gate, google, address):
    assert file_name(address) == "files/abc-1"
    gate.stored_rows.append(Stored("id", 1, "file", "files/abc-1", "provider-alpha", HERE))
    for word in ("fileUri", "file_uri", "file\\u0055ri"):
        raw = b'{"contents":[{"parts":[{"fileData":{"%s":"%s"}}]}]}' % (word.encode(), address.encode())
        answer = await gate.ask(raw, **where("gemini", False), key=STRANGER)
        assert (answer.status, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert not google.seen


async def test_no_other_format_gets_past_with_the_host_in_other_letters(gate, google):
    for address in (URI.replace("generative", "Generative"), URI.replace("generative", "GENERATIVE")):
        assert (await ask(gate, "openai_chat", address, key=STRANGER)).status in (400, 404)
    assert not google.seen


async def test_a_count_tells_nothing_of_a_stranger_s_file(gate, google):
    path = "/v1beta/models/gpt:countTokens"
    body = question("gemini", turns=[user("gemini", [naming("gemini", URI)])])
    assert (await gate.ask(body, path=path, key=STRANGER)).status == 404 and not google.seen
    gate.stored_rows.append(Stored("id", 1, "file", "files/abc-1", "provider-alpha", HERE))
    assert (await gate.ask({"contents": body["contents"]}, path=path)).status == 200


CACHE = {"name": "cachedContents/c-1", "model": "models/gpt"}


@pytest.mark.parametrize("word", ["cachedContent", "cached_content", "cached\\u0043ontent"])
@pytest.mark.parametrize("name", ["cachedContents/c-1", "projects/p/locations/l/cachedContents/c-1"])
async def test_what_one_cached_is_nobody_else_s_to_ask_about(gate, google, word, name):
    made = await gate.ask(CACHE, path="/alpha/v1beta/cachedContents")
    assert made.status == 200
    raw = b'{"contents":[{"parts":[{"text":"hi"}]}],"%s":"%s"}' % (word.encode(), name.encode())
    assert (await gate.ask(raw, **where("gemini", False), key=STRANGER)).status == 404
    assert not google.seen
    assert (await gate.ask(raw, **where("gemini", False))).status == 200
    assert google.seen[-1][word.replace("\\u0043", "C")] == name


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("address", ["gs://bucket/a.pdf", "GS://bucket/a.pdf", " s3://bucket/a.pdf"])
async def test_storage_that_the_gateway_s_account_can_read_is_closed_to_callers(
    gate, google, format, address
):
    refused = await ask(gate, format, address)
    assert refused.status == 400 and b"the gateway's own account" in refused.body and not google.seen


PASSED = {
    "in a conversation": (b'{"contents":[{"parts":[{"fileData":{"fileUri":"gs://bucket/a"}}]}]}', {}, ""),
    "in a field of its own": (b'{"uris":["gs://bucket/a"]}', {}, ""),
    "as a name": (b'{"gs://bucket/a":1}', {}, ""),
    "in other letters": (b'{"gcsSource":{"uri":" \\u0067S://bucket/a "}}', {}, ""),
    "under another type": (b' {"uri":"s3://bucket/a"}', {"content-type": "text/plain"}, ""),
    "in the address": (b"{}", {}, "uri=gs%3A%2F%2Fbucket%2Fa"),
}


@pytest.mark.parametrize("how", PASSED)
async def test_storage_is_closed_to_what_is_passed_on_too(make_gateway, google, how):
    raw, headers, query = PASSED[how]
    for opened_to, status in (((), 400), (("gs://bucket/", "gS://bucket/", "s3://bucket/"), 200)):
        entry = deployment("alpha", "gemini")
        entry = replace(entry, provider=replace(entry.provider, quirks={"storage": opened_to}))
        gate = make_gateway(google, model("gpt", entry), endpoints_allowed=("passthrough",))
        answer = await gate.ask(
            raw, path="/alpha/v1beta/models/gpt:countTokens", headers=headers, query=query
        )
        assert answer.status == status, answer.body
        assert len(google.seen) == (status == 200)
    assert not answer.json().get("error")


async def test_words_about_a_storage_and_files_that_hold_them_pass(make_gateway, google):
    gate = make_gateway(
        google, model("gpt", deployment("alpha", "gemini")), endpoints_allowed=("passthrough",)
    )
    path = "/alpha/v1beta/models/gpt:countTokens"
    said = {"contents": [{"parts": [{"text": "gs://bucket/a is what I asked you for"}]}]}
    assert (await gate.ask(said, path=path)).status == 200
    headers = {"content-type": "application/octet-stream"}
    assert (await gate.ask(b"%PDF gs://bucket/a", path=path, headers=headers)).status == 200


async def test_storage_that_an_admin_opened_may_be_named(make_gateway, google):
    opened_to = replace(deployment("alpha", "gemini").provider, quirks={"storage": ["gs://bucket/shared/"]})
    gate = make_gateway(google, model("gpt", replace(deployment("alpha", "gemini"), provider=opened_to)))
    for address, status in (
        ("gs://bucket/shared/a.pdf", 200),
        ("gs://bucket/secret/a.pdf", 400),
        ("gs://bucket/shared", 400),
    ):
        assert (await ask(gate, "gemini", address)).status == status
    assert [each["contents"][0]["parts"][0]["fileData"]["fileUri"] for each in google.seen] == [
        "gs://bucket/shared/a.pdf"
    ]


ELSEWHERE = "https://proxy.corp/google/v1beta/files/abc-1"


@pytest.fixture
async def behind_a_proxy(make_gateway: Any, google: Google, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The same before a Gemini at another base address."""
    monkeypatch.setattr("proxy_app.stored.PATIENCE_S", 0.0)
    entry = deployment("alpha", "gemini")
    quirks = {"web_media": True}
    entry = replace(
        entry, provider=replace(entry.provider, base_url="https://proxy.corp/google", quirks=quirks)
    )
    return await opened(make_gateway(google, model("gpt", entry), endpoints_allowed=("*", "passthrough")))


@pytest.mark.parametrize("format", FORMATS)
async def test_a_file_at_another_base_address_is_its_owner_s_too(behind_a_proxy, google, format):
    gate = behind_a_proxy
    refused = await ask(gate, format, ELSEWHERE)
    assert refused.status == 404 and "files/abc-1" in refused.json()["error"]["message"]
    gate.stored_rows.append(Stored("id", 1, "file", "files/abc-1", "provider-alpha", HERE))
    assert (await ask(gate, format, ELSEWHERE)).status == 200
    assert (await ask(gate, format, ELSEWHERE, key=STRANGER)).status == 404
    assert len(google.seen) == 1 and ELSEWHERE in str(google.seen[0])


@pytest.mark.parametrize(
    "address",
    [
        "HTTPS://Proxy.Corp/google/v1beta/files/abc-1",
        "https://proxy.corp:443/google/v1/files/abc-1?alt=media#x",
        "https://prox%79.corp/google/v1beta/%66iles/abc-1/",
        " https://user@proxy.corp/v1beta/files/abc-1",
        "https://proxy.corp/v1beta/FILES/abc-1",
    ],
)
@pytest.mark.parametrize("format", FORMATS)
async def test_nor_is_it_a_stranger_s_in_other_letters(behind_a_proxy, google, format, address):
    behind_a_proxy.stored_rows.append(Stored("id", 1, "file", "files/abc-1", "provider-alpha", HERE))
    assert (await ask(behind_a_proxy, format, address, key=STRANGER)).status in (400, 404)
    assert not google.seen


@pytest.mark.parametrize(
    "address", ["https://proxy.corp/pictures/a.png", "https://other.corp/v1/files/abc-1"]
)
async def test_what_else_lies_at_that_host_or_another_is_anybody_s(behind_a_proxy, google, address):
    for format in FORMATS:
        assert (await ask(behind_a_proxy, format, address)).status == 200
    assert len(google.seen) == len(FORMATS)


async def test_what_is_brought_behind_a_base_with_a_path_is_its_sender_s(behind_a_proxy, google):
    headers = {"content-type": "multipart/related; boundary=x", "x-goog-upload-protocol": "multipart"}
    brought = await behind_a_proxy.ask(b"--x--", path="/alpha/upload/v1beta/files", headers=headers)
    assert brought.status == 200 and google.uploads == ["/google/upload/v1beta/files"]
    assert (await ask(behind_a_proxy, "gemini", ELSEWHERE)).status == 200
    assert (await ask(behind_a_proxy, "gemini", ELSEWHERE, key=STRANGER)).status == 404


@pytest.mark.parametrize(
    "address", ["https://youtu.be/x", "https://a.test/files/abc-1", "gs://bucket/files/a"]
)
def test_an_address_elsewhere_is_no_file_of_google_s(address):
    assert file_name(address) is None
