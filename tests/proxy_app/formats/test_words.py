"""What a model does not take is told to callers under their own names for it."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.providers.presets import PRESETS
from proxy_app.wire import Address, Outgoing, Target

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "model": "m"}
ASKING: dict[str, dict[str, Any]] = {
    "anthropic": HELLO,
    "openai_chat": {"model": "m", "messages": HELLO["messages"]},
    "openai_responses": {"model": "m", "input": "Hi"},
    "gemini": {"contents": [{"parts": [{"text": "Hi"}]}]},
}


def sent(inbound: str, wire: str, quirks: dict[str, Any] | None = None, **more: Any) -> Outgoing:
    body = {**ASKING[inbound], **more}
    facts = exchange.read_call(inbound, body, Address(model="m"))
    target = Target(wire, "m", quirks or {})
    return exchange.build_outgoing(inbound, target, orjson.dumps(body), body, facts)


@pytest.mark.parametrize(
    ("inbound", "wire", "more", "name"),
    [
        ("anthropic", "openai_responses", {"stop_sequences": ["x"]}, "stop_sequences"),
        ("anthropic", "openai_chat", {"top_k": 4}, "top_k"),
        ("gemini", "openai_responses", {"generationConfig": {"stopSequences": ["x"]}}, "stopSequences"),
        ("gemini", "anthropic", {"generationConfig": {"frequencyPenalty": 1}}, "frequencyPenalty"),
        ("gemini", "anthropic", {"generationConfig": {"candidateCount": 2}}, "candidateCount"),
        ("gemini", "anthropic", {"generationConfig": {"temperature": 1.5}}, "temperature"),
        ("openai_chat", "openai_responses", {"stop": "x"}, "stop"),
        ("openai_responses", "anthropic", {"temperature": 1.5}, "temperature"),
    ],
)
def test_a_refusal_names_the_callers_own_field(inbound: str, wire: str, more: Any, name: str) -> None:
    param = f"generationConfig.{name}" if inbound == "gemini" else name
    with pytest.raises(UnsupportedParameter) as refused:
        sent(inbound, wire, **more)
    assert (refused.value.param, f"'{param}'" in refused.value.detail) == (param, True)


REASONING: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "anthropic": (
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "thinking",
    ),
    "openai_chat": ({"reasoning_effort": "none"}, {"reasoning_effort": "high"}, "reasoning_effort"),
    "openai_responses": ({"reasoning": {"effort": "none"}}, {"reasoning": {"effort": "low"}}, "reasoning"),
    "gemini": (
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}},
        "generationConfig.thinkingConfig",
    ),
}


@pytest.mark.parametrize("inbound", REASONING)
@pytest.mark.parametrize("wire", UPSTREAM)
def test_a_model_that_does_not_reason_is_not_told_how_hard_to(inbound: str, wire: str) -> None:
    if inbound == wire:
        return  # what speaks the same format is passed on as it is
    off, on, name = REASONING[inbound]
    untold = sent(inbound, wire, {"no_reasoning": True}, **off)
    assert untold.dropped == () and untold.body == sent(inbound, wire, {"no_reasoning": True}).body
    assert sent(inbound, wire, {"no_reasoning": True}, **on).dropped == (name,)
    assert sent(inbound, wire, **on).body != untold.body and sent(inbound, wire, **on).dropped == ()


def test_a_dropped_parameter_is_told_under_the_callers_name() -> None:
    config = {"topP": 0.5, "stopSequences": ["x"]}
    outgoing = sent("gemini", "openai_chat", {"drop": ["top_p", "stop"]}, generationConfig=config)
    assert outgoing.dropped == ("generationConfig.topP", "generationConfig.stopSequences")


def test_a_tier_and_verbosity_are_dropped_where_a_server_refuses_what_it_does_not_know() -> None:
    quirks = {"drop": PRESETS["mistral"].quirks["drop"]}
    flex = sent("gemini", "openai_chat", quirks, serviceTier="FLEX")
    assert flex.dropped == ("serviceTier",) and b"tier" not in flex.body
    terse = sent("openai_responses", "openai_chat", quirks, text={"verbosity": "low"}, service_tier="auto")
    assert terse.dropped == ("text.verbosity",) and b"verbosity" not in terse.body


def test_every_word_is_for_a_parameter_that_a_builder_may_name() -> None:
    known = set(ASKING["openai_chat"]) | {"stop", "n", "seed", "temperature", "top_p", "top_k", "logprobs"}
    known |= {"top_logprobs", "frequency_penalty", "presence_penalty", "parallel_tool_calls"}
    known |= {"tool_choice", "reasoning_effort", "service_tier", "verbosity", "response_format"}
    for form in INBOUND.values():
        assert set(form.words) <= known


def test_a_preferred_format_is_the_one_that_is_spoken() -> None:
    formats, quirks = ("openai_chat", "openai_responses"), {"prefers": "openai_responses"}
    for inbound in INBOUND:
        assert exchange.choose_format(inbound, formats, quirks, {}) == "openai_responses"
        assert exchange.choose_format(inbound, formats[:1], quirks, {}) == "openai_chat"
