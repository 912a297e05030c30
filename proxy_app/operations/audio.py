"""Audio: `/v1/audio/speech`, `/v1/audio/transcriptions` and `/v1/audio/translations`.

Wire facts: the OpenAI SDK's `types/audio/`. Speech is bytes as they are made, or events; a transcription
is JSON, events, or text in a form of the caller's choice, which tells no usage: its length is estimated.
"""

import re
import struct

from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.reading import Fields, as_count, as_object, wrong_type
from proxy_app.operations.contract import Asked, Converted, FilePart, Operation, OperationPipe, Route
from proxy_app.operations.facts import bytes_of, likely_tokens, model_of, required_text
from proxy_app.operations.forms import flag_in, form_fields, the_file
from proxy_app.operations.relaying import (
    ByteRelay,
    EventRelay,
    is_events,
    observed_whole,
    read_answer,
    relayed,
)
from proxy_app.wire import JSON, Address, CallFacts, Observed, Outgoing, Target, Usage

#: Tokens of speech a character: at a usual pace, and at the slowest.
SPEECH_TOKENS, SPEECH_TOKENS_MOST = 1.5, 8
#: Bytes a second of audio: what people usually send, and the least at which speech can be understood.
USUAL_RATE, LOWEST_RATE = 16_000, 1_000
#: Tokens a second of audio, into a model and, as words, out of it.
AUDIO_TOKENS, WORD_TOKENS, WORD_TOKENS_MOST = 17, 4, 10
MOST_CHARACTERS = 1_000_000
_TEXT_FORMS = frozenset({"text", "srt", "vtt"})
_CUE_END = re.compile(rb"--> (?:(\d{2,}):)?(\d{2}):(\d{2})[,.](\d{3})")


# ---------------------------------------------------------------- speech


def read_speech(asked: Asked, address: Address) -> CallFacts:
    fields = Fields(asked.body)
    text = required_text(fields, "input")
    count = len(text)
    if count > MOST_CHARACTERS:
        raise wrong_type("input", f"at most {MOST_CHARACTERS} characters")
    spoken_size = bytes_of(text) + bytes_of(fields.maybe_text("instructions") or "")
    units = {"characters": count}
    return CallFacts(
        model=model_of(fields, address),
        stream=True,  # sound goes out as it is made
        most=Usage(input_tokens=spoken_size, output_tokens=count * SPEECH_TOKENS_MOST, units=units),
        likely=Usage(
            input_tokens=likely_tokens(spoken_size),
            output_tokens=round(count * SPEECH_TOKENS) + 1,
            units=units,
        ),
    )


def _build_speech(asked: Asked, target: Target) -> Outgoing:
    return relayed("/audio/speech", asked, target)


def _convert_speech(raw: bytes, content_type: str, asked: Asked, options: RenderOptions) -> Converted:
    """A provider that answers JSON in place of sound has something to say."""
    return Converted(raw, observed_whole(_token_usage(read_answer(raw)), {}))


def _open_speech(content_type: str, asked: Asked) -> OperationPipe | None:
    if is_events(content_type):
        return EventRelay(_token_usage)
    return None if content_type.startswith("application/json") else ByteRelay()


def _token_usage(body: JSON) -> Usage | None:
    """Of an event or an answer: input may be told apart as text and audio."""
    told = as_object(body.get("usage"))
    into = as_count(told.get("input_tokens"))
    if into is None:
        return None
    details = as_object(told.get("input_token_details"))
    return Usage(
        input_tokens=into,
        output_tokens=as_count(told.get("output_tokens")) or 0,
        input_audio_tokens=as_count(details.get("audio_tokens")),
    )


# ---------------------------------------------------------------- transcriptions


def read_transcription(asked: Asked, address: Address) -> CallFacts:
    fields = form_fields(asked)
    file = the_file(asked, "file")
    likely_ms = likely_duration_ms(file)
    most_s = max(file.size // LOWEST_RATE + 1, likely_ms // 1000 + 1)
    prompt = bytes_of(fields.maybe_text("prompt") or "")
    return CallFacts(
        model=model_of(fields, address),
        stream=flag_in(fields, "stream"),
        most=Usage(
            input_tokens=most_s * AUDIO_TOKENS + prompt,
            output_tokens=most_s * WORD_TOKENS_MOST,
            units={"audio_ms": most_s * 1000},
        ),
        likely=_usage_of(likely_ms),
    )


def likely_duration_ms(file: FilePart) -> int:
    """How long a recording is: by a WAV's own head, else at the usual number of bytes a second."""
    head = file.head
    rate = USUAL_RATE
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and len(head) >= 32:
        rate = struct.unpack("<I", head[28:32])[0] or USUAL_RATE
    return file.size * 1000 // max(rate, LOWEST_RATE) + 1


def _usage_of(duration_ms: int) -> Usage:
    seconds = duration_ms // 1000 + 1
    return Usage(
        input_tokens=seconds * AUDIO_TOKENS,
        input_audio_tokens=seconds * AUDIO_TOKENS,
        output_tokens=seconds * WORD_TOKENS,
        units={"audio_ms": duration_ms},
    )


def read_duration(body: JSON) -> Usage | None:
    """Seconds of audio, as `usage` or, in verbose answers of older servers, `duration` tells them."""
    seconds = as_object(body.get("usage")).get("seconds", body.get("duration"))
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 10**7:
        return None
    return Usage(units={"audio_ms": round(seconds * 1000)})


def _transcription_usage(body: JSON) -> Usage | None:
    return _token_usage(body) or read_duration(body)


def _convert_transcription(raw: bytes, content_type: str, asked: Asked, options: RenderOptions) -> Converted:
    if asked.body.get("response_format") in _TEXT_FORMS and not content_type.startswith("application/json"):
        return Converted(raw, observed_whole(_last_cue(raw), {}), content_type or "text/plain; charset=utf-8")
    if content_type.startswith("text/plain") and not raw.lstrip().startswith(b"{"):
        return Converted(raw, Observed(content_started=True, ended=True), content_type)
    body = read_answer(raw)
    return Converted(raw, observed_whole(_transcription_usage(body), body))


def _last_cue(raw: bytes) -> Usage | None:
    """The length of what was understood, from the times of the last subtitle."""
    cues = _CUE_END.findall(raw[-4096:])
    if not cues:
        return None
    hours, minutes, seconds, millis = (int(part or 0) for part in cues[-1])
    return Usage(units={"audio_ms": ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis})


def _open_transcription(content_type: str, asked: Asked) -> OperationPipe | None:
    return EventRelay(_transcription_usage) if is_events(content_type) else None


def _transcribing(path: str) -> Route:
    def build(asked: Asked, target: Target) -> Outgoing:
        return relayed(path, asked, target)

    return Route(build, _convert_transcription, _open_transcription)


SPEECH = Operation(
    name="audio.speech",
    format="openai_chat",
    read_call=read_speech,
    routes={"openai_chat": Route(_build_speech, _convert_speech, _open_speech)},
)
TRANSCRIPTIONS = Operation(
    name="audio.transcriptions",
    format="openai_chat",
    read_call=read_transcription,
    routes={"openai_chat": _transcribing("/audio/transcriptions")},
    takes_form=True,
)
TRANSLATIONS = Operation(
    name="audio.translations",
    format="openai_chat",
    read_call=read_transcription,
    routes={"openai_chat": _transcribing("/audio/translations")},
    takes_form=True,
)
