"""Whatever is posted to whichever address: the status is never 500, an error has the caller's own shape."""

from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_project.errors import BadRequest
from gateway_project.handler import find_view
from proxy_app.batch_lines import read_line
from proxy_app.health import Health
from proxy_app.urls import PATHS, PATTERNS
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.harness import Answer, Gateway, deployment, gateway, model
from tests.proxy_app.pairs.fuzzing import encoded, fuzzed, paths_in, with_odd
from tests.proxy_app.pairs.hearing import error_in
from tests.proxy_app.pairs.providing import Provider
from tests.proxy_app.pairs.speaking import FORMATS, called, media, question, results, user
from tests.proxy_app.test_every_route import BODY as EVERY_FIELD

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(FEW, max_examples=60)
JSON_TYPE = "application/json"
#: Bytes that no endpoint can read, whatever it serves.
BROKEN = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"7",
    b'"x"',
    b"\xff\xfe{",
    b'{"model":',
    b"[" * 100_000,
    b'{"a":' * 2000,
)


def addresses() -> dict[str, list[str]]:
    """View -> every address of its own that takes a POST; models and ids filled in."""
    found: dict[str, list[str]] = {}
    filled = [(path, view) for path, view in PATHS.items()]
    filled += [
        (f"{start}{'models/gpt' if ':' in end else 'gpt'}{end}", view) for start, end, view in PATTERNS
    ]
    for path, view in filled:
        if "POST" in view.methods and find_view(path)[0] is view:
            found.setdefault(view.__name__, []).append(path)
    return found


ADDRESSES = addresses()
EVERY = sorted(path for paths in ADDRESSES.values() for path in paths)


def format_of(path: str) -> str:
    """The format of an address, by its own words."""
    path = path.removeprefix("/v1beta") if path.startswith("/v1beta/openai/") else path
    if ":" in path or path.startswith(("/gemini/", "/v1beta", "/v1alpha", "/upload/")):
        return "gemini"
    if "/messages" in path or path.startswith("/anthropic/"):
        return "anthropic"
    return "openai_responses" if "/responses" in path else "openai_chat"


@cache
def whole(path: str) -> dict[str, Any]:
    """A body that the address takes: a conversation with everything in it, or every field of operations."""
    format = format_of(path)
    if path.endswith("/messages/batches"):
        return {"requests": [{"custom_id": "a", "params": whole("/v1/messages")}]}
    if path.endswith("/completions") and "/chat/" not in path:
        return {"model": "gpt", "prompt": "hello", "max_tokens": 50, "n": 1, "logit_bias": {}, "suffix": None}
    if "mbed" in path or (format == "openai_chat" and "/chat/" not in path):
        more = {"outputDimensionality": 7, "taskType": "SEMANTIC_SIMILARITY"} if ":" in path else {"n": 1}
        return EVERY_FIELD | {"stream": False, "encoding_format": "float"} | more
    parts = [part for kind in ("image", "pdf") if (part := media(format, kind, "aGVsbG8="))]
    turns = [user(format, "Hi"), *called(format), *results(format, ["call_1"]), user(format, parts)]
    more = {
        "metadata": {"tags": "a"},
        "stop": ["x"],
        "temperature": 0.5,
        "tool_choice": "auto",
        "store": False,
    }
    only = {} if format == "gemini" else {"openai_chat": more}.get(format, {"temperature": 0.5})
    return question(format, turns=turns, tools=True, thinks=True) | only


async def answered(request: httpx.Request) -> httpx.Response:
    """The model's name says in which format it is served, and so does its host's."""
    format = request.url.host.partition(".")[0]
    try:
        return await Provider(format)(request)
    except (ValueError, AttributeError):  # a form, or an operation's body
        return httpx.Response(200, json={})


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("proxy_app.stored.PATIENCE_S", 0.0)  # no stored object is on its way here
    made = gateway(tmp_path, answered, *(model(name, deployment(name, name)) for name in FORMATS))
    yield made
    made.services.journal.close()


async def posted(gate: Gateway, path: str, raw: bytes, content_type: str = JSON_TYPE) -> None:
    gate.services.health = Health()  # what failed before is tried again
    answer = await gate.ask(raw, path=path, headers={"content-type": content_type})
    check(path, raw, answer)


def check(path: str, raw: bytes, answer: Answer) -> None:
    assert answer.status not in (0, 500), (path, raw[:300], answer.body)
    if answer.status >= 400:
        assert answer.headers["content-type"].startswith(JSON_TYPE)
        error = error_in(format_of(path), answer.status, answer.json())
        assert "Traceback" not in error["message"]


def to_model(raw: bytes, path: str, served: str) -> tuple[bytes, str]:
    """The same for a model that is served in the format `served`."""
    return raw.replace(b'"gpt"', f'"{served}"'.encode()), path.replace("/gpt", f"/{served}")


@pytest.mark.parametrize("path", EVERY)
async def test_no_address_fails_on_a_body_that_cannot_be_read(gate, path):
    for raw in BROKEN:
        await posted(gate, path, raw)
    for raw in (b"", b"--x", form({"file": b"x"})[:-9], form(model="gpt")):
        await posted(gate, path, raw, CONTENT_TYPE)


@pytest.mark.parametrize("path", EVERY)
@FEW
@given(data=st.data())
async def test_no_address_fails_on_a_fuzzed_body(gate, path, data):
    await posted(gate, *fuzzed_for(path, data))


@pytest.mark.parametrize("view", ADDRESSES)
@MANY
@given(data=st.data())
async def test_no_endpoint_fails_on_many_fuzzed_bodies(gate, view, data):
    await posted(gate, *fuzzed_for(ADDRESSES[view][0], data))


def fuzzed_for(path: str, data: st.DataObject) -> tuple[str, bytes]:
    raw = data.draw(fuzzed(whole(path)))
    raw, path = to_model(raw, path, data.draw(st.sampled_from(FORMATS)))
    return path, raw


@pytest.mark.parametrize("view", ADDRESSES)
async def test_a_deep_nest_anywhere_in_a_body_is_no_failure(gate, view):
    """JSON is read deeper than it is written, and deeper than Python's own stack may go."""
    path = ADDRESSES[view][0]
    for place in paths_in(whole(path)):
        for nest in ("@objects260@", "@lists1000@"):
            for served in FORMATS:
                raw, there = to_model(encoded(with_odd(whole(path), place, nest)), path, served)
                await posted(gate, there, raw)


@pytest.mark.parametrize("view", ADDRESSES)
async def test_a_wrong_type_anywhere_in_a_body_is_no_failure(gate, view):
    path = ADDRESSES[view][0]
    for place in paths_in(whole(path)):
        for odd in ([], -1):
            for served in FORMATS:
                raw, there = to_model(encoded(with_odd(whole(path), place, odd)), path, served)
                await posted(gate, there, raw)


def test_a_deep_nest_in_a_line_of_a_batch_is_refused() -> None:
    for depth in (260, 1000):
        nest = b"[" * depth + b"]" * depth
        with pytest.raises(BadRequest, match="nested too deeply"):
            read_line(1, b'{"url": "/v1/chat/completions", "body": {"model": "gpt", "x": %b}}' % nest)


#: Views whose body is no JSON, or which name what is not there: nothing of theirs is served here.
UNSERVED = {
    "FileUploads",
    "Files",
    "Batches",
    "CancelBatch",
    "CancelMessageBatch",
    "MessageBatches",  # no provider here has them
    "CancelResponse",
    "ImageEdits",
    "Transcriptions",
    "Translations",
}


@pytest.mark.parametrize("view", sorted(ADDRESSES.keys() - UNSERVED))
async def test_the_body_that_is_fuzzed_is_taken_as_it_is(gate, view):
    """Else the fuzz would never get past the first look at a body. 502: the provider had nothing to say."""
    path = ADDRESSES[view][0]
    statuses = set()
    for served in FORMATS:
        raw, there = to_model(encoded(whole(path)), path, served)
        gate.services.health = Health()
        statuses.add((await gate.ask(raw, path=there)).status)
    assert statuses & {200, 502}
