"""Whatever a caller or a provider says, an operation answers with an error of ours or an answer."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway_project.errors import BadRequest, UpstreamFailed
from proxy_app.formats.contract import RenderOptions
from proxy_app.operations.contract import Asked, FilePart
from proxy_app.operations.registry import OPERATIONS
from proxy_app.wire import Address, BodySource, Target

NAMES = (
    *("model", "input", "prompt", "n", "stream", "quality", "size", "query", "documents", "content", "parts"),
    *(
        "requests",
        "text",
        "dimensions",
        "encoding_format",
        "images",
        "image",
        "outputDimensionality",
        "usage",
    ),
    *(
        "data",
        "embedding",
        "embeddings",
        "values",
        "index",
        "results",
        "meta",
        "billed_units",
        "search_units",
    ),
    *("input_tokens", "prompt_tokens", "seconds", "duration", "type", "input_tokens_details", "user"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
OPTIONS = RenderOptions(model="m", answer_id="a", created=1)


class FakeForm:
    content_type = "multipart/form-data; boundary=b"
    fields: dict[str, list[str]] = {}
    files = [
        FilePart("file", "f", "audio/wav", 5, b"RIFF\0\0\0\0WAVEfmt " + bytes(30)),
        FilePart("image", "i", "", 9),
    ]
    size = 10

    def with_model(self, name: str) -> BodySource:
        raise NotImplementedError


@pytest.mark.parametrize("path", OPERATIONS)
@given(body=BODIES, as_form=st.booleans())
@example(body={"content": {}, "outputDimensionality": []}, as_form=False)
@example(body={"requests": [], "content": {}}, as_form=False)
@settings(max_examples=60)
def test_any_body_is_read_and_built_or_refused(path: str, body: dict[str, Any], as_form: bool) -> None:
    operation = OPERATIONS[path]
    try:
        raw = orjson.dumps(body)
    except TypeError:
        return  # no JSON: numbers that no parser gives
    asked = Asked(raw, orjson.loads(raw), FakeForm() if as_form and operation.takes_form else None)
    try:
        asked.facts = operation.read_call(asked, Address(model="m"))
    except BadRequest:
        return
    most = asked.facts.most
    assert most is not None and (most.input_tokens or 0) >= 0 and all(n >= 0 for n in most.units.values())
    for format, route in operation.routes.items():
        if asked.form is None:
            try:
                route.build(asked, Target(format, "up"))
            except BadRequest:
                pass


@pytest.mark.parametrize("path", OPERATIONS)
@given(
    answer=BODIES.map(lambda body: orjson.dumps(body, default=str) if _is_json(body) else b"{")
    | st.binary(max_size=40)
)
@settings(max_examples=60)
def test_any_answer_is_an_answer_or_a_failure_of_the_provider(path: str, answer: bytes) -> None:
    operation = OPERATIONS[path]
    valid = {"input": ["a"], "content": {"parts": [{"text": "a"}]}, "requests": [{"content": {"parts": []}}]}
    asked = Asked(orjson.dumps(valid), valid)
    for route in operation.routes.values():
        for content_type in ("application/json", "text/plain", "text/event-stream", "audio/mpeg", ""):
            try:
                route.convert(answer, content_type, asked, OPTIONS)
                pipe = route.open_pipe(content_type, asked)
                if pipe is not None:
                    pipe.feed(b"data: " + answer.replace(b"\n", b"") + b"\n\n")
                    pipe.finish()
            except UpstreamFailed:
                pass


def _is_json(body: Any) -> bool:
    try:
        orjson.dumps(body)
    except TypeError:
        return False
    return True
