"""Speech and transcriptions, through the whole pipeline."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxy_app import harness
from tests.proxy_app.forms import CONTENT_TYPE, form
from tests.proxy_app.harness import deployment, model
from tests.proxy_app.operating import (
    DOLLAR,
    answers,
    event,
    on_disk,
    priced,
    speaking,
)

# ---------------------------------------------------------------- speech


async def test_speech_is_relayed_as_it_comes_and_charged_by_its_characters(tmp_path: Path) -> None:
    go = asyncio.Event()
    gate = priced(
        harness.gateway(tmp_path, speaking([b"ID3\x00", go, b"\xff\xfb rest"])), {"characters": 15 * DOLLAR}
    )
    asked = {"model": "gpt", "input": "Grüße " * 100, "voice": "alloy"}

    async def hear(message: dict[str, Any]) -> None:
        if message.get("body"):
            go.set()

    answer = await gate.ask(asked, path="/v1/audio/speech", on_send=hear)
    assert answer.chunks == [b"ID3\x00", b"\xff\xfb rest"]
    assert answer.complete
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    (end,) = gate.ends
    assert (end.tokens.units, end.cost_nanodollars) == ({"characters": 600}, 600 * 15_000)
    assert end.tokens.input_tokens is None


async def test_speech_that_breaks_off_is_no_whole_answer(tmp_path: Path) -> None:
    gate = harness.gateway(tmp_path, speaking([b"ID3", httpx.ReadError("reset")]))
    answer = await gate.ask({"model": "gpt", "input": "hello", "voice": "alloy"}, path="/v1/audio/speech")
    assert (answer.status, answer.body, answer.complete) == (200, b"ID3", False)
    assert (gate.ends[0].status, gate.ends[0].cost_nanodollars) == ("truncated", 0)


async def test_speech_of_a_page_is_no_page(tmp_path: Path) -> None:
    gate = harness.gateway(tmp_path, speaking([b"<script>"], "text/html"))
    answer = await gate.ask({"model": "gpt", "input": "hello", "voice": "alloy"}, path="/v1/audio/speech")
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_speech_as_events_tells_its_tokens(tmp_path: Path) -> None:
    done = event("speech.audio.done", usage={"input_tokens": 7, "output_tokens": 80, "total_tokens": 87})
    pieces = [event("speech.audio.delta", audio="aGk="), done]
    gate = harness.gateway(tmp_path, speaking(pieces, "text/event-stream"))
    asked = {"model": "gpt", "input": "hello", "voice": "alloy", "stream_format": "sse"}
    answer = await gate.ask(asked, path="/v1/audio/speech")
    assert answer.body == b"".join(pieces)
    assert gate.ends[0].cost_nanodollars == (7 * 1 + 80 * 4) * 1_000


async def test_a_listener_who_leaves_pays_for_all_that_was_asked_to_be_said(tmp_path: Path) -> None:
    never = asyncio.Event()
    gate = priced(harness.gateway(tmp_path, speaking([b"a", never])), {"characters": 15 * DOLLAR})
    asked = {"model": "gpt", "input": "hello", "voice": "alloy"}
    asking = asyncio.create_task(gate.ask(asked, path="/v1/audio/speech", leave_after=1))
    while not any(call.client_gone_ms for call in gate.services.calls.values()):
        await asyncio.sleep(0.005)
    never.set()
    await asking
    (end,) = gate.ends
    assert (end.status, end.cost_nanodollars) == ("cancelled", 5 * 15_000)


# ---------------------------------------------------------------- transcriptions


async def test_a_transcription_goes_upstream_as_it_came_with_the_model_renamed(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []
    told = {"text": "hi", "usage": {"type": "duration", "seconds": 31.5}}
    gate = priced(harness.gateway(tmp_path, answers(told, seen)), {"audio_ms": DOLLAR // 10})
    body = form({"file": b"RIFF" + bytes(500)}, model="gpt", language="en", **{"include[]": "logprobs"})
    answer = await gate.ask(body, path="/v1/audio/transcriptions", headers={"content-type": CONTENT_TYPE})
    assert answer.json() == told
    (request,) = seen
    assert request.content == body.replace(b"\r\ngpt\r\n", b"\r\ngpt-test\r\n")
    assert request.headers["content-type"] == CONTENT_TYPE
    assert request.headers["content-length"] == str(len(request.content))
    (end,) = gate.ends
    assert (end.tokens.units, end.cost_nanodollars) == ({"audio_ms": 31_500}, 3_150_000)


async def test_a_transcription_of_tokens_tells_audio_apart(tmp_path: Path) -> None:
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 5,
        "total_tokens": 19,
    }
    gate = harness.gateway(tmp_path, answers({"text": "hi", "usage": usage}))
    body = form({"file": b"x"}, model="gpt")
    await gate.ask(body, path="/v1/audio/translations", headers={"content-type": CONTENT_TYPE})
    tokens = gate.ends[0].tokens
    assert (tokens.input_tokens, tokens.input_audio_tokens, tokens.output_tokens) == (14, 10, 5)


@pytest.mark.parametrize(
    ("wanted", "said", "milliseconds"),
    [
        ("srt", b"1\n00:00:00,000 --> 00:01:02,500\nhi\n\n", 62_500),
        ("vtt", b"WEBVTT\n\n00:00.000 --> 00:07.040\nhi\n", 7_040),
        ("text", b"hi\n", 1_001),
    ],
)
async def test_a_transcription_in_plain_text_is_counted_by_its_times_or_its_size(
    tmp_path: Path, wanted: str, said: bytes, milliseconds: int
) -> None:
    gate = priced(
        harness.gateway(tmp_path, answers(said, content_type="text/plain; charset=utf-8")),
        {"audio_ms": DOLLAR},
    )
    body = form({"file": bytes(16_000)}, model="gpt", response_format=wanted)
    answer = await gate.ask(body, path="/v1/audio/transcriptions", headers={"content-type": CONTENT_TYPE})
    assert (answer.body, answer.headers["content-type"]) == (said, "text/plain; charset=utf-8")
    assert gate.ends[0].tokens.units == {"audio_ms": milliseconds}


async def test_a_streamed_transcription_passes_and_one_answered_whole_is_whole(tmp_path: Path) -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "total_tokens": 19}
    pieces = [
        event("transcript.text.delta", delta="hi"),
        event("transcript.text.done", text="hi", usage=usage),
    ]
    gate = harness.gateway(tmp_path / "a", speaking(pieces, "text/event-stream"))
    body = form({"file": b"x"}, model="gpt", stream="true")
    sent = {"content-type": CONTENT_TYPE}
    answer = await gate.ask(body, path="/v1/audio/transcriptions", headers=sent)
    assert answer.body == b"".join(pieces)
    assert gate.ends[0].tokens.output_tokens == 5
    gate = harness.gateway(
        tmp_path / "b", answers({"text": "hi", "usage": {"type": "duration", "seconds": 1}})
    )
    answer = await gate.ask(body, path="/v1/audio/transcriptions", headers=sent)
    assert answer.json()["text"] == "hi"
    assert not gate.ends[0].stream


async def test_a_form_whose_address_names_the_model_is_given_a_part_for_it(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []
    gate = harness.gateway(tmp_path, answers({"text": "hi"}, seen))
    body = form({"file": b"x"})
    path = "/openai/deployments/gpt/audio/transcriptions"
    assert (await gate.ask(body, path=path, headers={"content-type": CONTENT_TYPE})).status == 200
    head = b'--form-of-a-test\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-test\r\n'
    assert seen[0].content == head + body


async def test_an_upload_is_tried_again_elsewhere_from_its_beginning(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def script(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        if len(seen) == 1:
            return httpx.Response(503)
        return httpx.Response(200, json={"text": "hi"})

    gate = harness.gateway(
        tmp_path, script, model("gpt", deployment("a"), deployment("b"), strategy="in_order")
    )
    body = form({"file": bytes(3_000_000)}, model="gpt")
    on_disk(gate, tmp_path)
    answer = await gate.ask(body, path="/v1/audio/transcriptions", headers={"content-type": CONTENT_TYPE})
    assert answer.status == 200
    assert seen[0] == seen[1] == body.replace(b"\r\ngpt\r\n", b"\r\ngpt-test\r\n")
