"""Conversations on their way to Cohere's own chat, `/v2/chat`."""

from typing import Any

import orjson
import pytest

from gateway_project.errors import BadRequest
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.providers.addressing import place
from proxy_app.providers.presets import PRESETS
from proxy_app.wire import NOWHERE, CallFacts, Outgoing, Target
from tests.proxy_app.formats.test_requests import FILE, IMAGE, NOW, TOOL_TALK, USER, WEATHER, WEB_IMAGE, user

LOOK = {"type": "text", "text": "Look"}
#: What the SDK's types have, field by field: a request may hold nothing else.
FIELDS = {
    *("model", "messages", "tools", "strict_tools", "response_format", "max_tokens", "stop_sequences"),
    *("temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "tool_choice", "thinking"),
    "stream",
}
MESSAGES = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "tool_plan"},
    "tool": {"role", "tool_call_id", "content"},
}


def sent(inbound: str, body: dict[str, Any]) -> Outgoing:
    facts = exchange.read_call(inbound, body, NOWHERE)
    return exchange.build_outgoing(inbound, Target("cohere", "command-a"), orjson.dumps(body), body, facts)


def build(**body: Any) -> dict[str, Any]:
    outgoing = sent("openai_chat", {"model": "public", "messages": [USER], **body})
    assert (outgoing.path, outgoing.from_host) == ("/v2/chat", True)
    built: dict[str, Any] = orjson.loads(outgoing.body)
    assert built.keys() <= FIELDS
    assert all(message.keys() <= MESSAGES[message["role"]] for message in built["messages"])
    return built


def from_claude(**body: Any) -> dict[str, Any]:
    asked = {"model": "public", "max_tokens": 5000, "messages": [USER], **body}
    found: dict[str, Any] = orjson.loads(sent("anthropic", asked).body)
    return found


def test_a_question_and_its_instructions() -> None:
    messages = [{"role": "system", "content": "Be brief."}, USER]
    built = build(messages=messages, stream=True)
    assert (built["model"], built["stream"]) == ("command-a", True)
    assert built["messages"] == [{"role": "system", "content": "Be brief."}, USER]


def test_instructions_alone_are_the_question() -> None:
    assert build(messages=[{"role": "system", "content": "Go."}])["messages"] == [
        {"role": "user", "content": "Go."}
    ]


def test_sampling_has_this_formats_names() -> None:
    built = build(
        temperature=0.5,
        top_p=0.5,
        top_k=7,
        seed=3,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        stop=["a"],
        max_tokens=9,
    )
    assert (built["temperature"], built["p"], built["k"], built["seed"]) == (0.5, 0.5, 7, 3)
    assert (built["stop_sequences"], built["max_tokens"]) == (["a"], 9)
    assert (built["frequency_penalty"], built["presence_penalty"]) == (0.1, 0.2)


@pytest.mark.parametrize(("top_p", "p"), [(1, 0.99), (0, 0.01), (0.3, 0.3)])
def test_a_mass_that_the_provider_would_refuse_is_the_nearest(top_p: float, p: float) -> None:
    assert build(top_p=top_p)["p"] == p


def test_calls_and_their_results_stand_in_messages_of_their_own() -> None:
    built = build(messages=TOOL_TALK, tools=[WEATHER, NOW])
    calls = [message for message in built["messages"] if message.get("tool_calls")]
    results = [message for message in built["messages"] if message["role"] == "tool"]
    assert calls and len(results) == sum(len(message["tool_calls"]) for message in calls)
    assert all(isinstance(result["content"], str) for result in results)
    assert [tool["type"] for tool in built["tools"]] == ["function", "function"]


def test_an_image_in_a_result_follows_as_the_users() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    told = [{"type": "text", "text": "Here"}, image]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": told}
    messages = [USER, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    *_, tool, follows = from_claude(messages=messages, tools=tools)["messages"]
    assert tool == {"role": "tool", "tool_call_id": "t1", "content": "Here"}
    assert follows["content"][0]["image_url"]["url"] == "data:image/png;base64,AA=="


def thought(text: str, seal: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": seal}


def test_thoughts_and_plans_go_back_to_whom_they_came_from() -> None:
    blocks = [thought("Hm", "gatehouse.cohere.thinking"), thought("Look.", "gatehouse.cohere.tool_plan")]
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    said = {"role": "assistant", "content": "So", "thinking_blocks": blocks, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "noon"}
    built = build(messages=[USER, said, result], tools=[NOW])["messages"][1]
    assert built["content"] == [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "So"}]
    assert built["tool_plan"] == "Look." and built["tool_calls"] == [call]
    silent = {**said, "content": None, "thinking_blocks": blocks[:1]}
    built = build(messages=[USER, silent, result], tools=[NOW])["messages"][1]
    assert built["content"] == [{"type": "thinking", "thinking": "Hm"}] and "tool_plan" not in built


@pytest.mark.parametrize(
    "seal", ["gatehouse.unsigned.", "EqQBCgIYAhIM", "gatehouse.gemini.thinking", "thinking"]
)
def test_thoughts_of_others_do_not(seal: str) -> None:
    content = [thought("Hm", seal), {"type": "text", "text": "So"}]
    built = from_claude(messages=[USER, {"role": "assistant", "content": content}, USER])
    assert built["messages"][1] == {"role": "assistant", "content": "So"}


def test_a_bare_thought_is_nobody_s() -> None:
    said = {"role": "assistant", "content": "So", "reasoning_content": "Hm"}
    assert build(messages=[USER, said, USER])["messages"][1] == {"role": "assistant", "content": "So"}


@pytest.mark.parametrize("inbound", ["openai_chat", "anthropic"])
def test_what_an_answer_thought_comes_back_as_it_was(inbound: str) -> None:
    content = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "So"}]
    answer = {"id": "a", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": content}}
    facts = CallFacts("public")
    options = RenderOptions(model="public", answer_id="a", created=1)
    raw, _ = exchange.convert_answer(inbound, Target("cohere", "c"), orjson.dumps(answer), facts, options)
    told = orjson.loads(raw)
    message = told["choices"][0]["message"] if inbound == "openai_chat" else told
    said = {
        "role": "assistant",
        **{name: message[name] for name in ("content", "thinking_blocks") if name in message},
    }
    sent_back = sent(inbound, {"model": "public", "max_tokens": 9, "messages": [USER, said, USER]}).body
    assert orjson.loads(sent_back)["messages"][1] == {"role": "assistant", "content": content}


@pytest.mark.parametrize(
    ("choice", "wanted", "offered"),
    [
        ("auto", None, ["weather", "now"]),
        ("required", "REQUIRED", ["weather", "now"]),
        ("none", "NONE", ["weather", "now"]),
        ({"type": "function", "function": {"name": "now"}}, "REQUIRED", ["now"]),
    ],
)
def test_a_tool_that_is_forced_is_the_only_one(choice: Any, wanted: str | None, offered: list[str]) -> None:
    names = {tool["function"]["name"]: tool for tool in (WEATHER, NOW)}
    order = [*names]
    expected = order if len(offered) == 2 else ["now"]
    built = build(tools=[WEATHER, NOW], tool_choice=choice)
    assert built.get("tool_choice") == wanted
    assert [tool["function"]["name"] for tool in built["tools"]] == expected


def test_strict_tools_are_a_setting_of_all() -> None:
    strict = {"type": "function", "function": {"name": "f", "strict": True}}
    built = build(tools=[strict])
    assert built["strict_tools"] is True and "strict" not in built["tools"][0]["function"]
    assert built["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "a": 1}}},
            {"type": "json_object", "json_schema": {"type": "object", "a": 1}},
        ),
    ],
)
def test_the_form_of_the_answer(form: Any, wanted: Any) -> None:
    assert build(response_format=form)["response_format"] == wanted


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [("none", {"type": "disabled"}), ("low", {"type": "enabled", "token_budget": 2048}), (None, None)],
)
def test_how_hard_to_think_is_a_budget(effort: str | None, thinking: Any) -> None:
    assert build(reasoning_effort=effort).get("thinking") == thinking


def test_a_budget_of_another_format_is_carried() -> None:
    assert from_claude(thinking={"type": "enabled", "budget_tokens": 3000})["thinking"] == {
        "type": "enabled",
        "token_budget": 3000,
    }
    assert "thinking" not in from_claude(thinking={"type": "adaptive"})


def test_images_are_carried_by_data_and_by_address() -> None:
    content = build(messages=user(LOOK, IMAGE, WEB_IMAGE))["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": user(LOOK, FILE)}, "messages[0].content[1]"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
    ],
)
def test_what_cannot_be_carried_is_named(fields: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        build(**fields)
    assert refused.value.param == param


def test_it_stands_at_the_host_beside_the_compatible_address() -> None:
    preset = PRESETS["cohere"]
    outgoing = sent("openai_chat", {"model": "public", "messages": [USER]})
    url, _ = place(preset.addressing, preset.base_url, {}, preset.quirks, outgoing)
    assert url == "https://api.cohere.ai/v2/chat"


@pytest.mark.parametrize(
    ("inbound", "quirks", "wanted"),
    [
        ("openai_chat", {}, "openai_chat"),
        ("openai_chat", {"prefers": "cohere"}, "cohere"),
        ("anthropic", {}, "cohere"),
        ("gemini", {}, "cohere"),
    ],
)
def test_callers_of_chat_completions_are_relayed_and_others_translated(
    inbound: str, quirks: dict[str, Any], wanted: str
) -> None:
    preset = PRESETS["cohere"]
    formats = (preset.format, *preset.other_formats)
    assert exchange.choose_format(inbound, formats, {**preset.quirks, **quirks}, {}) == wanted
