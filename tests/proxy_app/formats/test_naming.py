"""Tool names and ids of calls that a provider does not take: others there, the caller's own in answers."""

from typing import Any

import orjson
import pytest

from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.naming import SHORT_ID, call_ids, rename_calls
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.wire import Address, CallFacts, Target, ToolCall, ToolResult

OPTIONS = RenderOptions("public-model", "id", 1)
ODD = ["files.read", "2nd tool", "naïve", "x" * 100, "a:b"]


def body_of(name: str) -> dict[str, Any]:
    call = {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": name, "args": {}}}]}
    result = {"functionResponse": {"id": "c1", "name": name, "response": {"output": "ok"}}}
    calling = {"mode": "ANY", "allowedFunctionNames": [name]}
    return {
        "contents": [{"parts": [{"text": "Hi"}]}, call, {"parts": [result]}],
        "tools": [{"functionDeclarations": [{"name": name}, {"name": "plain"}]}],
        "toolConfig": {"functionCallingConfig": calling},
    }


def sent_names(told: Any) -> set[str]:
    """Every value of a `name` anywhere in a body."""
    if isinstance(told, list):
        return set().union(*map(sent_names, told))
    if not isinstance(told, dict):
        return set()
    own = {told["name"]} if isinstance(told.get("name"), str) else set()
    return own | set().union(*map(sent_names, told.values()))


def answer_of(wire: str, name: str, stream: bool) -> bytes:
    if wire == "anthropic":
        block = {"type": "tool_use", "id": "c2", "name": name, "input": {}}
        events: list[Any] = [
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ]
        whole: Any = {"type": "message", "content": [block], "stop_reason": "tool_use"}
    elif wire == "openai_chat":
        call = {"index": 0, "id": "c2", "type": "function", "function": {"name": name, "arguments": "{}"}}
        events = [{"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}]
        whole = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    else:
        item = {"type": "function_call", "id": "f", "call_id": "c2", "name": name, "arguments": "{}"}
        whole = {"status": "completed", "output": [item]}
        events = [
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": whole},
        ]
    if not stream:
        return orjson.dumps(whole)
    return b"".join([b"data: " + orjson.dumps(event) + b"\n\n" for event in events])


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic"])
def test_an_odd_name_goes_and_comes_back(wire: str, name: str) -> None:
    body = body_of(name)
    facts = exchange.read_call("gemini", body, Address("m"))
    target = Target(wire, "up")
    outgoing = exchange.build_outgoing("gemini", target, b"", body, facts)
    names = sent_names(orjson.loads(outgoing.body))
    assert all(UPSTREAM[wire].tool_name.fullmatch(one) for one in names) and "plain" in names
    (new,) = names - {"plain"}
    assert new == name or target.tool_names == {new: name}
    whole, _ = exchange.convert_answer("gemini", target, answer_of(wire, new, False), CallFacts("m"), OPTIONS)
    assert sent_names(orjson.loads(whole)) == {name}
    pipe = exchange.open_pipe(
        "gemini", target, CallFacts("m", True, framing="array"), RenderOptions("p", "i", 1, framing="array")
    )
    pieces = pipe.feed(answer_of(wire, new, True)) + pipe.finish()
    assert sent_names(orjson.loads(pieces)) == {name}


def test_what_a_format_takes_keeps_its_name() -> None:
    tool = {"type": "function", "function": {"name": "1st-tool"}}
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
    facts = exchange.read_call("openai_chat", body, Address())
    for wire in UPSTREAM:
        target = Target(wire, "up")
        outgoing = exchange.build_outgoing("openai_chat", target, orjson.dumps(body), body, facts)
        assert (b'"1st-tool"' in outgoing.body) == (wire != "gemini")
        assert bool(target.tool_names) == (wire == "gemini")


ODD_IDS = ["call/1", "toolu_ok", "x" * 200, "é", "fc_1|call_2", ""]


@pytest.mark.parametrize("wire", UPSTREAM)
@pytest.mark.parametrize("call_id", ODD_IDS)
def test_an_odd_id_is_one_that_the_provider_takes_on_the_call_and_on_its_result(
    wire: str, call_id: str
) -> None:
    call = {"id": call_id, "type": "function", "function": {"name": "now", "arguments": "{}"}}
    other = {**call, "id": "b" * 9}
    said = {"role": "assistant", "content": None, "tool_calls": [call, other]}
    results = [{"role": "tool", "tool_call_id": one["id"], "content": "noon"} for one in (call, other)]
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}, said, *results]}
    facts = exchange.read_call("openai_chat", body, Address())
    for quirks, legal in (({}, UPSTREAM[wire].call_id), ({"short_call_ids": True}, SHORT_ID)):
        conversation = INBOUND["openai_chat"].parse_request(body, facts)
        rename_calls(conversation, call_ids(UPSTREAM[wire], Target(wire, "up", quirks)))
        parts = [part for turn in conversation.turns for part in turn.parts]
        asked = [part.id for part in parts if isinstance(part, ToolCall)]
        answered = [part.call_id for part in parts if isinstance(part, ToolResult)]
        assert asked == answered and len(set(asked)) == 2 and asked[1] == "b" * 9
        assert all(legal.fullmatch(one) for one in asked)
        assert asked[0] == call_id or not legal.fullmatch(call_id)


def test_ids_are_changed_on_the_way_to_a_provider_that_takes_only_short_ones() -> None:
    call = {"type": "tool_use", "id": "toolu_01", "name": "now", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_01", "content": "noon"}
    said = {"role": "assistant", "content": [call]}
    messages = [{"role": "user", "content": "Hi"}, said, {"role": "user", "content": [result]}]
    body = {"model": "m", "max_tokens": 5, "messages": messages}
    facts = exchange.read_call("anthropic", body, Address())
    target = Target("openai_chat", "up", {"short_call_ids": True})
    outgoing = exchange.build_outgoing("anthropic", target, b"", body, facts)
    asked, told = orjson.loads(outgoing.body)["messages"][1:]
    assert SHORT_ID.fullmatch(told["tool_call_id"]) and asked["tool_calls"][0]["id"] == told["tool_call_id"]
