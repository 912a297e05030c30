"""The data plane's part of the permission matrix: each address of its tables, by each kind of caller.

A view without a row fails: whoever adds one says what a key must be allowed for it.
"""

from collections.abc import Iterator

import httpx
import pytest

from proxy_app.urls import PATHS, PATTERNS
from proxy_app.views.base import APIView
from tests.proxy_app.harness import MASTER, SECRET, Gateway, asked, completion

#: view -> the endpoint a key may be narrowed to; None: for everybody, without a key
TABLE: dict[str, str | None] = {
    "Root": None,
    "Live": None,
    "Ready": None,
    "Metrics": None,  # from this machine, or with the master key: see test_metrics
    "Models": "models",
    "ModelInfo": "models",
    "Model": "models",
    "ChatCompletions": "chat.completions",
    "Responses": "responses",
    "StoredResponse": "responses",
    "CancelResponse": "responses",
    "ResponseInputItems": "responses",
    "CompactResponses": "responses.compact",
    "ResponsesInputTokens": "responses.input_tokens",
    "Messages": "messages",
    "MessagesCountTokens": "messages.count_tokens",
    "GenerateContent": "generate_content",
    "StreamGenerateContent": "generate_content",
    "GeminiCountTokens": "count_tokens",
    "Completions": "completions",
    "Embeddings": "embeddings",
    "EmbedContent": "embeddings",
    "BatchEmbedContents": "embeddings",
    "ImageGenerations": "images.generations",
    "ImageEdits": "images.edits",
    "Speech": "audio.speech",
    "Transcriptions": "audio.transcriptions",
    "Translations": "audio.translations",
    "Moderations": "moderations",
    "Files": "files",
    "File": "files",
    "FileContent": "files",
    "FileUploads": "files",
    "Batches": "batches",
    "Batch": "batches",
    "CancelBatch": "batches",
    "MessageBatches": "messages.batches",
    "MessageBatch": "messages.batches",
    "CancelMessageBatch": "messages.batches",
    "MessageBatchResults": "messages.batches",
    "Rerank": "rerank",
}

#: A list of nothing, a model that is not there, and what was made while its model was still allowed.
NOT_BY_MODEL = (
    *("Models", "ModelInfo", "Model", "StoredResponse", "CancelResponse", "ResponseInputItems"),
    *("File", "FileContent", "Batch", "CancelBatch"),
    *("MessageBatch", "CancelMessageBatch", "MessageBatchResults"),
)


def addresses() -> Iterator[tuple[str, type[APIView]]]:
    yield from PATHS.items()
    for start, end, view in PATTERNS:
        yield f"{start}gpt{end}", view


WAYS_AROUND = (
    *("//v1/chat/completions", "/v1//chat/completions", "/V1/chat/completions", "/v1/chat/completions/"),
    *("/v1/chat%2fcompletions", "/v1/./chat/completions", "/health/../v1/chat/completions"),
)
GUARDED = [(path, view) for path, view in addresses() if TABLE.get(view.__name__)]


@pytest.fixture
def seen() -> list[str]:
    return []


def opened(make_gateway, seen: list[str], **key: object) -> Gateway:
    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(200, json=completion())

    return make_gateway(script, **key)


async def test_what_is_passed_on_needs_a_key_and_the_name_of_the_right(make_gateway, seen: list[str]):
    path = "/alpha/v1/anything"
    for key, allowed, status in (
        (None, ("passthrough",), 401),
        ("sk-gh-" + "z" * 43, ("passthrough",), 401),
        (SECRET, (), 403),
        (SECRET, ("*",), 403),
        (SECRET, ("passthrough",), 200),
        (MASTER, (), 200),
    ):
        gate = opened(make_gateway, seen, endpoints_allowed=allowed)
        assert (await gate.ask(path=path, method="GET", key=key)).status == status, (key, allowed)
    assert len(seen) == 2


def test_every_view_has_a_row_and_every_row_a_view():
    assert {view.__name__ for _path, view in addresses()} == set(TABLE)


def test_the_rows_say_what_the_views_ask_for():
    for _path, view in addresses():
        wanted = TABLE[view.__name__]
        assert view.needs_key is (wanted is not None), view
        assert wanted is None or view.endpoint == wanted, view


@pytest.mark.parametrize(
    "shown",
    [None, "", "sk-gh-" + "z" * 43, "mk-gh-" + "z" * 43, "' OR 1=1 --", "\x00", "é" * 50, "x" * 60_000],
)
async def test_nobody_gets_in_without_a_key_that_is_known(make_gateway, seen: list[str], shown: str | None):
    gate = opened(make_gateway, seen)
    for path, view in GUARDED:
        headers = {} if shown is None else {"x-api-key": shown.encode().decode("latin-1")}
        answer = await gate.ask(asked(), path=path, method=view.methods[0], key=None, headers=headers)
        assert answer.status == 401, (path, answer.status)
    assert seen == []


async def test_a_key_narrowed_to_other_endpoints_is_refused_everywhere_else(make_gateway, seen: list[str]):
    gate = opened(make_gateway, seen, endpoints_allowed=("nothing.here",))
    for path, view in GUARDED:
        answer = await gate.ask(asked(), path=path, method=view.methods[0])
        assert answer.status == 403, (path, answer.status)
    assert seen == []


@pytest.mark.parametrize(
    ("state", "status"), [({"blocked": True}, 401), ({"expires_at_ms": 1}, 401), ({"no_models": True}, 403)]
)
async def test_a_key_that_does_not_work_works_nowhere(
    make_gateway, seen: list[str], state: dict, status: int
):
    gate = opened(make_gateway, seen, **state)
    for path, view in GUARDED:
        if status == 403 and view.__name__ in NOT_BY_MODEL:
            continue
        body = asked() | {"input": "x", "contents": [{"parts": [{"text": "x"}]}], "max_tokens": 5}
        answer = await gate.ask(body, path=path, method=view.methods[0])
        refused = (400, 403, 404) if view.__name__ == "Files" else (400, 403)  # none keeps its files
        assert answer.status in ((status,) if status == 401 else refused), (path, answer.status)
    assert seen == []


async def test_the_way_an_address_is_written_gets_nobody_around_the_check(make_gateway, seen: list[str]):
    gate = opened(make_gateway, seen)
    for path in WAYS_AROUND:
        answer = await gate.ask(asked(), path=path, key=None)
        assert answer.status in (401, 404), (path, answer.status)
    assert seen == []


async def test_the_master_key_calls_models_and_a_management_key_does_not(make_gateway, seen: list[str]):
    gate = opened(make_gateway, seen)
    assert (await gate.ask(asked(), key=MASTER)).status == 200
    assert (await gate.ask(asked(), key="mk-gh-" + "a" * 43)).status == 401
    assert len(seen) == 1
