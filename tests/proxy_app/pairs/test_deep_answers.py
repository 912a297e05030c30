"""A provider's answer that is nested deeper than JSON can be written is the provider's error, told in the
caller's own format, and nothing is held for it afterwards: before every pair, wherever the nest is."""

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import httpx
import pytest

from proxy_app.health import Health
from tests.proxy_app.aws_frames import frame
from tests.proxy_app.harness import Answer, Gateway, Stream, deployment, model, streamed
from tests.proxy_app.pairs.fuzzing import encoded, paths_in, with_odd
from tests.proxy_app.pairs.hearing import hear
from tests.proxy_app.pairs.pairing import plain_and_streamed, put_under_budget
from tests.proxy_app.pairs.providing import WIRES, asked_for, written
from tests.proxy_app.pairs.speaking import FORMATS, question, where
from tests.proxy_app.test_budgets import spent_and_held
from tests.upstream.script import script_for
from tests.upstream.wire import Quirks

JSON = dict[str, Any]
UPSTREAMS = (*FORMATS, "bedrock_converse")
SAYS = "think-tools:1"
NESTS = ("@objects260@", "@lists1000@")  # which all read, and which some do not
CALL = {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Seoul"}}
USAGE = {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}
CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}, {"toolUse": CALL}]}},
    "stopReason": "tool_use",
    **USAGE,
}
CONVERSED_EVENTS: tuple[tuple[str, JSON], ...] = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", USAGE),
)

every_kind = pytest.mark.parametrize("upstream", UPSTREAMS)
every_caller = pytest.mark.parametrize("inbound", FORMATS)


def whole(format: str) -> JSON:
    asked = asked_for(SAYS, stream=False)
    return CONVERSED if format not in WIRES else WIRES[format].plain(asked, script_for(asked), 1, Quirks())


def deep_answers(format: str) -> Iterator[bytes]:
    """Whole answers with a nest at each of their places."""
    body = whole(format)
    for place, nest in zip(paths_in(body), cycle(NESTS), strict=False):
        yield encoded(with_odd(body, place, nest))


def deep_streams(format: str) -> Iterator[list[bytes]]:
    """Streams with a nest at each place of each kind of event."""
    events = told(format)
    spots = {
        f"{name}{sorted(body)}{place}": (at, place)
        for at, (name, body) in enumerate(events)
        for place in paths_in(body)
    }
    for (at, place), nest in zip(spots.values(), cycle(NESTS), strict=False):
        yield with_nest(format, at, place, nest)


def with_nest(format: str, at: int, place: Any, nest: str) -> list[bytes]:
    """A stream with a nest at one place of one event."""
    events = told(format)
    events[at] = (events[at][0], with_odd(events[at][1], place, nest))
    pieces = [framed(format, name, encoded(body)) for name, body in events]
    return pieces if format != "openai_chat" else [*pieces, b"data: [DONE]\n\n"]


def told(format: str) -> list[tuple[str, JSON]]:
    """The events of a stream: name and data."""
    if format not in WIRES:
        return list(CONVERSED_EVENTS)
    blocks = [frame.raw.decode() for frame in written(format, SAYS) if b"{" in frame.raw]
    lines = [dict(line.split(": ", 1) for line in block.strip().split("\n")) for block in blocks]
    return [(line.get("event", ""), json.loads(line["data"])) for line in lines]


def framed(format: str, name: str, data: bytes) -> bytes:
    if format not in WIRES:
        return frame(data, event_type=name, content_type="application/json", message_type="event")
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"


class Deep:
    """A provider that answers with what it is given."""

    def __init__(self, format: str) -> None:
        self.format = format
        self.answer: bytes | list[bytes] = b""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.answer, bytes):
            return httpx.Response(200, content=self.answer, headers={"content-type": "application/json"})
        if self.format in WIRES:
            return streamed(self.answer)
        kind = {"content-type": "application/vnd.amazon.eventstream"}
        return httpx.Response(200, headers=kind, stream=Stream(self.answer))


async def before(make_gateway: Any, provider: Deep) -> Gateway:
    gate: Gateway = make_gateway(provider, model("gpt", deployment("alpha", provider.format)))
    await put_under_budget(gate)
    return gate


async def ask(gate: Gateway, inbound: str, stream: bool) -> Answer:
    gate.services.health = Health()  # what failed before is tried again
    body = question(inbound, stream, tools=True, thinks=True)
    return await gate.ask(body, headers={"x-gatehouse-usage": "cost"}, **where(inbound, stream))


#: Where the input of a tool stands, which is written again, in whatever format a caller is answered.
INPUTS = {
    "anthropic": ("content", 1, "input", "city"),
    "gemini": ("candidates", 0, "content", "parts", 1, "functionCall", "args", "city"),
    "bedrock_converse": ("output", "message", "content", 1, "toolUse", "input", "city"),
}


@every_caller
@pytest.mark.parametrize("upstream", INPUTS)
async def test_an_answer_too_deep_to_be_written_is_the_provider_s_error(make_gateway, inbound, upstream):
    provider = Deep(upstream)
    gate = await before(make_gateway, provider)
    provider.answer = encoded(with_odd(whole(upstream), INPUTS[upstream], NESTS[0]))
    heard = hear(inbound, await ask(gate, inbound, False))
    assert heard.status == 502 and "nested too deeply" in heard.error["message"]
    [end] = gate.ends
    assert (end.status, end.error_code, end.usage_source) == ("error", "upstream_invalid", "none")
    assert await spent_and_held(gate) == (0, 0)


@pytest.mark.parametrize("inbound", [format for format in FORMATS if format != "gemini"])
async def test_a_stream_that_turns_too_deep_ends_in_an_error_event(make_gateway, inbound):
    """But for one that is relayed as it is, and so need not be written."""
    provider = Deep("gemini")
    gate = await before(make_gateway, provider)
    [at] = [at for at, (_, body) in enumerate(told("gemini")) if "functionCall" in json.dumps(body)][:1]
    place = ("candidates", 0, "content", "parts", 0, "functionCall", "args", "city")
    provider.answer = with_nest("gemini", at, place, NESTS[0])
    heard = hear(inbound, await ask(gate, inbound, True))
    assert heard.status == 200 and heard.thoughts and heard.finish is None and not heard.ended
    assert "nested too deeply" in heard.error["message"]
    [end] = gate.ends
    assert (end.status, end.error_code) == ("error", "upstream_invalid")
    assert await spent_and_held(gate) == (end.cost_nanodollars, 0)


@every_caller
@every_kind
@plain_and_streamed
async def test_a_nest_anywhere_in_an_answer_is_no_failure_of_ours(make_gateway, inbound, upstream, stream):
    provider = Deep(upstream)
    gate = await before(make_gateway, provider)
    for provider.answer in deep_streams(upstream) if stream else deep_answers(upstream):
        answer = await ask(gate, inbound, stream)
        assert answer.status in (200, 502), (provider.answer, answer.body)
        if answer.status == 502:
            hear(inbound, answer)
        assert b"internal" not in answer.body, (provider.answer, answer.body)
    ends = gate.ends
    # An answer whose own field for an error was replaced is one.
    assert {end.error_code for end in ends} <= {"", "upstream_invalid", "upstream_cut", "upstream_refused"}
    assert all((end.status == "ok") == (end.error_code == "") for end in ends)
    spent, held = await spent_and_held(gate)
    assert (spent, held) == (sum(end.cost_nanodollars or 0 for end in ends), 0)
