"""Sources that a Chat Completions answer names reach callers of every format that can say them."""

import orjson
import pytest

from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.sse import encode
from proxy_app.wire import JSON, CallFacts, Target

CITED = {"url": "https://example.com/a", "title": "A page", "start_index": 0, "end_index": 5}
ANNOTATION: JSON = {"type": "url_citation", "url_citation": CITED}
OPTIONS = RenderOptions("m", "id-1", 1)
TARGET = Target("openai_chat", "m")


def answer(**message: object) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return orjson.dumps({"id": "c", "model": "m", "choices": [choice]})


def chunk(delta: JSON, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return encode(orjson.dumps({"id": "c", "model": "m", "choices": [choice]}))


@pytest.mark.parametrize("inbound", ["openai_responses", "anthropic"])
def test_a_whole_answers_sources_are_told(inbound: str) -> None:
    raw = answer(content="Hello there", annotations=[ANNOTATION, {"type": "file"}])
    told, _ = exchange.convert_answer(inbound, TARGET, raw, CallFacts("m"), OPTIONS)
    assert b"https://example.com/a" in told and b"A page" in told


@pytest.mark.parametrize("inbound", ["openai_responses", "anthropic"])
def test_a_streams_sources_are_told(inbound: str) -> None:
    pipe = exchange.open_pipe(inbound, TARGET, CallFacts("m", stream=True), OPTIONS)
    told = pipe.feed(chunk({"role": "assistant", "content": "Hello there"}))
    told += pipe.feed(chunk({"annotations": [ANNOTATION]})) + pipe.feed(chunk({}, "stop"))
    told += pipe.feed(b"data: [DONE]\n\n") + pipe.finish()
    assert b"https://example.com/a" in told


def test_thoughts_and_text_in_one_delta_keep_their_order() -> None:
    pipe = exchange.open_pipe("anthropic", TARGET, CallFacts("m", stream=True), OPTIONS)
    told = pipe.feed(chunk({"role": "assistant", "content": ""}))
    told += pipe.feed(chunk({"content": "said", "reasoning_content": "thought"}))
    assert told.index(b"thought") < told.index(b"said")
