"""What is no conversation, refused: by budgets, by prices that cannot count it, by its own form."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_project.handler import find_view
from tests.proxy_app import harness
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.operating import DOLLAR, EMBEDDED, IMAGES, answers, budgeted, on_disk, priced

# ---------------------------------------------------------------- budgets and refusals


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "hello"}),
        ("/v1/images/generations", {"prompt": "hello"}),
        ("/v1/audio/speech", {"input": "hello", "voice": "v"}),
        ("/v1/moderations", {"input": "hello"}),
        ("/v1/rerank", {"query": "q", "documents": ["a"]}),
    ],
)
async def test_what_is_held_covers_what_it_costs(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    """A budget that cannot pay for the likely cost refuses; one that can is never overspent."""
    seen: list[httpx.Request] = []
    rates = {"images": 40_000 * DOLLAR, "characters": DOLLAR, "searches": 2_000 * DOLLAR}
    answer_of_all = {**IMAGES, **EMBEDDED, "results": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}}
    poor = await budgeted(
        priced(harness.gateway(tmp_path / "p", answers(answer_of_all, seen)), rates, input=DOLLAR), 0
    )
    refused = await poor.ask({"model": "gpt", **body}, path=path)
    assert refused.status == 429
    assert not seen
    rich = await budgeted(
        priced(harness.gateway(tmp_path / "r", answers(answer_of_all, seen)), rates, input=DOLLAR), DOLLAR
    )
    assert (await rich.ask({"model": "gpt", **body}, path=path)).status == 200
    (end,), (begin,) = rich.ends, rich.begins
    assert begin.held_nanodollars >= (end.cost_nanodollars or 0)


async def test_a_price_that_cannot_count_a_call_is_no_price_for_a_budget(tmp_path: Path) -> None:
    gate = await budgeted(priced(harness.gateway(tmp_path, answers(EMBEDDED)), {"images": DOLLAR}), DOLLAR)
    answer = await gate.ask({"model": "gpt", "input": "x"}, path="/v1/embeddings")
    assert (answer.status, answer.json()["error"]["code"]) == (403, "unpriced_model")
    answer = await gate.ask(harness.asked())
    assert (answer.status, answer.json()["error"]["code"]) == (403, "unpriced_model")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/embeddings", {}, "input"),
        ("/v1/embeddings", {"input": [{"a": 1}]}, "input[0]"),
        ("/v1/embeddings", {"input": "x", "encoding_format": "int8"}, "encoding_format"),
        ("/v1/images/generations", {"prompt": ""}, "prompt"),
        ("/v1/images/generations", {"prompt": "x", "n": 99}, "n"),
        ("/v1/images/edits", {"prompt": "x"}, "image"),
        ("/v1/audio/speech", {"input": 5}, "input"),
        ("/v1/audio/transcriptions", {"file": "x"}, "file"),
        ("/v1/moderations", {"input": {}}, "input"),
        ("/v1/rerank", {"query": "q", "documents": [1]}, "documents[0]"),
        ("/v1/rerank", {"documents": ["a"]}, "query"),
    ],
)
async def test_what_is_wrong_is_named(tmp_path: Path, path: str, body: dict[str, Any], param: str) -> None:
    gate = harness.gateway(tmp_path, answers({}))
    answer = await gate.ask({"model": "gpt", **body}, path=path)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


async def test_a_form_that_breaks_off_or_is_none_is_refused(tmp_path: Path) -> None:
    gate = harness.gateway(tmp_path, answers({}))
    whole = form({"file": b"x" * 100}, model="gpt")
    headers = {"content-type": CONTENT_TYPE}
    for body in (whole[:150], b"", b"nonsense"):
        answer = await gate.ask(body, path="/v1/audio/transcriptions", headers=headers)
        assert answer.status == 400, body
    bad = form({"file": b"x"}, model="gpt", **{"extra[api_base]": "http://evil.test"})
    answer = await gate.ask(bad, path="/v1/audio/transcriptions", headers=headers)
    assert answer.json()["error"]["code"] == "forbidden_parameter"


async def test_an_upload_past_its_limit_is_413_in_the_callers_dialect(tmp_path: Path) -> None:
    gate = on_disk(harness.gateway(tmp_path, answers({})), tmp_path)
    body = form({"file": bytes(33 * 1024 * 1024)}, model="gpt")
    told = {"content-type": CONTENT_TYPE}
    untold = {**told, "content-length": "unknown"}
    for headers in (told, untold):
        answer = await gate.ask(body, path="/v1/audio/transcriptions", headers=headers)
        assert (answer.status, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert answer.headers["connection"] == "close"


def test_every_alias_is_its_operation() -> None:
    for path in ("embeddings", "images/edits", "audio/speech", "moderations", "rerank"):
        view = find_view(f"/v1/{path}")[0]
        for base in ("", "/openai", "/openai/v1", "/openai/deployments/m", "/engines/m", "/v1/engines/m"):
            assert find_view(f"{base}/{path}")[0] is view
