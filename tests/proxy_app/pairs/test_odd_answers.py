"""Answers in other shapes than the usual ones, and ends that are none: what was said is heard, what was
not said is not made up."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.proxy_app.pairs.pairing import open_pair, plain_and_streamed
from tests.proxy_app.pairs.providing import Provider
from tests.proxy_app.pairs.speaking import FORMATS, question, where
from tests.upstream.wire import data_event

OTHERS = [format for format in FORMATS if format != "openai_chat"]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


@dataclass
class Odd(Provider):
    """Answers with `body`, or with `pieces` of a stream."""

    body: Any = None

    def _plain(self) -> httpx.Response:
        return httpx.Response(200, json=self.body)


def odd(format: str, body: Any, events: list[Any], done: bytes = b"") -> Odd:
    return Odd(format, body=body, pieces=[*map(data_event, events), done])


def says(finish: str | None = "stop", inside: str = "delta", **message: Any) -> Odd:
    """A message of Chat Completions, whole or as the first delta of a stream."""
    whole = {"index": 0, "message": message, "finish_reason": finish}
    said = {"index": 0, inside: message, "finish_reason": None}
    ends = {"index": 0, "delta": {}, "finish_reason": finish}
    chunks = [{"id": "c", "choices": [choice]} for choice in (said, ends)]
    return odd("openai_chat", {"id": "c", "choices": [whole], "usage": USAGE}, chunks, b"data: [DONE]\n\n")


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm, "}, {"type": "text", "text": "so"}]}


@pytest.mark.parametrize("inbound", OTHERS)
@plain_and_streamed
@pytest.mark.parametrize(
    "content",
    [
        [THOUGHT, {"type": "text", "text": "42"}],
        [{"type": "thinking", "thinking": "Hm, so"}, {"text": "4"}, {"type": "reference"}, "2"],
    ],
)
async def test_a_content_in_parts_is_text_and_thoughts(make_gateway, inbound, stream, content):
    heard = await open_pair(make_gateway, inbound, says(content=content)).ask(stream)
    assert (heard.text, heard.thoughts, heard.finish) == ("42", "Hm, so", "stop")


@pytest.mark.parametrize("inbound", OTHERS)
async def test_a_message_in_a_stream_is_read_where_there_is_no_delta(make_gateway, inbound):
    heard = await open_pair(make_gateway, inbound, says(inside="message", content="plain")).ask(True)
    assert (heard.text, heard.finish) == ("plain", "stop")


@pytest.mark.parametrize("inbound", OTHERS)
@plain_and_streamed
@pytest.mark.parametrize("arguments", [{"city": "Seoul"}, '{"city": "Seoul"}'])
@pytest.mark.parametrize("old", [False, True])
async def test_calls_of_any_shape_keep_their_arguments(make_gateway, inbound, stream, arguments, old):
    function = {"name": "get_weather", "arguments": arguments}
    new = [{"id": "a", "function": function}]
    provider = says("function_call", function_call=function) if old else says("tool_calls", tool_calls=new)
    heard = await open_pair(make_gateway, inbound, provider).ask(stream, tools=True)
    assert heard.arguments == [("get_weather", {"city": "Seoul"})] and heard.finish == "tool_calls"


@pytest.mark.parametrize("inbound", OTHERS)
@plain_and_streamed
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("audio", {"content": "Hi", "audio": {"data": "AA", "transcript": "Hi"}}),
        ("images", {"content": "Here", "images": [{"type": "image_url", "image_url": {"url": "data:,"}}]}),
        ("image_url", {"content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}),
    ],
)
async def test_media_in_an_answer_are_refused_by_name(make_gateway, inbound, stream, kind, message):
    heard = await open_pair(make_gateway, inbound, says(**message)).ask(stream)
    assert heard.status == 502 and f"'{kind}', which this kind of call" in heard.error["message"]


IMAGE = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AA"}
SOUND = {"type": "message", "content": [{"type": "output_audio", "data": "AA", "transcript": "Hi"}]}


@pytest.mark.parametrize("inbound", [format for format in FORMATS if format != "openai_responses"])
@plain_and_streamed
@pytest.mark.parametrize("item", [IMAGE, SOUND])
async def test_media_of_responses_are_refused_by_name(make_gateway, inbound, stream, item):
    response = {"id": "r", "status": "completed", "output": [item]}
    told = {"type": "response.output_item.done", "output_index": 0, "item": item}
    events = [told, {"type": "response.completed", "response": response}]
    heard = await open_pair(make_gateway, inbound, odd("openai_responses", response, events)).ask(stream)
    assert heard.status == 502 and "which this kind of call cannot carry" in heard.error["message"]


@pytest.mark.parametrize("inbound", [format for format in FORMATS if format != "openai_responses"])
@plain_and_streamed
async def test_a_response_told_by_its_last_event_alone_is_heard(make_gateway, inbound, stream):
    items = [
        {"type": "message", "content": [{"type": "output_text", "text": "42"}]},
        {"type": "function_call", "call_id": "a", "name": "get_weather", "arguments": '{"city": "Seoul"}'},
    ]
    response = {"id": "r", "status": "completed", "output": items}
    events = [{"type": "response.completed", "response": response}]
    provider = odd("openai_responses", response, events)
    heard = await open_pair(make_gateway, inbound, provider).ask(stream, tools=True)
    assert (heard.text, heard.finish) == ("42", "tool_calls")
    assert heard.arguments == [("get_weather", {"city": "Seoul"})]


# ---------------------------------------------------------------- ends that are none

MESSAGE = {"id": "m", "model": "c", "role": "assistant"}
HI = {"type": "text", "text": "Hi"}
CLAUDE = odd(
    "anthropic",
    {"type": "message", **MESSAGE, "content": [HI], "stop_reason": None},
    [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ],
)
PARTS = {"content": {"role": "model", "parts": [{"text": "Hi"}]}}
ENDLESS = {
    "openai_chat": says(None, content="Hi"),
    "anthropic": CLAUDE,
    "gemini": odd("gemini", {"candidates": [PARTS]}, [{"candidates": [PARTS]}]),
}
EMPTY = {
    "openai_chat": {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": None}]},
    "anthropic": {"type": "message", **MESSAGE, "content": [], "stop_reason": None},
    "gemini": {"candidates": [{"content": {"parts": []}}]},
    "openai_responses": {"id": "r", "output": []},
}


@pytest.mark.parametrize("inbound", FORMATS)
@pytest.mark.parametrize("upstream", ENDLESS)
async def test_a_stream_whose_end_gives_no_reason_is_cut(make_gateway, inbound, upstream):
    pair = open_pair(make_gateway, inbound, ENDLESS[upstream])
    heard = await pair.ask(True)
    assert heard.error and not heard.ended and heard.finish is None
    assert pair.gate.ends[0].error_code == "upstream_cut"


async def test_calls_are_a_reason_to_end(make_gateway):
    calls = [{"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": "{}"}}]
    for inbound in FORMATS:
        heard = await open_pair(make_gateway, inbound, says(None, tool_calls=calls)).ask(True, tools=True)
        relayed = inbound == "openai_chat"  # as it is: no reason is made up
        assert heard.ended and heard.finish == (None if relayed else "tool_calls")


async def test_of_several_answers_that_are_relayed_each_has_a_reason(make_gateway):
    def answer(index: int, finish: str | None) -> list[Any]:
        said = {"index": index, "delta": {"content": "Hi"}, "finish_reason": None}
        ends = {"index": index, "delta": {}, "finish_reason": finish}
        return [{"id": "c", "choices": [choice]} for choice in (said, ends)]

    for finish, ended in (("stop", True), (None, False)):
        events = [*answer(0, "stop"), *answer(1, finish)]
        pair = open_pair(make_gateway, "openai_chat", odd("openai_chat", {}, events, b"data: [DONE]\n\n"))
        asked = {**question("openai_chat", True), "n": 2}
        answered = await pair.gate.ask(asked, **where("openai_chat", True))
        assert answered.body.endswith(b"data: [DONE]\n\n") is ended
        assert (b"upstream_cut" in answered.body) is not ended


@pytest.mark.parametrize("inbound", FORMATS)
@pytest.mark.parametrize("upstream", ENDLESS)
async def test_a_whole_answer_that_gives_no_reason_is_taken_for_what_it_says(make_gateway, inbound, upstream):
    if inbound == upstream:
        return
    heard = await open_pair(make_gateway, inbound, ENDLESS[upstream]).ask()
    assert (heard.status, heard.text, heard.finish) == (200, "Hi", "stop")


@pytest.mark.parametrize("format", ENDLESS)
async def test_no_reason_is_noted_of_one_that_is_relayed(make_gateway, format):
    pair = open_pair(make_gateway, format, ENDLESS[format])
    await pair.gate.ask(question(format, False), **where(format, False))
    [end] = pair.gate.ends
    assert (end.status, end.finish_reason) == ("ok", "")


@pytest.mark.parametrize("inbound", FORMATS)
@pytest.mark.parametrize("upstream", EMPTY)
async def test_one_that_says_nothing_either_is_none(make_gateway, inbound, upstream):
    if inbound == upstream:
        return
    heard = await open_pair(make_gateway, inbound, odd(upstream, EMPTY[upstream], [])).ask()
    assert heard.status == 502 and "is empty" in heard.error["message"]


# ---------------------------------------------------------------- Gemini's other stream

PIECES = [
    {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}], "responseId": "r"}
    for text in ('He said "}]', " and [")
]
CALL = {"functionCall": {"name": "get_weather", "args": {"city": "Seoul"}}}
LAST = {
    "candidates": [{"content": {"role": "model", "parts": [CALL]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
}


@pytest.mark.parametrize("inbound", FORMATS)
@pytest.mark.parametrize("indent", [None, 2])
async def test_a_stream_that_is_one_array_is_read_as_it_comes(make_gateway, inbound, indent):
    whole = json.dumps([*PIECES, LAST], indent=indent).encode()
    provider = Odd("gemini", pieces=[whole[:40], whole[40:90], whole[90:]])
    pair = open_pair(make_gateway, inbound, provider)
    heard = await pair.ask(True, tools=True)
    assert (heard.text, heard.finish, heard.ended) == ('He said "}] and [', "tool_calls", True)
    assert heard.arguments == [("get_weather", {"city": "Seoul"})]
    assert pair.gate.ends[0].tokens.output_tokens == 2


@pytest.mark.parametrize("inbound", FORMATS)
async def test_an_array_without_its_last_piece_is_cut(make_gateway, inbound):
    for whole in (json.dumps(PIECES).encode(), json.dumps([*PIECES, LAST]).encode()[:-60]):
        pair = open_pair(make_gateway, inbound, Odd("gemini", pieces=[whole]))
        heard = await pair.ask(True)
        assert heard.error and not heard.ended and heard.finish is None
        assert pair.gate.ends[0].error_code == "upstream_cut"
