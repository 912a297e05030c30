"""What the format can say it reads again, whole; whatever else is sent, the only errors are ours."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import BadRequest, UpstreamFailed
from proxy_app.formats import exchange
from proxy_app.formats.anthropic.building import build_request
from proxy_app.formats.anthropic.conversation import parse_request
from proxy_app.formats.anthropic.rendering import Renderer
from proxy_app.formats.anthropic.response import parse_answer, render_answer
from proxy_app.formats.anthropic.stream import Parser
from proxy_app.formats.contract import RenderOptions
from proxy_app.sse import Decoder
from proxy_app.wire import (
    NOWHERE,
    Answer,
    CallFacts,
    Citation,
    CitationDelta,
    Finish,
    Finished,
    SignatureDelta,
    Started,
    StreamEvent,
    Target,
    Terminated,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from tests.proxy_app.formats.test_fuzz import JSON, LEAF, RELAXED, TARGETS
from tests.proxy_app.formats.wire_bytes import open_pipe

OPTIONS = RenderOptions("public-model", "msg_ours", 1_790_000_001)
WORDS = st.text(min_size=1, max_size=9)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,9}", fullmatch=True)
MARK = st.sampled_from([None, {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
OBJECTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.none()), max_size=3)


def marked(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for name, value in fields.items()
    }
    return st.builds(lambda mark, **told: told | ({"cache_control": mark} if mark else {}), MARK, **fixed)


TEXTS = marked(type="text", text=WORDS)
SOURCES = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": "AAAA"},
        {"type": "url", "url": "https://x.test/a"},
    ]
)
IMAGES = marked(type="image", source=SOURCES)
PDFS = st.sampled_from(
    [
        {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
        {"type": "url", "url": "https://x.test/a.pdf"},
    ]
)
DOCUMENTS = marked(type="document", source=PDFS, title=WORDS)
MEDIA = st.one_of(TEXTS, IMAGES, DOCUMENTS)
THOUGHTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": st.text(max_size=5), "signature": WORDS}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": WORDS}),
).filter(lambda block: "gatehouse." not in str(block))
TOOLS = st.lists(
    st.builds(
        lambda tool, more: tool | {"input_schema": {"type": "object", "properties": more}},
        marked(name=IDS, description=WORDS),
        st.dictionaries(WORDS, st.just({"type": "string"}), max_size=2),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda tool: tool["name"],
)
CHOICES = st.sampled_from(
    [{"type": "auto"}, {"type": "none"}, {"type": "any"}, {"type": "auto", "disable_parallel_tool_use": True}]
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Requests that the format can also be written in: turns in alternation, results first."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": draw(st.lists(MEDIA, min_size=1, max_size=3))}
    ]
    ids = draw(st.lists(IDS, max_size=4, unique=True))
    while ids:
        calls = [ids.pop() for _ in range(draw(st.integers(1, len(ids))))]
        said = [draw(THOUGHTS), *draw(st.lists(TEXTS, max_size=1))]
        said += [draw(marked(type="tool_use", id=one, name=IDS, input=OBJECTS)) for one in calls]
        told = [
            draw(marked(type="tool_result", tool_use_id=one, content=st.lists(MEDIA, min_size=1, max_size=2)))
            | draw(st.sampled_from([{}, {"is_error": True}]))
            for one in calls
        ]
        messages += [
            {"role": "assistant", "content": said},
            {"role": "user", "content": [*told, *draw(st.lists(MEDIA, max_size=1))]},
        ]
    if draw(st.booleans()):
        messages.append({"role": "assistant", "content": [draw(TEXTS)]})
    optional: dict[str, Any] = {
        "system": st.lists(TEXTS, min_size=1, max_size=2),
        "stop_sequences": st.lists(WORDS, min_size=1, max_size=2),
        "temperature": st.floats(0, 1),
        "top_k": st.integers(0, 99),
        "stream": st.just(True),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
        "cache_control": st.just({"type": "ephemeral"}),
        "thinking": st.sampled_from([{"type": "adaptive"}, {"type": "adaptive", "display": "omitted"}]),
        "output_config": st.just({"format": {"type": "json_schema", "schema": {"type": "object"}}}),
    }
    chosen = draw(st.fixed_dictionaries({}, optional=optional))
    body = {"model": "m", "max_tokens": draw(st.integers(1, 99)), "messages": messages, **chosen}
    if draw(st.booleans()):
        body["tools"] = draw(TOOLS)
        body["tool_choice"] = draw(CHOICES)
        if body["tool_choice"]["type"] == "any":
            body.pop("thinking", None)  # the provider takes no thinking with a forced tool
    return body


@RELAXED
@given(bodies())
def test_a_request_the_format_can_say_is_read_as_it_was_written(body: dict[str, Any]) -> None:
    first = parse_request(body)
    written = orjson.loads(build_request(parse_request(body), Target("anthropic", "m")).body)
    assert parse_request(written) == first


PARTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Text, WORDS, citations=st.lists(st.builds(Citation, WORDS, WORDS, WORDS), max_size=2)),
    st.builds(ToolCall, IDS, IDS, OBJECTS.map(lambda arguments: orjson.dumps(arguments).decode())),
    st.builds(Thinking, st.text(max_size=5), WORDS, provider=st.just("anthropic")),
    st.builds(Thinking, st.just(""), redacted=WORDS, provider=st.just("anthropic")),
)
COUNTS = st.integers(0, 1000)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    parts = draw(st.lists(PARTS, max_size=4))
    fresh, read, write, hour, out, thought = (draw(COUNTS) for _ in range(6))
    usage = Usage(fresh + read + write + hour, read, write + hour, hour, out + thought, thought)
    called = any(isinstance(part, ToolCall) for part in parts)
    finish = draw(st.sampled_from([Finish.LENGTH, Finish.PAUSE, Finish.CONTENT_FILTER, Finish.STOP]))
    if finish is Finish.STOP and called:
        finish = Finish.TOOL_CALLS
    return Answer("msg_1", "public-model", parts, finish, usage)


@given(answers())
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    assert parse_answer(orjson.loads(orjson.dumps(render_answer(answer, OPTIONS)))) == answer


def events_of(answer: Answer) -> list[StreamEvent]:
    events: list[StreamEvent] = [Started(answer.id, answer.model)]
    calls = 0
    for part in answer.parts:
        match part:
            case Text(text, _, citations):
                events += [TextDelta(text), *map(CitationDelta, citations)]
            case ToolCall(call_id, name, arguments):
                events += [ToolCallStarted(calls, call_id, name), ToolCallDelta(calls, arguments)]
                calls += 1
            case Thinking(text, None, redacted):
                events.append(SignatureDelta(redacted or "", redacted=True, provider="anthropic"))
            case Thinking(text, signature):
                events += [ThinkingDelta(text)] if text else []
                events.append(SignatureDelta(signature or "", provider="anthropic"))
            case _:
                raise AssertionError(part)
    assert answer.usage is not None
    return [*events, Finished(answer.finish), UsageReported(answer.usage), Terminated()]


@given(answers())
def test_a_stream_is_read_as_it_was_written(answer: Answer) -> None:
    renderer, parser = Renderer(OPTIONS), Parser()
    events = events_of(answer)
    sent = b"".join([renderer.feed(event) for event in events])
    again = [event for one in Decoder().feed(sent) for event in parser.feed(one)]
    assert [e for e in again if not isinstance(e, UsageReported)] == [
        e for e in events if not isinstance(e, UsageReported)
    ]
    usage = [event.usage for event in again if isinstance(event, UsageReported)][-1]
    assert answer.usage is not None
    for figure in (
        "input_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "output_tokens",
        "reasoning_tokens",
    ):
        assert getattr(usage, figure) == getattr(answer.usage, figure)


KINDS = [
    "text",
    "image",
    "document",
    "search_result",
    "tool_use",
    "tool_result",
    "thinking",
    "redacted_thinking",
]
FIELDS = ["text", "source", "content", "tool_use_id", "id", "name", "input", "thinking", "signature", "data"]
FIELDS += ["title", "citations", "cache_control", "is_error"]
WILD_SOURCE = st.fixed_dictionaries(
    {"type": st.sampled_from(["base64", "url", "file", "text", "content", "x"])},
    optional=dict.fromkeys(("data", "media_type", "url", "file_id", "content"), JSON),
)
WILD_BLOCK = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(KINDS), LEAF)},
    optional={**dict.fromkeys(FIELDS, JSON), "source": st.one_of(WILD_SOURCE, JSON)},
)
WILD_MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"])},
    optional={"content": st.one_of(st.text(max_size=3), st.lists(WILD_BLOCK, max_size=3), JSON)},
)
WILD_BODY = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "max_tokens": st.just(9),
        "messages": st.lists(WILD_MESSAGE, min_size=1, max_size=3),
    },
    optional=dict.fromkeys(
        (
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "output_config",
            "metadata",
            "stop_sequences",
            "temperature",
            "context_management",
            "service_tier",
            "cache_control",
            "stream",
        ),
        JSON,
    ),
)


@RELAXED
@given(st.one_of(WILD_BODY, JSON))
def test_any_body_is_built_or_is_a_bad_request(body: Any) -> None:
    raw = orjson.dumps(body).replace(b'"a"', b'"gatehouse.x"')
    body = orjson.loads(raw)
    for target in TARGETS:
        try:
            facts = exchange.read_call("anthropic", body, NOWHERE)
            outgoing = exchange.build_outgoing("anthropic", target, raw, body, facts)
        except BadRequest as error:
            assert error.detail
        else:
            orjson.loads(outgoing.body)


@RELAXED
@given(JSON, st.sampled_from(TARGETS))
def test_any_answer_is_read_or_is_an_upstream_failure(body: Any, target: Target) -> None:
    try:
        sent, observed = exchange.convert_answer(
            "anthropic", target, orjson.dumps(body), CallFacts("m"), OPTIONS
        )
    except UpstreamFailed:
        return
    assert observed.ended and orjson.loads(sent)


WILD_EVENT = st.builds(
    lambda kind, rest: {**(rest if isinstance(rest, dict) else {"delta": rest}), "type": kind},
    st.sampled_from(
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "message_delta",
            "message_stop",
            "error",
        ]
    ),
    JSON,
)


@RELAXED
@given(st.lists(st.one_of(WILD_EVENT, JSON), max_size=5), st.sampled_from(TARGETS), st.binary(max_size=20))
def test_any_stream_is_read_or_is_an_upstream_failure(events: list[Any], target: Target, junk: bytes) -> None:
    pipe = open_pipe(f"{target.format}/x", inbound="anthropic")
    try:
        for event in events:
            pipe.feed(b"event: content_block_delta\ndata: " + orjson.dumps(event) + b"\n\n")
        pipe.feed(junk)
        pipe.finish()
    except UpstreamFailed:
        pass
