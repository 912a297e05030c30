"""Calls to which their provider gives no id: each has one of its own in every answer, whole and streamed."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from proxy_app.formats import exchange
from proxy_app.formats.signing import latest_call_ids
from proxy_app.sse import Decoder
from proxy_app.wire import CallFacts, Target
from tests.proxy_app.formats.wire_bytes import OPTIONS, run

ANSWERS = ("01a22bcf-8d81-7e19-8bfa-a750716f1fb1", "01a22bcf-8f98-7ed7-9b86-5fc95361985c")
FUNCTIONS = [{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": '{"a":1}'}]


def of_chat(calls: list[dict[str, Any]], key: str = "message", finish: str | None = "tool_calls") -> Any:
    return {"id": "c1", "choices": [{"index": 0, key: {"tool_calls": calls}, "finish_reason": finish}]}


def chat_stream(calls: list[dict[str, Any]]) -> bytes:
    pieces = [of_chat([{"index": n} | call], "delta", None) for n, call in enumerate(calls)]
    return events(*pieces, of_chat([], "delta")) + b"data: [DONE]\n\n"


def events(*pieces: Any) -> bytes:
    return b"".join(b"data: " + orjson.dumps(piece) + b"\n\n" for piece in pieces)


GEMINI = {
    "candidates": [
        {"content": {"parts": [{"functionCall": {"name": name}} for name in "fg"]}, "finishReason": "STOP"}
    ]
}
ITEMS = [{"type": "function_call", **function} for function in FUNCTIONS]
RESPONSE = {"id": "r", "status": "completed", "output": ITEMS}
SAID = {
    "none": ("openai_chat", of_chat([{"function": function} for function in FUNCTIONS])),
    "a number": ("openai_chat", of_chat([{"id": 5, "function": function} for function in FUNCTIONS])),
    "gemini": ("gemini", GEMINI),
    "responses": ("openai_responses", RESPONSE),
}
STREAMED = {
    "none": ("openai_chat", chat_stream([{"function": function} for function in FUNCTIONS])),
    "a number": ("openai_chat", chat_stream([{"id": n, "function": FUNCTIONS[n]} for n in (0, 1)])),
    "gemini": ("gemini", events(GEMINI)),
    "responses": ("openai_responses", events({"type": "response.completed", "response": RESPONSE})),
}
CALLERS = ("openai_chat", "openai_responses", "anthropic", "gemini")
PAIRS = [(name, caller) for name in SAID for caller in CALLERS if caller != SAID[name][0]]


def ids_in(caller: str, body: Any) -> list[str]:
    """Of an answer, as it would come back."""
    match caller:
        case "openai_chat":
            items = [body["choices"][0]["message"]]
        case "openai_responses":
            items = body["output"]
        case "gemini":
            items = [body["candidates"][0]["content"]]
        case _:
            items = [body]
    return latest_call_ids({"messages": items})


def ids_sent(caller: str, sent: bytes) -> list[str]:
    found: list[str] = []
    for event in Decoder().feed(sent):
        if event.data == b"[DONE]":
            continue
        told = orjson.loads(event.data)
        match caller:
            case "openai_chat":
                calls = told["choices"][0]["delta"].get("tool_calls", ())
                found += [call["id"] for call in calls if call.get("id")]
            case "openai_responses":
                if told["type"] == "response.output_item.added":
                    found.append(told["item"]["call_id"])
            case "gemini":
                parts = told["candidates"][0]["content"].get("parts", ())
                found += [part["functionCall"]["id"] for part in parts if "functionCall" in part]
            case _:
                if told["type"] == "content_block_start":
                    found.append(told["content_block"]["id"])
    return found


def check(found: list[list[str]]) -> None:
    """Two answers of two calls: four ids, which every provider's own pattern takes."""
    every = [call_id for answer in found for call_id in answer]
    assert len(set(every)) == len(every) == 4
    assert all(call_id and len(call_id) <= 40 and call_id.replace("_", "").isalnum() for call_id in every)


@pytest.mark.parametrize(("name", "caller"), PAIRS)
def test_calls_of_two_whole_answers_have_four_ids(name: str, caller: str) -> None:
    wire, body = SAID[name]
    found = []
    for answer_id in ANSWERS:
        options = replace(OPTIONS, answer_id=answer_id)
        raw = orjson.dumps(body)
        sent, _ = exchange.convert_answer(caller, Target(wire, "m"), raw, CallFacts("m"), options)
        again, _ = exchange.convert_answer(caller, Target(wire, "m"), raw, CallFacts("m"), options)
        found.append(ids_in(caller, orjson.loads(sent)))
        assert found[-1] == ids_in(caller, orjson.loads(again))
    check(found)


@pytest.mark.parametrize(("name", "caller"), PAIRS)
def test_calls_of_two_streams_have_four_ids_wherever_they_are_cut(name: str, caller: str) -> None:
    wire, raw = STREAMED[name]
    found = []
    for answer_id in ANSWERS:
        options = replace(OPTIONS, answer_id=answer_id)
        sent = {
            run(
                exchange.open_pipe(caller, Target(wire, "m"), CallFacts("m", stream=True), options),
                raw[:cut],
                raw[cut:],
            )
            for cut in range(0, len(raw), 11)
        }
        assert len(sent) == 1
        found.append(ids_sent(caller, sent.pop()))
    check(found)


@pytest.mark.parametrize("caller", ["anthropic", "openai_responses", "gemini"])
def test_the_one_call_of_old_has_an_id_too(caller: str) -> None:
    old = {"choices": [{"message": {"function_call": FUNCTIONS[0]}, "finish_reason": "function_call"}]}
    raw, target = orjson.dumps(old), Target("openai_chat", "m")
    both = [replace(OPTIONS, answer_id=answer_id) for answer_id in ANSWERS]
    sent = [exchange.convert_answer(caller, target, raw, CallFacts("m"), options)[0] for options in both]
    assert len({call_id for one in sent for call_id in ids_in(caller, orjson.loads(one))}) == 2
