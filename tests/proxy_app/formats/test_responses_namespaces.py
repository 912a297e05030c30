"""Tools in a namespace or in the input, as Codex offers them: one flat list elsewhere, both names back."""

from typing import Any

import orjson
import pytest
from openai.types.responses import Response

from gateway_project.errors import UnsupportedParameter
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_responses.conversation import parse_request
from proxy_app.formats.openai_responses.tools import flat_name
from proxy_app.sse import encode
from proxy_app.wire import JSON, NOWHERE, Target

LOOK: JSON = {"type": "function", "name": "look_up", "parameters": {"type": "object"}, "strict": False}
RUN: JSON = {"type": "custom", "name": "run", "description": "Run it."}
CRM: JSON = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [LOOK, RUN]}
QUESTION: JSON = {"role": "user", "content": "hi"}
IN_INPUT: JSON = {"type": "additional_tools", "role": "developer", "tools": [CRM]}


def called(name: str, arguments: str) -> JSON:
    function = {"name": name, "arguments": arguments}
    return {"id": "c1", "type": "function", "function": function}


def answered(body: JSON, *calls: JSON) -> Response:
    """What the caller gets of a chat provider's answer with these calls."""
    message = {"role": "assistant", "content": None, "tool_calls": list(calls)}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    raw = orjson.dumps({"id": "c", "model": "m", "choices": [choice]})
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    options = RenderOptions("m", "id-1", 1, request=body)
    told, _ = exchange.convert_answer("openai_responses", Target("openai_chat", "m"), raw, facts, options)
    return Response.model_validate_json(told)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [CRM], "input": [QUESTION]},
        {"tools": [], "input": [IN_INPUT, QUESTION]},
        {"tools": [CRM], "input": [IN_INPUT, QUESTION, IN_INPUT]},
    ],
    ids=["among the tools", "in the input", "told thrice"],
)
def test_namespaced_tools_are_offered_once_and_their_calls_bear_both_names(body: JSON) -> None:
    body = {"model": "m", **body}
    conversation = parse_request(body)
    assert [tool.name for tool in conversation.tools] == ["crm__look_up", "crm__run"]
    plain, custom = answered(
        body, called("crm__look_up", '{"q": 1}'), called("crm__run", '{"input": "ls"}')
    ).output
    assert plain.type == "function_call" and (plain.namespace, plain.name) == ("crm", "look_up")
    assert custom.type == "custom_tool_call"
    assert (custom.namespace, custom.name, custom.input) == ("crm", "run", "ls")


def test_the_calls_of_a_namespace_go_back_under_the_name_they_were_offered_by() -> None:
    call = {
        "type": "function_call",
        "call_id": "c1",
        "namespace": "crm",
        "name": "look_up",
        "arguments": "{}",
    }
    result = {"type": "function_call_output", "call_id": "c1", "output": "none"}
    body = {"model": "m", "tools": [CRM], "input": [QUESTION, call, result]}
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    raw = orjson.dumps(body)
    outgoing = exchange.build_outgoing("openai_responses", Target("openai_chat", "m"), raw, body, facts)
    sent: Any = orjson.loads(outgoing.body)
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == "crm__look_up"


def test_a_streamed_call_of_a_namespace_bears_both_names() -> None:
    body = {"model": "m", "tools": [CRM], "input": [QUESTION], "stream": True}
    facts = exchange.read_call("openai_responses", body, NOWHERE)
    options = RenderOptions("m", "id-1", 1, request=body)
    pipe = exchange.open_pipe("openai_responses", Target("openai_chat", "m"), facts, options)
    call = {"index": 0, **called("crm__look_up", "{}")}
    for delta, finish in (({"tool_calls": [call]}, None), ({}, "tool_calls")):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        told = pipe.feed(encode(orjson.dumps({"id": "c", "model": "m", "choices": [choice]})))
        assert b"crm__look_up" not in told
    last = pipe.feed(b"data: [DONE]\n\n")
    assert b'"name":"look_up","namespace":"crm"' in last


def test_long_names_stay_apart_within_what_every_format_takes() -> None:
    one, other = (flat_name(f"{'tool' * 20}_{end}", "space") for end in "ab")
    assert one != other and max(len(one), len(other)) <= 64


def test_a_search_that_may_search_nothing_is_dropped_and_any_other_is_refused() -> None:
    offline = {"type": "web_search", "external_web_access": False}
    assert parse_request({"model": "m", "input": "hi", "tools": [LOOK, offline]}).tools[0].name == "look_up"
    with pytest.raises(UnsupportedParameter, match="web_search"):
        parse_request({"model": "m", "input": "hi", "tools": [{"type": "web_search"}]})
