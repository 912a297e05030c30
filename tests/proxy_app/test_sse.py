"""Server-sent events: whatever the line ends, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import UpstreamInvalid
from proxy_app import sse
from proxy_app.sse import Decoder, Framer, ServerSentEvent, encode

SAMPLES = {
    "line feeds": (b"data: a\n\ndata: b\n\n", [("", b"a"), ("", b"b")]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")]),
    "both": (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a"), ("", b"b")]),
    "mixed": (b"data: a\n\r\ndata: b\r\n\n", [("", b"a"), ("", b"b")]),
    "names": (b"event: ping\ndata: {}\n\n", [("ping", b"{}")]),
    "several lines": (b"data: a\ndata:\ndata:  b\n\n", [("", b"a\n\n b")]),
    "no space": (b"data:a\n\n", [("", b"a")]),
    "comments": (b": hi\n\n:\ndata: a\n: there\n\n", [("", b"a")]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [("", b"a")]),
    "separator is text": ("data: a\u2028b\u0085c\x0bd\n\n".encode(), [("", "a\u2028b\u0085c\x0bd".encode())]),
    "multibyte": ("data: 안녕🌍\n\n".encode(), [("", "안녕🌍".encode())]),
    "blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [("", b"a"), ("", b"b")]),
    "no data": (b"event: a\n\nid: 1\nretry: 5\n\n", []),
    "not ended": (b"data: a\n\ndata: b\n", [("", b"a")]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_events_are_the_same_wherever_the_bytes_are_cut(name: str) -> None:
    raw, expected = SAMPLES[name]
    events = [ServerSentEvent(*event) for event in expected]
    assert Decoder().feed(raw) == events
    for cut in range(len(raw) + 1):
        decoder = Decoder()
        assert decoder.feed(raw[:cut]) + decoder.feed(raw[cut:]) == events, cut
    decoder = Decoder()
    assert [event for byte in raw for event in decoder.feed(bytes([byte]))] == events


def test_an_event_comes_out_with_its_last_byte() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\r\n\r") == [ServerSentEvent("", b"a")]
    assert decoder.feed(b"\ndata: b\r\n\r\n") == [ServerSentEvent("", b"b")]


@given(st.lists(st.tuples(st.text(), st.sampled_from(["", "ping", "message_start"])), max_size=5), st.data())
def test_what_is_encoded_is_decoded(sent: list[tuple[str, str]], data: st.DataObject) -> None:
    raw = b"".join(encode(text, name or None) for text, name in sent)
    cut = data.draw(st.integers(0, len(raw)))
    decoder = Decoder()
    told = decoder.feed(raw[:cut]) + decoder.feed(raw[cut:])
    wanted = [(name, text.replace("\r\n", "\n").replace("\r", "\n").encode()) for text, name in sent]
    assert [(event.event, event.data) for event in told] == wanted


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_without_end_is_refused(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 5000)
    framer = Framer()
    with pytest.raises(UpstreamInvalid):
        for _ in range(5001 // size + 2):
            framer.feed(b"x" * size)


def test_a_whole_event_that_is_too_large_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 50)
    framer = Framer()
    framer.feed(b"data: a\n\n")
    with pytest.raises(UpstreamInvalid):
        framer.feed(b"data: " + b"x" * 60 + b"\n\n")
