"""Deterministic sound: speech is a WAV of soft tones, a transcription says which file it was given."""

import base64
import math
import struct
from collections.abc import Iterator
from typing import Any

from proxy_app.providers.sandbox.images import event
from proxy_app.providers.sandbox.reading import count_tokens
from proxy_app.providers.sandbox.reply import Refused

JSON = dict[str, Any]

RATE = 8_000  # samples a second, one byte each
TONE_S = 0.08  # a word
MOST_WORDS = 400
PIECE = 4_096
BYTES_A_SECOND = 16_000  # what a recording is taken to have
FORMS = frozenset({"json", "verbose_json", "text", "srt", "vtt", "diarized_json"})


def speech_wav(body: JSON) -> bytes:
    """A tone for each word; raises Refused (400) on a wrong request."""
    words = read_input(body).split()[:MOST_WORDS] or ["-"]
    samples = bytearray()
    for word in words:
        pitch = 220 + sum(word.encode("utf-8", "replace")) % 440
        for step in range(int(RATE * TONE_S)):
            fade = min(step, int(RATE * TONE_S) - step, 80) / 80
            samples.append(128 + int(40 * fade * math.sin(2 * math.pi * pitch * step / RATE)))
    form = struct.pack("<HHIIHH", 1, 1, RATE, RATE, 1, 8)
    size = struct.pack("<I", 36 + len(samples))
    parts = (b"RIFF", size, b"WAVEfmt ", struct.pack("<I", 16), form, b"data")
    return b"".join((*parts, struct.pack("<I", len(samples)), bytes(samples)))


def read_input(body: JSON) -> str:
    text = body.get("input")
    if not isinstance(text, str) or not text:
        raise Refused(400, "'input' must be a text.", param="input")
    return text


def speech_events(body: JSON, wav: bytes) -> Iterator[bytes]:
    for start in range(0, len(wav), PIECE):
        piece = base64.b64encode(wav[start : start + PIECE]).decode()
        yield event({"type": "speech.audio.delta", "audio": piece})
    into, out = count_tokens(read_input(body)), len(wav) // 400
    usage = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
    yield event({"type": "speech.audio.done", "usage": usage})


def transcribed(form: JSON, size: int, mark: str, *, translated: bool) -> tuple[JSON | str, str]:
    """What is said in a file of so many bytes, and its form; raises Refused (400)."""
    wanted = form.get("response_format") or "json"
    if wanted not in FORMS:
        raise Refused(400, f"'response_format' must be one of {', '.join(sorted(FORMS))}.")
    done = "translated" if translated else "transcribed"
    text = f"Sandbox: {done} {size} bytes of audio, marked {mark[:8]}."
    seconds = size // BYTES_A_SECOND + 1
    end = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if wanted == "text":
        return text + "\n", wanted
    if wanted == "srt":
        return f"1\n00:00:00,000 --> {end},000\n{text}\n\n", wanted
    if wanted == "vtt":
        return f"WEBVTT\n\n00:00:00.000 --> {end}.000\n{text}\n", wanted
    usage = {"type": "duration", "seconds": seconds}
    answer: JSON = {"text": text, "usage": usage}
    if wanted != "json":
        segment = {"id": 0, "start": 0.0, "end": float(seconds), "text": text, "seek": 0, "tokens": []}
        segment |= {"temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0}
        answer |= {"language": "english", "duration": float(seconds), "segments": [segment]}
        answer["task"] = "translate" if translated else "transcribe"
    return answer, wanted


def transcription_events(answer: JSON) -> Iterator[bytes]:
    text = answer["text"]
    for word in text.split(" "):
        yield event({"type": "transcript.text.delta", "delta": f"{word} "})
    out = count_tokens(text)
    into = answer["usage"]["seconds"] * 17
    usage = {
        "type": "tokens",
        "input_tokens": into,
        "input_token_details": {"text_tokens": 0, "audio_tokens": into},
        "output_tokens": out,
        "total_tokens": into + out,
    }
    yield event({"type": "transcript.text.done", "text": text, "usage": usage})
