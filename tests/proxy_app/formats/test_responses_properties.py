"""What Responses can say it reads again, whole; whatever else is sent, the only errors are ours."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import BadRequest, UpstreamFailed
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_responses import INBOUND, UPSTREAM
from proxy_app.wire import (
    NOWHERE,
    Answer,
    Audio,
    CallFacts,
    Citation,
    Conversation,
    File,
    Finish,
    Image,
    OutputFormat,
    Reasoning,
    Refusal,
    Sampling,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Usage,
)
from tests.proxy_app.formats.test_fuzz import JSON, LEAF, RELAXED, TARGETS
from tests.proxy_app.formats.wire_bytes import open_pipe

OPTIONS = RenderOptions("public-model", "ours", 1_790_000_001)
TARGET = Target("openai_responses", "public-model")
WORDS = st.text(min_size=1, max_size=9)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,9}", fullmatch=True)
OBJECTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.none()), max_size=3)
TEXTS = st.builds(Text, WORDS)
MEDIA = st.sampled_from(
    [
        Image(url="https://x.test/a.png", detail="high"),
        Image(data="AA", media_type="image/png", detail="auto"),
        File(data="AA", media_type="application/pdf", filename="a.pdf"),
        File(url="https://x.test/a", media_type=None),
    ]
)
SOUND = st.just(Audio("AA", "audio/wav"))
THOUGHTS = st.builds(
    Thinking,
    st.one_of(st.just(""), WORDS),
    IDS,
    st.none(),
    st.sampled_from(["openai"]),
    st.one_of(st.none(), IDS),
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """What Responses can say: instructions, then turns of user and assistant, calls with their results."""
    turns = [Turn("system", [draw(TEXTS)])] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 3))):
        turns.append(Turn("user", draw(st.lists(st.one_of(TEXTS, MEDIA, SOUND), min_size=1, max_size=3))))
        parts: list[Any] = draw(st.lists(THOUGHTS, max_size=2))
        parts += draw(st.lists(st.one_of(TEXTS, st.builds(Refusal, WORDS)), max_size=2))
        calls = [
            ToolCall(f"c{number}_{at}", draw(IDS), orjson.dumps(draw(OBJECTS)).decode())
            for at in range(draw(st.integers(0, 2)))
        ]
        if not parts or isinstance(parts[-1], Thinking):
            parts.append(draw(TEXTS))
        turns.append(Turn("assistant", parts + calls))
        if calls:
            results = [
                ToolResult(
                    call.id, draw(st.one_of(st.lists(TEXTS, max_size=1).map(_some), _MIXED)), call.name
                )
                for call in calls
            ]
            turns.append(Turn("user", results))
    turns.append(Turn("user", [Text(draw(WORDS) + " in JSON")]))
    tools = draw(st.lists(st.builds(Tool, IDS, WORDS, st.just(CLOSED), st.booleans()), max_size=2))
    return Conversation(
        model="public-model",
        turns=turns,
        tools=tools,
        tool_choice=draw(_choices(tools)) if tools else None,
        parallel_tools=draw(st.sampled_from([None, True, False])) if tools else None,
        output=draw(st.sampled_from([OutputFormat(), OutputFormat("json"), SCHEMA])),
        sampling=Sampling(draw(st.sampled_from([None, 0.5])), draw(st.sampled_from([None, 0.9]))),
        max_output_tokens=draw(st.one_of(st.none(), st.integers(16, 99))),
        reasoning=draw(st.sampled_from([None, Reasoning("low"), Reasoning("high", None, True)])),
        verbosity=draw(st.sampled_from([None, "low"])),
        service_tier=draw(st.sampled_from([None, "flex"])),
        stream=draw(st.booleans()),
    )


CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
SCHEMA = OutputFormat("schema", {"type": "object"}, "n", True, "d")
_MIXED = st.just([Text("see"), Image(data="AA", media_type="image/png", detail="auto")])


def _some(parts: list[Text]) -> list[Text]:
    return parts or [Text("")]


def _choices(tools: list[Tool]) -> st.SearchStrategy[Any]:
    name = tools[0].name
    return st.sampled_from(
        [None, ToolChoice("required"), ToolChoice("required", (name,)), ToolChoice("auto", (name,))]
    )


@given(conversations())
def test_a_request_that_is_built_reads_back_the_same(conversation: Conversation) -> None:
    body = orjson.loads(UPSTREAM.build_request(conversation, TARGET).body)
    again = INBOUND.parse_request(body, INBOUND.read_call(body, NOWHERE))
    assert again == conversation


CALLS = st.builds(ToolCall, IDS, IDS, OBJECTS.map(lambda value: orjson.dumps(value).decode()))
CITED = st.builds(
    Text, WORDS, st.none(), st.lists(st.just(Citation("https://x.test", "X", None, 1, 2)), max_size=2)
)
SEALED = st.builds(
    Thinking, st.one_of(st.just(""), WORDS), IDS, st.none(), st.sampled_from(["anthropic", "gemini"])
)
REDACTED = st.builds(Thinking, st.just(""), st.none(), IDS, st.just("anthropic"))
COUNTS = st.integers(0, 999)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    kinds = st.one_of(CITED, CALLS, SEALED, REDACTED, st.builds(Refusal, WORDS), st.builds(Thinking, WORDS))
    parts: list[Any] = draw(st.lists(kinds, max_size=5))
    fresh, read, write, out, thought = (draw(COUNTS) for _ in range(5))
    usage = Usage(fresh + read + write, read, write, None, out + thought, thought)
    calls = any(isinstance(part, ToolCall) for part in parts)
    finish = draw(
        st.sampled_from([Finish.TOOL_CALLS if calls else Finish.STOP, Finish.LENGTH, Finish.CONTENT_FILTER])
    )
    return Answer("a1", "public-model", parts, finish, usage, 5, service_tier="default")


@given(answers())
def test_an_answer_that_is_rendered_reads_back_the_same(answer: Answer) -> None:
    """Another family's seals stay under their tag: what they mean is told when they come back."""
    rendered = orjson.loads(orjson.dumps(INBOUND.render_answer(answer, OPTIONS)))
    again = UPSTREAM.parse_answer(rendered)
    assert (again.finish, again.usage, again.model, again.created) == (
        answer.finish,
        answer.usage,
        answer.model,
        answer.created,
    )
    said = [part for part in again.parts if not isinstance(part, Thinking)]
    assert said == [part for part in answer.parts if not isinstance(part, Thinking)]
    items = [item for item in rendered["output"] if item["type"] == "reasoning"]
    asked = {"model": "m", "input": [*items, {"role": "assistant", "content": "x"}]}
    (turn,) = INBOUND.parse_request(asked, INBOUND.read_call(asked, NOWHERE)).turns
    thoughts = [part for part in turn.parts if isinstance(part, Thinking)]
    assert [(part.text, part.signature, part.redacted, part.provider) for part in thoughts] == [
        (part.text, part.signature, part.redacted, part.provider)
        for part in answer.parts
        if isinstance(part, Thinking)
    ]
    assert len({item["id"] for item in rendered["output"]}) == len(rendered["output"])


KINDS = [
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
    "custom_tool_call",
    "item_reference",
]
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "input_image", "input_file", "input_audio", "x"])},
    optional=dict.fromkeys(("text", "image_url", "file_data", "file_url", "filename", "input_audio"), LEAF),
)
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS),
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        "content": st.one_of(st.lists(PART, max_size=3), JSON),
        "output": st.one_of(st.lists(PART, max_size=3), JSON),
        "call_id": st.sampled_from(["c1", "c2", 7]),
        "name": LEAF,
        "arguments": LEAF,
        "input": LEAF,
        "summary": JSON,
        "encrypted_content": LEAF,
        "id": LEAF,
    },
)
BODY = st.fixed_dictionaries(
    {"model": st.just("m"), "input": st.one_of(st.text(max_size=5), st.lists(ITEM, max_size=4))},
    optional=dict.fromkeys(
        ("tools", "tool_choice", "text", "reasoning", "metadata", "stream", "instructions", "include"), JSON
    )
    | dict.fromkeys(
        ("temperature", "top_p", "max_output_tokens", "top_logprobs", "user", "background"), LEAF
    ),
)


@RELAXED
@given(st.one_of(BODY, JSON))
def test_any_body_is_built_or_is_a_bad_request(body: Any) -> None:
    raw = orjson.dumps(body)
    body = orjson.loads(raw)
    try:
        facts = exchange.read_call("openai_responses", body, NOWHERE)
    except BadRequest as error:
        assert error.detail
        return
    options = RenderOptions("m", "a", 1, request=body)
    for target in TARGETS:
        try:
            outgoing = exchange.build_outgoing("openai_responses", target, raw, body, facts)
        except BadRequest as error:
            assert error.detail
        else:
            orjson.loads(outgoing.body)
            if target.format != "openai_responses":
                orjson.dumps(INBOUND.render_answer(Answer("a", "m", [], Finish.STOP), options))


@RELAXED
@given(JSON, st.sampled_from(TARGETS))
def test_any_answer_is_read_or_is_an_upstream_failure(body: Any, target: Target) -> None:
    for kind in (body, {"output": body}, {"output": [body], "usage": body, "status": "incomplete"}):
        try:
            sent, observed = exchange.convert_answer(
                "openai_responses", target, orjson.dumps(kind), CallFacts("m"), OPTIONS
            )
        except UpstreamFailed:
            continue
        assert observed.ended and orjson.loads(sent)


EVENTS = st.sampled_from(
    [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_text.annotation.added",
        "response.completed",
        "response.failed",
        "error",
        "",
    ]
)


@RELAXED
@given(st.lists(st.tuples(EVENTS, JSON), max_size=4), st.sampled_from(["openai_responses", "openai_chat"]))
def test_any_events_are_read_or_are_an_upstream_failure(events: list[tuple[str, Any]], inbound: str) -> None:
    pipe = open_pipe("openai_responses/x", inbound=inbound)
    try:
        for kind, rest in events:
            fields = rest if isinstance(rest, dict) else {"delta": rest, "item": rest, "response": rest}
            pipe.feed(b"event: x\ndata: " + orjson.dumps({**fields, "type": kind}) + b"\n\n")
        pipe.finish()
    except UpstreamFailed:
        pass
