"""The words of an answer as they come: only of what is kept, and never the half of a secret."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_app.capturing import MOST_BYTES, Capturer, CapturingReply
from proxy_app.masking import HIDDEN
from proxy_app.overhearing import MOST_OPEN, MOST_SHOWN, Heading, Words, words_of
from tests.proxy_app.harness import STREAM, Gateway, asked, streamed
from usage_app.captured import BodyWriter

SECRET = "sk-proj-" + "A1b2" * 10
PRIVATE = "-----BEGIN PRIVATE KEY-----\nMIIB AAAA BBBB\nCCCC DDDD\n-----END PRIVATE KEY-----"


@pytest.fixture
def gate(make_gateway, tmp_path: Path) -> Gateway:
    async def script(_request: httpx.Request) -> httpx.Response:
        return streamed(STREAM)

    made: Gateway = make_gateway(script)
    made.services.capturer = Capturer(BodyWriter(tmp_path, "worker-1"), made.services.metrics)
    keeping(made, True)
    return made


def keeping(gate: Gateway, keeps: bool) -> None:
    picture = gate.keeper.current
    service = replace(picture.services["service-1"], keeps_bodies=keeps)
    gate.keeper.current = replace(picture, services={"service-1": service})


async def overheard(gate: Gateway, **options: object) -> list[Words | None]:
    """What a reader finds of each call while its stream runs."""
    found: list[Words | None] = []

    async def look(message: dict) -> None:
        if message["type"] == "http.response.body" and not found:
            found.extend(words_of(gate.services, call_id) for call_id in list(gate.services.calls))
            await asyncio.sleep(0)

    await gate.ask(asked(stream=True), on_send=look, **options)
    return found


async def test_the_words_of_a_kept_stream_are_read_to_its_last(gate: Gateway) -> None:
    [words] = await overheard(gate)
    assert words is not None
    assert words.shown()["text"] == "Hello"
    assert words.is_over


async def test_a_call_that_is_not_kept_is_not_overheard(gate: Gateway) -> None:
    assert await overheard(gate, headers={"x-gatehouse-capture": "off"}) == [None]
    keeping(gate, False)
    assert await overheard(gate) == [None]
    assert words_of(gate.services, "no such call") is None


async def test_who_leaves_is_told_no_more(gate: Gateway) -> None:
    reply = CapturingReply(_Nowhere(), b"")
    words = Words(gate.services, "call", reply)
    reply._note(event("one "))
    words.close()
    reply._note(event("two "))
    assert words.shown() == {"text": "one "}
    assert reply.listeners == []


async def test_words_come_on_after_what_is_kept_is_full(gate: Gateway) -> None:
    reply = CapturingReply(_Nowhere(), b"")
    words = Words(gate.services, "call", reply)
    reply._note(event("x" * MOST_BYTES))
    reply._note(event(" the end"))
    assert reply.is_cut
    assert words.shown()["text"].endswith(" the end")
    late = Words(gate.services, "call", reply)
    reply._note(event(" and more"))
    assert late.shown()["text"].endswith(" and more")


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


class _Nowhere:
    started = True


def pieces_of(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@given(
    st.integers(1, 40), st.sampled_from([SECRET, f"Bearer {SECRET}", PRIVATE, "postgres://me:pass-word@db"])
)
def test_no_piece_of_a_secret_is_ever_shown_however_it_is_cut(size: int, secret: str) -> None:
    heading, seen = Heading(), []
    for piece in pieces_of(f"Here it is: {secret} and that was it.", size):
        heading.add(piece)
        seen.append(heading.shown(is_over=False))
    seen.append(heading.shown(is_over=True))
    telling = [secret[start : start + 8] for start in range(14, len(secret) - 22)]
    for text in seen:
        assert not any(part in text for part in telling if "KEY" not in part and "db" not in part), text
    assert HIDDEN in seen[-1]
    assert seen[-1].endswith("and that was it.")


@given(st.lists(st.text(alphabet="ab .\n한", max_size=9), max_size=40))
def test_plain_words_are_shown_whole_in_the_end_and_never_taken_back(pieces: list[str]) -> None:
    heading, before = Heading(), ""
    for piece in pieces:
        heading.add(piece)
        now = heading.shown(is_over=False)
        assert now.startswith(before)
        before = now
    assert heading.shown(is_over=True) == "".join(pieces)


def test_of_a_long_text_the_end_is_shown_and_secrets_across_the_cut_stay_hidden() -> None:
    heading = Heading()
    for piece in pieces_of("word " * MOST_OPEN + SECRET + " word" * 10, 7):
        heading.add(piece)
    shown = heading.shown(is_over=True)
    assert MOST_SHOWN <= len(shown) <= 2 * MOST_SHOWN
    assert SECRET not in shown
    assert HIDDEN in shown


def test_a_private_key_that_is_longer_than_what_is_looked_at_again_stays_hidden() -> None:
    heading = Heading()
    lines = "MIIB AAAA\n" * (MOST_OPEN // 9)
    heading.add("-----BEGIN PRIVATE KEY-----\n")
    for piece in pieces_of(lines, 100):
        heading.add(piece)
        assert "MIIB" not in heading.shown(is_over=False)
