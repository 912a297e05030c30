"""What is sent to each generation of Claude, by the model's name: what it takes, and the rest is told."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import UnsupportedContent
from proxy_app.formats import exchange
from proxy_app.formats.anthropic.request import relay_request
from proxy_app.formats.claude import rules_of_name
from proxy_app.providers.presets import STARTER_MODELS
from proxy_app.wire import NOWHERE, Address, CallFacts, Outgoing, Target

USER: dict[str, Any] = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
BEGUN = [USER, {"role": "assistant", "content": "Well,"}]
TWO = {"temperature": 0.2, "top_p": 0.9}
STARTERS = [model.upstream_model for model in STARTER_MODELS["anthropic"]]
#: How a model is written in other places than Anthropic's own list.
SPELLINGS = [
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
    ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
    ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-haiku-5-5", "claude-haiku-5-5"),
    ("claude-3-7-sonnet@20250219", "claude-3-7-sonnet"),
    ("claude-opus-5@20260724", "claude-opus-5"),
    ("claude-opus-5-20260724", "claude-opus-5"),
    ("anthropic/claude-opus-4.8", "claude-opus-4-8"),
    ("claude-sonnet-4-20250514", "claude-4-sonnet"),
    ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
    ("Claude-Sonnet-4-6[1m]", "claude-sonnet-4-6"),
    ("anthropic.claude-v2:1", "claude-instant-1.2"),
    ("claude-opus-latest", "claude-opus-5-5"),
    ("claude-haiku-6", "claude-haiku-5-5"),
    ("claude-mythos-preview", "claude-fable-5-2"),
    ("claude-nova-7", "claude-opus-5-5"),
]


def built(model: str, wire: str = "anthropic", quirks: Any = None, **body: Any) -> tuple[Outgoing, Any]:
    asked = {"model": "public", "messages": [USER], **body}
    raw = orjson.dumps(asked)
    facts = exchange.read_call("openai_chat", asked, NOWHERE)
    outgoing = exchange.build_outgoing(
        "openai_chat", Target(wire, model, quirks or {}), raw, asked, facts, None
    )
    return outgoing, orjson.loads(outgoing.body)


def told(inbound: str, model: str, body: Any, wire: str = "anthropic") -> Any:
    """What a model is sent of a body of any format."""
    asked = {"model": "public", **body}
    facts = exchange.read_call(inbound, asked, Address(model="public") if inbound == "gemini" else NOWHERE)
    outgoing = exchange.build_outgoing(inbound, Target(wire, model), orjson.dumps(asked), asked, facts, None)
    return orjson.loads(outgoing.body)


@pytest.mark.parametrize(("spelt", "plain"), SPELLINGS)
def test_a_model_is_known_however_its_name_is_written(spelt: str, plain: str) -> None:
    assert rules_of_name(spelt) == rules_of_name(plain)


@pytest.mark.parametrize(
    ("model", "kept", "dropped"),
    [
        ("claude-fable-5-2", {}, ("temperature", "top_p")),
        ("claude-opus-5-5", {}, ("temperature", "top_p")),
        ("claude-opus-4-7", {}, ("temperature", "top_p")),
        ("claude-sonnet-4-6", {"temperature": 0.2}, ("top_p",)),
        ("claude-opus-4-1", {"temperature": 0.2}, ("top_p",)),
        ("claude-sonnet-4", {"temperature": 0.2, "top_p": 0.9}, ()),
        ("somebody/else", {"temperature": 0.2, "top_p": 0.9}, ()),
    ],
)
def test_sampling_is_what_the_model_takes(model: str, kept: dict[str, float], dropped: tuple[str]) -> None:
    outgoing, body = built(model, temperature=0.2, top_p=0.9)
    assert {name: body[name] for name in ("temperature", "top_p") if name in body} == kept
    assert outgoing.dropped == dropped
    assert outgoing.headers["anthropic-version"] == ("2023-06-01" if kept else "2026-10-21")
    name = f"anthropic.{model}" if "claude" in model else model
    converse, told = built(name, "bedrock_converse", **TWO)
    names = {"temperature": "temperature", "topP": "top_p"}
    assert {names[name]: value for name, value in told.get("inferenceConfig", {}).items()} == kept
    assert converse.dropped == dropped


def test_what_is_a_default_is_left_out_without_a_word() -> None:
    outgoing, body = built("claude-opus-5-5", temperature=1, top_p=1)
    assert not outgoing.dropped and not {"temperature", "top_p"} & body.keys()


def test_gemini_s_three_kinds_of_sampling_reach_a_claude_that_takes_one() -> None:
    body = {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"temperature": 0, "topP": 0.95, "topK": 64},
    }
    facts = exchange.read_call("gemini", body, Address(model="m"))
    for model, kept in (("claude-opus-5-5", set()), ("claude-sonnet-4-6", {"temperature", "top_k"})):
        target = Target("anthropic", model)
        outgoing = exchange.build_outgoing("gemini", target, orjson.dumps(body), body, facts)
        assert {"temperature", "top_p", "top_k"} & orjson.loads(outgoing.body).keys() == kept
        assert "generationConfig.topP" in outgoing.dropped


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "told"),
    [
        ("claude-sonnet-4-5", "high", {"type": "enabled", "budget_tokens": 16384}, None),
        ("claude-opus-4-1-20250805", "low", {"type": "enabled", "budget_tokens": 2048}, None),
        ("claude-haiku-4-5", "none", {"type": "disabled"}, None),
        ("claude-3-5-haiku-latest", "none", None, None),
        ("claude-sonnet-4-6", "xhigh", {"type": "adaptive"}, "high"),
        ("claude-opus-4-8", "xhigh", {"type": "adaptive"}, "xhigh"),
        ("claude-opus-4-8", "none", {"type": "disabled"}, None),
        ("claude-haiku-5-5", "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        ("claude-fable-5", "high", {"type": "adaptive"}, "high"),
    ],
)
def test_thinking_is_asked_for_as_the_model_knows_it(
    model: str, effort: str, thinking: Any, told: str | None
) -> None:
    outgoing, body = built(model, reasoning_effort=effort)
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == (thinking, told)
    assert not outgoing.dropped
    _, converse = built(f"us.anthropic.{model}-v1:0", "bedrock_converse", reasoning_effort=effort)
    assert converse.get("additionalModelRequestFields", {}).get("thinking") == thinking
    assert converse.get("outputConfig", {}).get("effort") == told


@pytest.mark.parametrize("model", ["claude-fable-5-2", "claude-mythos-5", "claude-opus-5-5", "claude-nova-7"])
def test_a_model_that_always_thinks_is_told_to_think_little_where_it_should_not(model: str) -> None:
    outgoing, body = built(model, reasoning_effort="none")
    assert "thinking" not in body and body["output_config"] == {"effort": "low"}
    assert outgoing.dropped == ("reasoning_effort",)


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    outgoing, body = built("claude-3-5-haiku-20241022", reasoning_effort="high")
    assert not {"thinking", "output_config"} & body.keys()
    assert outgoing.dropped == ("reasoning_effort",)


def test_thinking_and_sampling_do_not_meet() -> None:
    asked = {"reasoning_effort": "high", "top_p": 0.5, "temperature": 0.2}
    for model in ("claude-sonnet-4-6", "claude-sonnet-4-5", "claude-3-7-sonnet-latest"):
        outgoing, body = built(model, **asked)
        assert not {"temperature", "top_p"} & body.keys()
        assert outgoing.dropped == ("temperature", "top_p")
    _, body = built("claude-sonnet-4-5", reasoning_effort="high", top_p=0.97)
    assert body["top_p"] == 0.97
    _, body = built("claude-sonnet-4-5", **{**asked, "reasoning_effort": "none"})
    assert body["temperature"] == 0.2


def test_a_hard_effort_does_not_go_with_thinking_that_is_off() -> None:
    """Opus 5 answers 400 to it; a forced tool turns thinking off."""
    _, body = built("claude-opus-5", reasoning_effort="xhigh", tools=[TOOL], tool_choice="required")
    assert body["thinking"] == {"type": "disabled"} and body["output_config"] == {"effort": "high"}


@pytest.mark.parametrize("wire", ["anthropic", "bedrock_converse"])
@pytest.mark.parametrize("model", ["claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5"])
def test_a_tool_is_left_to_a_model_that_none_can_be_forced_on(model: str, wire: str) -> None:
    choice = {"type": "function", "function": {"name": "look"}}
    outgoing, body = built(model, wire, tools=[TOOL], tool_choice=choice)
    config = body.get("toolConfig") or body
    assert (config.get("toolChoice") or config["tool_choice"]) in ({"auto": {}}, {"type": "auto"})
    assert outgoing.dropped == ("tool_choice",) and "system" not in body


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-opus-5", "claude-fable-5", "claude-opus-4-8"])
def test_a_tool_is_forced_where_it_can_be(model: str) -> None:
    outgoing, body = built(model, tools=[TOOL], tool_choice="required")
    assert body["tool_choice"] == {"type": "any"} and not outgoing.dropped


def test_bedrock_is_told_not_to_think_before_a_forced_tool_where_it_would_unasked() -> None:
    for model, thinking in (("claude-sonnet-5", {"type": "disabled"}), ("claude-opus-4-8", None)):
        _, body = built(f"anthropic.{model}", "bedrock_converse", tools=[TOOL], tool_choice="required")
        assert body.get("additionalModelRequestFields", {}).get("thinking") == thinking


@pytest.mark.parametrize(
    ("model", "effort", "limit"),
    [
        ("claude-fable-5-2", None, 32_000),  # it thinks unasked
        ("claude-opus-5-5", "none", 32_000),
        ("claude-opus-5-5", "high", 32_000),
        ("claude-opus-5-5", "xhigh", 64_000),
        ("claude-sonnet-4-5", "max", 64_000),
        ("claude-opus-4-1", "max", 32_000),
        ("claude-3-7-sonnet", "max", 64_000),
        ("claude-3-5-haiku", "max", 8_192),
        ("claude-3-haiku", None, 4_096),
        ("deepseek-v4-pro", None, 8_192),
        ("deepseek-v4-pro", "max", 32_000),
    ],
)
def test_a_limit_that_nobody_named_suits_the_model_and_its_thoughts(
    model: str, effort: str | None, limit: int
) -> None:
    _, body = built(model, reasoning_effort=effort)
    assert body["max_tokens"] == limit
    budget = (body.get("thinking") or {}).get("budget_tokens", 0)
    assert budget <= limit * 3 // 4
    mixed = {"model": "m", "messages": [USER], "max_tokens": None}
    if effort not in (None, "none"):
        mixed["output_config"] = {"effort": effort}
    sent = relay_request(orjson.dumps(mixed), mixed, CallFacts("m"), Target("anthropic", model))
    assert orjson.loads(sent.body)["max_tokens"] == limit


def test_a_budget_of_thoughts_has_room_in_a_limit_that_nobody_named() -> None:
    asked = {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 40_000}},
    }
    for model, limit in (("claude-sonnet-4-5", 64_000), ("claude-opus-5-5", 72_000)):
        body = told("gemini", model, asked)
        assert body["max_tokens"] == limit
    thinking = {"type": "enabled", "budget_tokens": 40_000}
    mixed = {"model": "m", "messages": [USER], "max_tokens": None, "thinking": thinking}
    sent = relay_request(orjson.dumps(mixed), mixed, CallFacts("m"), Target("anthropic", "claude-sonnet-4-5"))
    assert orjson.loads(sent.body)["max_tokens"] == 64_000


@pytest.mark.parametrize(
    ("inbound", "body", "place"),
    [
        ("openai_chat", {"messages": BEGUN}, "messages[1]"),
        ("openai_chat", {"messages": [USER, *BEGUN, BEGUN[1]]}, "messages[3]"),
        ("openai_responses", {"input": BEGUN}, "input[1]"),
        (
            "openai_responses",
            {
                "input": [
                    USER,
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
                    BEGUN[1],
                ]
            },
            "input[2]",
        ),
        (
            "gemini",
            {"contents": [{"parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Well,"}]}]},
            "contents[1]",
        ),
    ],
)
@pytest.mark.parametrize("wire", ["anthropic", "bedrock_converse"])
def test_a_beginning_that_is_refused_is_named_by_its_place(
    inbound: str, body: Any, place: str, wire: str
) -> None:
    with pytest.raises(UnsupportedContent, match="continue an answer") as refused:
        told(inbound, "claude-opus-5-5", body, wire)
    assert refused.value.param == place and f"'{place}'" in refused.value.detail


@pytest.mark.parametrize("wire", ["anthropic", "bedrock_converse"])
def test_the_beginning_of_an_answer_is_refused_where_the_model_does_not_go_on_from_it(wire: str) -> None:
    for model in ("claude-sonnet-4-6", "claude-opus-4-6", "claude-fable-5-2", "claude-haiku-latest"):
        with pytest.raises(UnsupportedContent, match="continue an answer"):
            built(model, wire, messages=BEGUN)
    for model in ("claude-haiku-4-5", "claude-3-opus-20240229"):
        _, body = built(model, wire, messages=BEGUN)
        assert body["messages"][-1]["role"] == "assistant"


def test_no_thought_comes_before_an_answer_that_is_begun() -> None:
    _, body = built("claude-haiku-4-5", messages=BEGUN, reasoning_effort="high")
    assert body["thinking"] == {"type": "disabled"}


def test_quirks_of_a_deployment_win_over_its_name() -> None:
    profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"
    quirks = {"family": "anthropic", "known_as": "claude-sonnet-4-5"}
    _, body = built(profile, "bedrock_converse", quirks, reasoning_effort="high", max_tokens=9000)
    assert body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 6750}
    _, body = built("claude-opus-5-5", quirks={"known_as": "claude-sonnet-4"}, **TWO)
    assert (body["temperature"], body["top_p"]) == (0.2, 0.9)
    _, body = built("claude-sonnet-4-5", quirks={"thinking_style": "adaptive"}, reasoning_effort="high")
    assert body["thinking"] == {"type": "adaptive"}
    _, body = built("claude-opus-5-5", quirks={"family": "other"}, **TWO)
    assert (body["temperature"], body["top_p"]) == (0.2, 0.9)


@pytest.mark.parametrize("model", STARTERS)
@pytest.mark.parametrize("effort", [None, "none", "minimal", "low", "high", "xhigh", "max"])
@pytest.mark.parametrize("forced", [True, False])
def test_no_starter_is_sent_what_it_refuses(model: str, effort: str | None, forced: bool) -> None:
    """The published rules of the models of today, one by one, over whatever a caller sets."""
    _, body = built(
        model, reasoning_effort=effort, tools=[TOOL], tool_choice="required" if forced else "auto", **TWO
    )
    kind = body.get("thinking", {}).get("type")
    level = body.get("output_config", {}).get("effort")
    sampling = {"temperature", "top_p", "top_k"} & body.keys()
    if model == "claude-haiku-4-5":
        assert kind in (None, "disabled", "enabled") and level is None
        assert len(sampling) == (0 if kind == "enabled" else 1)
        assert not (kind == "enabled" and forced)
    elif model == "claude-sonnet-4-6":
        assert kind in (None, "disabled", "adaptive") and level in (None, "low", "high", "max")
        assert len(sampling) == (0 if kind == "adaptive" else 1)
    else:
        assert not sampling
        allowed = {"claude-opus-4-8": "disabled", "claude-haiku-5-5": "disabled"}
        allowed["claude-sonnet-5-5"] = "between_tools"
        assert kind in (None, "adaptive", allowed.get(model))
        assert kind in (None, "adaptive") or level in (None, "low", "medium", "high")
    if model in ("claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5"):
        assert body["tool_choice"]["type"] == "auto"
    elif forced:
        assert body["tool_choice"]["type"] == "any" and kind != "adaptive"


def test_messages_go_to_their_own_provider_as_they_came() -> None:
    raw = (
        b'{"model":"public","max_tokens":9,"messages":[{"role":"user","content":"Hi"},'
        b'{"role":"assistant","content":"Well,"}],"temperature":0.20,"top_p":0.9,'
        b'"thinking":{"type":"disabled"}}'
    )
    body = orjson.loads(raw)
    facts = exchange.read_call("anthropic", body, NOWHERE)
    target = Target("anthropic", "claude-opus-5-5")
    outgoing = exchange.build_outgoing("anthropic", target, raw, body, facts)
    assert outgoing.body == raw.replace(b"public", b"claude-opus-5-5") and not outgoing.dropped


@pytest.mark.parametrize("wire", ["anthropic", "bedrock_converse"])
def test_an_id_that_comes_again_is_another_with_its_result(wire: str) -> None:
    call = {"id": "call_0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    answer = {"role": "tool", "tool_call_id": "call_0"}
    messages = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {**answer, "content": "first"},
        {"role": "assistant", "tool_calls": [call, call, {**call, "id": "call_0_2"}]},
        {**answer, "content": "second"},
        {**answer, "content": "third"},
        {**answer, "tool_call_id": "call_0_2", "content": "fourth"},
    ]
    _, body = built("claude-opus-4-8", wire, messages=messages, tools=[TOOL])
    found = [_told(block) for message in body["messages"] for block in message["content"]]
    called = [one for kind, one, _ in found if kind == "call"]
    assert called == ["call_0", "call_0_3", "call_0_4", "call_0_2"]
    answered = {one: text for kind, one, text in found if kind == "result"}
    assert answered == {
        "call_0": "first",
        "call_0_3": "second",
        "call_0_4": "third",
        "call_0_2": "fourth",
    }


def _told(block: dict[str, Any]) -> tuple[str, str, str]:
    """(call, result or other, its id, the result's text) of either format."""
    use, result = block.get("toolUse"), block.get("toolResult")
    if use or block.get("type") == "tool_use":
        return "call", (use or {}).get("toolUseId") or block["id"], ""
    if result or block.get("type") == "tool_result":
        one = (result or {}).get("toolUseId") or block["tool_use_id"]
        return "result", one, (result or block)["content"][0]["text"]
    return "other", "", ""


def test_a_demand_for_a_tool_goes_on_to_a_claude_of_which_nothing_is_known() -> None:
    assert rules_of_name("claude").forces_tools and rules_of_name("arn:aws:bedrock:profile/x1").forces_tools
    assert not rules_of_name("claude-opus-latest").forces_tools
