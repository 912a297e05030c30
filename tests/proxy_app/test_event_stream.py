import struct
import zlib
from itertools import pairwise

import httpx
import orjson
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import UpstreamInvalid
from proxy_app.event_stream import CONTENT_TYPE, EventMessage, EventStreamDecoder, to_sse
from proxy_app.sse import Decoder
from proxy_app.upstream import UpstreamRequest
from proxy_app.upstream_events import as_server_sent
from proxy_app.upstream_inprocess import HttpxSender
from tests.proxy_app.aws_frames import chunk, event, exception, frame
from tests.proxy_app.harness import Stream

HELLO = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "안녕"}}
STREAM = chunk({"type": "message_start", "message": {}}) + chunk(HELLO) + event("metadata", {"usage": {}})


def all_of(*pieces: bytes) -> list[EventMessage]:
    decoder = EventStreamDecoder()
    return [message for piece in pieces for message in decoder.feed(piece)]


@pytest.mark.parametrize("place", range(len(STREAM) + 1))
def test_a_stream_cut_anywhere_holds_the_same_events(place: int) -> None:
    assert all_of(STREAM[:place], STREAM[place:]) == all_of(STREAM)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted))
def test_a_stream_in_any_pieces_holds_the_same_events(places: list[int]) -> None:
    bounds = [0, *places, len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(bounds)]
    assert all_of(*pieces) == all_of(STREAM)


def test_frames_are_read_as_botocore_reads_them() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(STREAM)
    theirs = [(dict(message.headers), message.payload) for message in buffer]
    assert [(dict(message.headers), message.payload) for message in all_of(STREAM)] == theirs


@given(st.integers(0, len(STREAM) - 1), st.integers(1, 255))
def test_a_changed_byte_is_never_read_as_an_event(place: int, change: int) -> None:
    broken = bytearray(STREAM)
    broken[place] ^= change
    decoder = EventStreamDecoder()
    try:
        messages = decoder.feed(bytes(broken))
    except UpstreamInvalid as error:
        assert "corrupt" in error.detail or "size" in error.detail
    else:
        assert len(messages) < 3 and not decoder.is_between


def test_headers_of_every_type_are_passed_over() -> None:
    others = b"\x01a\x00\x01b\x01\x01c\x02x\x01d\x03xx\x01e\x04xxxx\x01f\x05xxxxxxxx\x01g\x06\x00\x01x"
    others += b"\x01h\x08xxxxxxxx\x01i\x09" + b"x" * 16
    named = others + b"\x0b:event-type\x07\x00\x04ping"
    prelude = struct.pack(">II", 16 + len(named), len(named))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + named
    (message,) = all_of(begun + struct.pack(">I", zlib.crc32(begun)))
    assert message.headers == {":event-type": "ping"}


def test_a_chunk_becomes_the_model_s_own_event() -> None:
    (told,) = Decoder().feed(to_sse(all_of(chunk(HELLO))[0]))
    assert (told.event, orjson.loads(told.data)) == ("content_block_delta", HELLO)


def test_another_event_is_named_by_its_type() -> None:
    (told,) = Decoder().feed(to_sse(all_of(event("messageStop", {"stopReason": "end_turn"}))[0]))
    assert (told.event, orjson.loads(told.data)) == ("messageStop", {"stopReason": "end_turn"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("modelStreamErrorException", "api_error"),
        ("validationException", "invalid_request_error"),
    ],
)
def test_an_exception_becomes_an_error_event(name: str, kind: str) -> None:
    (told,) = Decoder().feed(to_sse(all_of(exception(name, "Slow down"))[0]))
    assert told.event == "error"
    assert orjson.loads(told.data)["error"] == {"type": kind, "message": "Slow down"}


def test_an_error_frame_is_told_by_its_headers() -> None:
    raw = frame(b"", message_type="error", error_code="InternalFailure", error_message="It broke")
    (told,) = Decoder().feed(to_sse(all_of(raw)[0]))
    assert orjson.loads(told.data)["error"] == {"type": "api_error", "message": "It broke"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"bytes": 1}', b'{"bytes": "%%"}', b'{"bytes": "AAAA"}', b"{}"]
)
def test_a_chunk_that_holds_no_event_is_invalid(body: bytes) -> None:
    (message,) = all_of(frame(body, event_type="chunk", message_type="event"))
    with pytest.raises(UpstreamInvalid):
        to_sse(message)


async def answer_of(*pieces: bytes, kind: str = CONTENT_TYPE):
    async def script(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": kind}, stream=Stream(list(pieces)))

    request = UpstreamRequest("http://aws.test/x", {}, b"{}", 1.0)
    return as_server_sent(await HttpxSender(httpx.MockTransport(script)).send(request))


async def test_an_answer_of_frames_is_read_as_text_events() -> None:
    answer = await answer_of(STREAM[:7], STREAM[7:200], STREAM[200:])
    events = Decoder().feed(await answer.read())
    assert [told.event for told in events] == ["message_start", "content_block_delta", "metadata"]


async def test_a_stream_that_ends_within_a_frame_ends() -> None:
    answer = await answer_of(STREAM[:-3])
    assert [told.event for told in Decoder().feed(await answer.read())] == [
        "message_start",
        "content_block_delta",
    ]
    assert await answer.next_chunk() == b""
    answer.release()


async def test_any_other_answer_is_left_alone() -> None:
    answer = await answer_of(b"data: x\n\n", kind="text/event-stream")
    assert await answer.read() == b"data: x\n\n"
