"""Whoever asks for one tool call at a time gets one, from providers without a switch for it too."""

from typing import Any

import orjson
import pytest

from proxy_app.formats.exchange import build_outgoing, convert_answer, open_pipe
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.formats.whole import answer_events
from proxy_app.wire import Address, Answer, Finish, Target, Text, ToolCall
from tests.proxy_app.formats.saying import FORMATS
from tests.proxy_app.formats.test_pairs_identity import OPTIONS, over_the_wire

CALLS = [ToolCall(f"call_{number}", "look", f'{{"at": {number}}}', path="") for number in range(3)]
ANSWER = Answer("a", "m", [Text("Let me look."), *CALLS], Finish.TOOL_CALLS)
SCHEMA = {"type": "object", "properties": {"at": {"type": "integer"}}}
#: By callers whose format has the switch.
ASKED: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}],
        "parallel_tool_calls": False,
    },
    "openai_responses": {
        "input": "Hi",
        "tools": [{"type": "function", "name": "look", "parameters": SCHEMA}],
        "parallel_tool_calls": False,
    },
    "anthropic": {
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": "look", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
}
PAIRS = [(caller, provider) for caller in ASKED for provider in FORMATS if caller != provider]


def asked(caller: str, provider: str, body: dict[str, Any]) -> tuple[Target, Any]:
    body = {"model": "public", **body}
    facts = INBOUND[caller].read_call(body, Address("public"))
    target = Target(provider, "gemini-3-pro" if provider == "gemini" else "m")
    build_outgoing(caller, target, orjson.dumps(body), body, facts)
    return target, facts


def calls_in(caller: str, told: bytes) -> list[str]:
    """As a provider's answer in the caller's format is read."""
    parts = UPSTREAM[caller].parse_answer(orjson.loads(told)).parts
    assert any(isinstance(part, Text) for part in parts)
    return [part.arguments.replace(" ", "") for part in parts if isinstance(part, ToolCall)]


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_of_several_calls_in_a_whole_answer_the_first_goes_on(caller: str, provider: str) -> None:
    raw = orjson.dumps(over_the_wire(INBOUND[provider].render_answer(ANSWER, OPTIONS)))
    target, facts = asked(caller, provider, ASKED[caller])
    told, observed = convert_answer(caller, target, raw, facts, OPTIONS)
    assert calls_in(caller, told) == ['{"at":0}'] and observed.finish is Finish.TOOL_CALLS
    free = {
        name: value
        for name, value in ASKED[caller].items()
        if name not in ("parallel_tool_calls", "tool_choice")
    }
    target, facts = asked(caller, provider, free)
    assert len(calls_in(caller, convert_answer(caller, target, raw, facts, OPTIONS)[0])) == 3


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_of_several_calls_in_a_stream_the_first_goes_on(caller: str, provider: str) -> None:
    renderer = INBOUND[provider].open_renderer(OPTIONS)
    sent = b"".join(renderer.feed(event) for event in answer_events(ANSWER))
    target, facts = asked(caller, provider, {**ASKED[caller], "stream": True})
    pipe = open_pipe(caller, target, facts, OPTIONS)
    told = pipe.feed(sent) + pipe.finish()
    assert told.count(b"look") >= 1 and b"call_0" in told
    assert b"call_1" not in told and b"call_2" not in told
    assert pipe.observed.ended and pipe.observed.finish is Finish.TOOL_CALLS


@pytest.mark.parametrize("provider", ["gemini", "bedrock_converse", "cohere"])
def test_a_provider_without_the_switch_is_asked_all_the_same(provider: str) -> None:
    target, _ = asked("openai_responses", provider, ASKED["openai_responses"])
    assert target.one_call
