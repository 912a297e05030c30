"""What the format can say it reads again, whole; whatever else is sent, the only errors are ours."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import BadRequest, UpstreamFailed
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.gemini.building import build_request
from proxy_app.formats.gemini.conversation import parse_request
from proxy_app.formats.gemini.rendering import Renderer
from proxy_app.formats.gemini.response import parse_answer, render_answer
from proxy_app.formats.gemini.stream import Parser
from proxy_app.sse import Decoder
from proxy_app.wire import (
    Address,
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

OPTIONS = RenderOptions("public-model", "resp-ours", 1_790_000_001)
HERE = Address("m")
WORDS = st.text(min_size=1, max_size=9)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
SIGNATURES = st.sampled_from(["c2ln", "AA-_AA==", "AA+/AA=="])
OBJECTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.none()), max_size=3)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@st.composite
def spelt(draw: st.DrawFn, told: Any) -> Any:
    """A body with each of the format's own fields in one spelling or the other."""
    if isinstance(told, list):
        return [draw(spelt(one)) for one in told]
    if not isinstance(told, dict):
        return told
    respelt = {}
    for name, value in told.items():
        is_own = name not in ("args", "response", "parametersJsonSchema", "responseJsonSchema", "labels")
        written = snake(name) if draw(st.booleans()) else name
        respelt[written] = draw(spelt(value)) if is_own else value
    return respelt


TEXTS = st.fixed_dictionaries({"text": WORDS})
BLOBS = st.sampled_from(
    [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        {"fileData": {"fileUri": "https://x.test/a.png", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://x.test/a.pdf", "mimeType": "application/pdf"}},
    ]
)
MEDIA = st.one_of(TEXTS, BLOBS)
SAID = st.one_of(
    TEXTS,
    st.fixed_dictionaries({"text": st.just(""), "thoughtSignature": SIGNATURES}),
    st.fixed_dictionaries({"text": WORDS, "thought": st.just(True), "thoughtSignature": SIGNATURES}),
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    contents: list[dict[str, Any]] = [
        {"role": "user", "parts": draw(st.lists(MEDIA, min_size=1, max_size=3))}
    ]
    for _ in range(draw(st.integers(0, 2))):
        names = draw(st.lists(NAMES, min_size=1, max_size=3))
        said = draw(st.lists(SAID, max_size=2))
        for name in names:
            call = {"functionCall": {"name": name, "args": draw(OBJECTS)}}
            said.append(call | ({"thoughtSignature": draw(SIGNATURES)} if draw(st.booleans()) else {}))
        results = [
            {
                "functionResponse": {
                    "name": name,
                    "response": {draw(st.sampled_from(["output", "error"])): draw(WORDS)},
                }
            }
            for name in names
        ]
        told = {"role": "user", "parts": [*results, *draw(st.lists(MEDIA, max_size=1))]}
        contents += [{"role": "model", "parts": said}, told]
    config: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "temperature": st.floats(0, 2),
                "topK": st.integers(1, 99),
                "seed": st.integers(-9, 9),
                "maxOutputTokens": st.integers(1, 99),
                "stopSequences": st.lists(WORDS, min_size=1, max_size=2),
                "frequencyPenalty": st.floats(-2, 2),
                "thinkingConfig": st.sampled_from([{"thinkingLevel": "HIGH"}, {"includeThoughts": True}]),
                "responseMimeType": st.just("application/json"),
                "responseJsonSchema": st.just({"type": "object", "some_name": 1}),
            },
        )
    )
    body: dict[str, Any] = {"contents": contents, "generationConfig": config}
    if draw(st.booleans()):
        body["systemInstruction"] = {"parts": draw(st.lists(TEXTS, min_size=1, max_size=2))}
        body["serviceTier"] = draw(st.sampled_from(["flex", "standard", "priority"]))
    if draw(st.booleans()):
        declared = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
        schema = {"type": "object", "properties": draw(OBJECTS)}
        functions = [{"name": name, "parametersJsonSchema": schema} for name in declared]
        body["tools"] = [{"functionDeclarations": functions}]
        calling = draw(st.sampled_from([{"mode": "AUTO"}, {"mode": "NONE"}, {"mode": "ANY"}]))
        if calling["mode"] == "ANY" and draw(st.booleans()):
            calling = {**calling, "allowedFunctionNames": declared[:1]}
        body["toolConfig"] = {"functionCallingConfig": calling}
    return body


@RELAXED
@given(bodies(), st.data())
def test_a_request_the_format_can_say_is_read_as_it_was_written(
    body: dict[str, Any], data: st.DataObject
) -> None:
    facts = exchange.read_call("gemini", body, HERE)
    first = parse_request(body, facts)
    mixed = data.draw(spelt(body))
    assert parse_request(mixed, exchange.read_call("gemini", mixed, HERE)) == first
    takes_all = Target("gemini", "gemini-2.0-flash", {"thinking_style": "level", "web_media": True})
    built = build_request(parse_request(body, facts), takes_all)
    assert parse_request(orjson.loads(built.body), facts) == first


PARTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Text, WORDS),
    st.builds(ToolCall, NAMES, NAMES, OBJECTS.map(lambda one: orjson.dumps(one).decode())),
    st.builds(ToolCall, NAMES, NAMES, st.just("{}"), SIGNATURES),
    st.builds(Thinking, WORDS, SIGNATURES, provider=st.just("gemini")),
    st.builds(Thinking, st.just(""), SIGNATURES, provider=st.just("gemini")),
)
COUNTS = st.integers(0, 1000)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    parts = draw(st.lists(PARTS, max_size=4))
    texts = [part for part in parts if isinstance(part, Text)]
    length = sum(len(part.text) for part in texts)
    if texts and draw(st.booleans()):
        start = draw(st.integers(0, length))
        texts[-1].citations = [Citation("https://x.test", "X", None, start, draw(st.integers(start, length)))]
    fresh, read, out, thought = (draw(COUNTS) for _ in range(4))
    usage = Usage(fresh + read, read, output_tokens=out + thought, reasoning_tokens=thought)
    called = any(isinstance(part, ToolCall) for part in parts)
    finish = draw(st.sampled_from([Finish.LENGTH, Finish.CONTENT_FILTER, Finish.STOP]))
    return Answer(
        "r1", "public-model", parts, Finish.TOOL_CALLS if finish is Finish.STOP and called else finish, usage
    )


def without_marks(parts: list[Any]) -> list[Any]:
    """A first call that nobody signed bears our mark, as a provider would read it."""
    for part in parts:
        if isinstance(part, ToolCall) and part.signature and part.signature.startswith("Z2F0ZWhvdXNl"):
            part.signature = None
    return parts


def zeros_untold(usage: Usage | None) -> Usage | None:
    if usage is not None:
        usage.cache_read_tokens = usage.cache_read_tokens or None
        usage.reasoning_tokens = usage.reasoning_tokens or None
    return usage


@given(answers())
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    again = parse_answer(orjson.loads(orjson.dumps(render_answer(answer, OPTIONS))))
    without_marks(again.parts)
    answer.usage = zeros_untold(answer.usage)
    assert again == answer


def events_of(answer: Answer) -> list[StreamEvent]:
    events: list[StreamEvent] = [Started(answer.id, answer.model)]
    calls = 0
    for part in answer.parts:
        match part:
            case Text(text, _, citations):
                events += [TextDelta(text), *map(CitationDelta, citations)]
            case ToolCall(call_id, name, arguments, signature):
                events += [ToolCallStarted(calls, call_id, name), ToolCallDelta(calls, arguments)]
                if signature:
                    events.append(SignatureDelta(signature, call_index=calls, provider="gemini"))
                calls += 1
            case Thinking(text, signature):
                events += [ThinkingDelta(text)] if text else []
                events.append(SignatureDelta(signature or "", provider="gemini"))
            case _:
                raise AssertionError(part)
    assert answer.usage is not None
    return [*events, UsageReported(answer.usage), Finished(answer.finish), Terminated()]


@given(answers(), st.sampled_from(["sse", "array"]))
def test_a_stream_is_read_as_it_was_written(answer: Answer, framing: str) -> None:
    renderer, parser = Renderer(RenderOptions("public-model", "x", 1, framing=framing)), Parser()
    events = events_of(answer)
    sent = b"".join([renderer.feed(event) for event in events])
    if framing == "array":
        sent = b"".join([b"data: " + orjson.dumps(piece) + b"\n\n" for piece in orjson.loads(sent)])
    again = [event for one in Decoder().feed(sent) for event in parser.feed(one)] + [*parser.finish()]
    kept = [
        event
        for event in again
        if not (isinstance(event, SignatureDelta) and event.signature.startswith("Z2F0ZWhvdXNl"))
    ]
    zeros_untold(answer.usage)
    assert sorted(map(repr, kept)) == sorted(map(repr, events))
    assert [e for e in kept if not isinstance(e, UsageReported)] == [
        e for e in events if not isinstance(e, UsageReported)
    ]


KINDS = [
    "text",
    "inlineData",
    "file_data",
    "functionCall",
    "function_response",
    "thought",
    "thoughtSignature",
]
INNER = [
    "mime_type",
    "mimeType",
    "data",
    "fileUri",
    "id",
    "name",
    "args",
    "response",
    "parts",
    "willContinue",
]
WILD = st.dictionaries(st.sampled_from(INNER), st.one_of(JSON, st.just("c1")), max_size=4)
WILD_PART = st.fixed_dictionaries({}, optional=dict.fromkeys(KINDS, st.one_of(WILD, LEAF, JSON)))
WILD_CONTENT = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "model", "function", None])},
    optional={"parts": st.one_of(st.lists(WILD_PART, max_size=3), JSON)},
)
WILD_BODY = st.fixed_dictionaries(
    {"contents": st.lists(WILD_CONTENT, min_size=1, max_size=3)},
    optional=dict.fromkeys(
        (
            "system_instruction",
            "systemInstruction",
            "tools",
            "toolConfig",
            "generationConfig",
            "generation_config",
            "labels",
            "serviceTier",
        ),
        JSON,
    )
    | {
        "generationConfig": st.dictionaries(
            st.sampled_from(["topK", "top_p", "seed", "thinkingConfig", "responseSchema", "stop_sequences"]),
            JSON,
        ),
        "tools": st.lists(
            st.dictionaries(st.just("functionDeclarations"), st.lists(WILD | JSON, max_size=2)), max_size=2
        ),
    },
)


@RELAXED
@given(st.one_of(WILD_BODY, JSON))
def test_any_body_is_built_or_is_a_bad_request(body: Any) -> None:
    raw = orjson.dumps(body).replace(b'"text"', b'"Z2F0ZWhvdXNlLg"', 1)
    for target in TARGETS:
        told = orjson.loads(raw)
        try:
            facts = exchange.read_call("gemini", told, HERE)
            outgoing = exchange.build_outgoing("gemini", target, raw, told, facts)
        except BadRequest as error:
            assert error.detail
        else:
            orjson.loads(outgoing.body)


@RELAXED
@given(JSON, st.sampled_from(TARGETS))
def test_any_answer_is_read_or_is_an_upstream_failure(body: Any, target: Target) -> None:
    try:
        sent, observed = exchange.convert_answer(
            "gemini", target, orjson.dumps(body), CallFacts("m"), OPTIONS
        )
    except UpstreamFailed:
        return
    assert observed.ended and orjson.loads(sent)


WILD_PIECE = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "content": st.one_of(WILD_CONTENT, JSON),
                    "finishReason": st.one_of(st.sampled_from(["STOP", "OTHER"]), LEAF),
                    "citationMetadata": JSON,
                    "groundingMetadata": st.dictionaries(
                        st.sampled_from(["groundingChunks", "groundingSupports"]), JSON
                    ),
                },
            ),
            max_size=2,
        ),
        "usageMetadata": st.dictionaries(st.sampled_from(["promptTokenCount", "promptTokensDetails"]), JSON),
        "promptFeedback": JSON,
        "error": JSON,
    },
)


@RELAXED
@given(st.lists(st.one_of(WILD_PIECE, JSON), max_size=4), st.sampled_from(TARGETS), st.binary(max_size=20))
def test_any_stream_is_read_or_is_an_upstream_failure(pieces: list[Any], target: Target, junk: bytes) -> None:
    for inbound in ("gemini", "openai_chat"):
        pipe = open_pipe(f"{target.format}/x", inbound=inbound)
        try:
            for piece in pieces:
                pipe.feed(b"data: " + orjson.dumps(piece) + b"\n\n")
            pipe.feed(junk)
            pipe.finish()
        except UpstreamFailed:
            pass
