"""Conversations on their way to Bedrock's Converse; every body is one AWS's own service model takes."""

from functools import lru_cache
from typing import Any

import orjson
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from gateway_project.errors import BadRequest
from proxy_app.formats import exchange
from proxy_app.wire import NOWHERE, Target
from tests.proxy_app.formats.test_requests import (
    FILE,
    IMAGE,
    NOW,
    TOOL_TALK,
    USER,
    WEATHER,
    WEB_IMAGE,
    call,
    user,
)

CLAUDE = "anthropic.claude-opus-4-8"
OLD_CLAUDE = "anthropic.claude-sonnet-4-20250514-v1:0"  # takes all sampling
NOVA = "amazon.nova-pro-v1:0"


@lru_cache
def service() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))


def check(body: dict[str, Any], model: str) -> None:
    """AWS's own validator over what would be sent."""
    shape = service().operation_model("Converse").input_shape
    report = ParamValidator().validate({"modelId": model, **body}, shape)
    assert not report.has_errors(), report.generate_report()


def sent(inbound: str, body: dict[str, Any], model: str = CLAUDE, **quirks: Any) -> Any:
    raw = orjson.dumps(body)
    facts = exchange.read_call(inbound, body, NOWHERE)
    outgoing = exchange.build_outgoing(inbound, Target("bedrock_converse", model, quirks), raw, body, facts)
    check(orjson.loads(outgoing.body), model)
    return outgoing


def build(model: str = CLAUDE, quirks: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    asked = {"model": "public", "messages": [USER], **body}
    found: dict[str, Any] = orjson.loads(sent("openai_chat", asked, model, **(quirks or {})).body)
    return found


def from_claude(**body: Any) -> dict[str, Any]:
    asked = {"model": "public", "max_tokens": 5000, "messages": [USER], **body}
    found: dict[str, Any] = orjson.loads(sent("anthropic", asked).body)
    return found


def test_the_model_stands_in_the_address_even_as_an_arn() -> None:
    asked = {"model": "public", "messages": [USER]}
    assert sent("openai_chat", asked, NOVA).path == "/model/amazon.nova-pro-v1%3A0/converse"
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    path = sent("openai_chat", {**asked, "stream": True}, arn).path
    assert path == f"/model/{arn.replace(':', '%3A').replace('/', '%2F')}/converse-stream"


def test_a_conversation_with_tools_is_carried_whole() -> None:
    sampling = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": "x"}
    body = build(NOVA, messages=TOOL_TALK, tools=[WEATHER, NOW], **sampling)
    assert body["system"] == [{"text": "Be brief."}, {"text": "And kind."}]
    assert body["inferenceConfig"] == {
        "maxTokens": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["x"],
    }
    assistant = body["messages"][1]["content"]
    assert assistant[0]["toolUse"]["input"]["city"] == "Seoul"
    assert assistant[1] == {"toolUse": {"toolUseId": "call_2", "name": "now", "input": {}}}
    results = body["messages"][2]["content"]
    assert [one["toolResult"]["toolUseId"] for one in results[:2]] == ["call_1", "call_2"]
    specs = [tool["toolSpec"] for tool in body["toolConfig"]["tools"]]
    assert specs[0]["inputSchema"] == {"json": {"type": "object", "properties": {}}}
    assert specs[1] == {
        "name": "now",
        "description": "The time",
        "strict": True,
        "inputSchema": {"json": {"type": "object", "properties": {}}},
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "now"}}, {"tool": {"name": "now"}}),
    ],
)
def test_a_choice_of_tools_is_carried(choice: Any, expected: Any) -> None:
    assert build(tools=[WEATHER, NOW], tool_choice=choice)["toolConfig"]["toolChoice"] == expected


def test_a_subset_of_tools_is_all_the_model_sees() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "now"}}]}
    body = build(tools=[WEATHER, NOW], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["now"]


def test_no_tool_is_no_tools_where_nothing_speaks_of_them() -> None:
    assert "toolConfig" not in build(tools=[NOW], tool_choice="none")


def test_media_are_sent_inside() -> None:
    blocks = build(messages=user({"type": "text", "text": "Look"}, IMAGE, FILE))["messages"][0]["content"]
    assert blocks[1]["image"]["format"] == "png" and blocks[1]["image"]["source"]["bytes"]
    assert (blocks[2]["document"]["format"], blocks[2]["document"]["name"]) == ("pdf", "a")


def test_an_odd_file_name_is_told_in_the_signs_that_are_allowed() -> None:
    file = {**FILE, "file": {**FILE["file"], "filename": "보고서 #7  (final).v2.pdf"}}
    document = build(messages=user({"type": "text", "text": "x"}, file))["messages"][0]["content"][1][
        "document"
    ]
    assert document["name"] == "7 (final) v2"


def test_cache_points_stand_behind_what_they_end() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = from_claude(
        system=[{"type": "text", "text": "Long", "cache_control": mark}],
        tools=[{"name": "now", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": mark}]}],
    )
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["system"] == [{"text": "Long"}, point]
    assert body["messages"][0]["content"] == [{"text": "Hi"}, point]
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}


def test_results_carry_images_and_errors() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}}
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [image], "is_error": True}
    empty = {"type": "tool_result", "tool_use_id": "toolu_2"}
    body = from_claude(
        tools=[{"name": "look", "input_schema": {"type": "object"}}],
        messages=[
            USER,
            {"role": "assistant", "content": [use, {**use, "id": "toolu_2"}]},
            {"role": "user", "content": [result, empty]},
        ],
    )
    told = [one["toolResult"] for one in body["messages"][2]["content"]]
    assert told[0]["status"] == "error" and told[0]["content"][0]["image"]["format"] == "png"
    assert told[1] == {"toolUseId": "toolu_2", "content": [{"json": {}}]}


def test_a_claude_on_bedrock_is_told_to_think_as_claude_is() -> None:
    body = build(reasoning_effort="high", max_tokens=20000)
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert body["outputConfig"] == {"effort": "high"}
    older = build(quirks={"thinking_style": "budget"}, reasoning_effort="low", max_tokens=4000)
    assert older["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    off = build(reasoning_effort="none")
    assert off["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}
    forced = build(reasoning_effort="high", tools=[NOW], tool_choice="required")
    assert forced["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}


def test_another_model_is_told_an_effort_only() -> None:
    body = build(NOVA, reasoning_effort="minimal")
    assert body["outputConfig"] == {"effort": "low"}
    assert "additionalModelRequestFields" not in body


def test_thinking_is_off_and_told_so_where_a_call_s_thoughts_are_lost() -> None:
    talk = [USER, {"role": "assistant", "tool_calls": [call("c1", "now", "{}")]}]
    talk.append({"role": "tool", "tool_call_id": "c1", "content": "noon"})
    outgoing = sent(
        "openai_chat", {"model": "m", "messages": talk, "tools": [NOW], "reasoning_effort": "high"}
    )
    assert outgoing.lost_thoughts
    assert orjson.loads(outgoing.body)["additionalModelRequestFields"]["thinking"] == {"type": "disabled"}


def test_thoughts_signed_here_go_back_and_others_stay() -> None:
    ours = {"type": "thinking", "thinking": "Hm", "signature": "gatehouse.bedrock.c2ln"}
    theirs = {"type": "thinking", "thinking": "Ah", "signature": "c2ln"}
    hidden = {"type": "redacted_thinking", "data": "gatehouse.bedrock+redacted.AAAA"}
    text = {"type": "text", "text": "So."}
    body = from_claude(messages=[USER, {"role": "assistant", "content": [ours, theirs, hidden, text]}, USER])
    assert body["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "AAAA"}},
        {"text": "So."},
    ]


def test_structured_output_is_a_schema_as_text() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    body = build(response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}})
    form = body["outputConfig"]["textFormat"]
    assert orjson.loads(form["structure"]["jsonSchema"]["schema"]) == {
        **schema,
        "additionalProperties": False,
    }
    assert form["structure"]["jsonSchema"]["name"] == "answer"
    asked = build(response_format={"type": "json_object"})
    assert "JSON object" in asked["system"][-1]["text"]


def test_tiers_with_a_counterpart_are_asked_for() -> None:
    assert build(service_tier="flex")["serviceTier"] == {"type": "flex"}
    assert "serviceTier" not in build(service_tier="auto")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": user(WEB_IMAGE)}, "messages[0].content[0]"),
        ({"seed": 1, "n": 2}, "n"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"temperature": 1.5}, "temperature"),
        ({"messages": TOOL_TALK, "tools": [NOW, WEATHER], "tool_choice": "none"}, "tool_choice"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        build(OLD_CLAUDE, **body)
    assert refused.value.param == param


def test_top_k_is_for_claude_models() -> None:
    asked = {"model": "m", "max_tokens": 5, "messages": [USER], "top_k": 4}
    fields = orjson.loads(sent("anthropic", asked, OLD_CLAUDE).body)["additionalModelRequestFields"]
    assert fields == {"top_k": 4}
    with pytest.raises(BadRequest, match="top_k"):
        sent("anthropic", asked, NOVA)


def test_a_long_id_is_the_same_shorter_one_for_a_call_and_its_result() -> None:
    long = "call/" + "x" * 80
    talk = [USER, {"role": "assistant", "tool_calls": [call(long, "now", "{}")]}]
    talk.append({"role": "tool", "tool_call_id": long, "content": "noon"})
    messages = build(messages=talk, tools=[NOW])["messages"]
    asked, told = messages[1]["content"][0]["toolUse"], messages[2]["content"][0]["toolResult"]
    assert asked["toolUseId"] == told["toolUseId"] and len(asked["toolUseId"]) <= 64
