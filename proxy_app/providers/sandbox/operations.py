"""The sandbox's endpoints that are no conversations: JSON or a form in, an answer or a stream out."""

import hashlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway_project.errors import InvalidBody
from proxy_app.multipart import Scanner, boundary_of
from proxy_app.providers.sandbox import audio, images, judging
from proxy_app.providers.sandbox.embedding import embeddings_body
from proxy_app.providers.sandbox.models import STALL_S, Behaviour
from proxy_app.providers.sandbox.reply import Refused, SandboxCut, SandboxReply
from proxy_app.providers.sandbox.sending import Sleep, plain_chunks
from proxy_app.wire import BodySource

JSON = dict[str, Any]

ROUTES = frozenset(
    {
        "embeddings",
        "images/generations",
        "images/edits",
        "audio/speech",
        "audio/transcriptions",
        "audio/translations",
        "moderations",
        "rerank",
    }
)
_TEXT_TYPES = {"text": "text/plain; charset=utf-8", "srt": "application/x-subrip", "vtt": "text/vtt"}


@dataclass(slots=True)
class Sent:
    """A body as the sandbox takes it: what it says, and what files came with it."""

    body: JSON = field(default_factory=dict)
    file_bytes: int = 0
    files: int = 0
    mark: str = ""  # of all that was sent


async def read_sent(content_type: str, body: bytes | BodySource) -> Sent:
    """A body's content; of a form no file is kept. Raises Refused (400)."""
    hashed = hashlib.sha256()
    if not content_type.lower().startswith("multipart/"):
        raw = body if isinstance(body, bytes) else b"".join([piece async for piece in body.chunks()])
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Refused(400, "The body is not valid JSON.", code="invalid_json") from error
        if not isinstance(value, dict):
            raise Refused(400, "The body must be a JSON object.", code="invalid_json")
        return Sent(value, mark=hashlib.sha256(raw).hexdigest())
    try:
        scanner = Scanner(boundary_of(content_type))
        async for piece in _pieces(body):
            scanner.feed(piece)
        scan = scanner.finish()
    except InvalidBody as error:
        raise Refused(400, error.detail, code="invalid_form") from error
    fields = {name: values[-1] for name, values in scan.fields.items()}
    for file in scan.files:  # the boundary, a matter of chance, is left out
        hashed.update(file.head + str(file.size).encode())
    return Sent(fields, sum(file.size for file in scan.files), len(scan.files), hashed.hexdigest())


async def _pieces(body: bytes | BodySource) -> AsyncGenerator[bytes, None]:
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body.chunks():
        yield piece


async def operate(route: str, sent: Sent, behaviour: Behaviour, now: int, sleep: Sleep) -> SandboxReply:
    """Raises Refused on a wrong request."""
    body = sent.body
    streams = body.get("stream") in (True, "true")
    if route == "embeddings":
        return await _whole(embeddings_body(body), behaviour, sleep)
    if route == "moderations":
        return await _whole(judging.moderation_body(body), behaviour, sleep)
    if route == "rerank":
        return await _whole(judging.rerank_body(body), behaviour, sleep)
    if route.startswith("images/"):
        edits = route == "images/edits"
        made = images.images_body(body, now, sent.files, sent.mark if edits else "")
        if streams:
            kind = "image_edit" if edits else "image_generation"
            return _streamed("text/event-stream", images.image_events(body, made, kind), behaviour, sleep)
        return await _whole(made, behaviour, sleep)
    if route == "audio/speech":
        wav = audio.speech_wav(body)
        if body.get("stream_format") == "sse":
            return _streamed("text/event-stream", audio.speech_events(body, wav), behaviour, sleep)
        pieces = [wav[start : start + audio.PIECE] for start in range(0, len(wav), audio.PIECE)]
        return _streamed("audio/wav", pieces, behaviour, sleep)
    if not sent.files:
        raise Refused(400, "'file' is missing.", param="file")
    translated = route == "audio/translations"
    said, form = audio.transcribed(body, sent.file_bytes, sent.mark, translated=translated)
    if isinstance(said, str):
        return await _whole(said.encode(), behaviour, sleep, _TEXT_TYPES[form])
    if streams and not translated:
        return _streamed("text/event-stream", audio.transcription_events(said), behaviour, sleep)
    return await _whole(said, behaviour, sleep)


async def _whole(
    body: JSON | bytes, behaviour: Behaviour, sleep: Sleep, content_type: str = "application/json"
) -> SandboxReply:
    if behaviour.fault == "stall":
        await sleep(STALL_S)
    elif behaviour.waits_when_plain and behaviour.first_token_s:
        await sleep(behaviour.first_token_s)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {"content-type": content_type, "content-length": str(len(raw))}
    return SandboxReply(200, headers, plain_chunks(raw, behaviour, sleep))


def _streamed(content_type: str, pieces: Iterable[bytes], behaviour: Behaviour, sleep: Sleep) -> SandboxReply:
    return SandboxReply(200, {"content-type": content_type}, _paced(list(pieces), behaviour, sleep))


async def _paced(pieces: list[bytes], behaviour: Behaviour, sleep: Sleep) -> AsyncGenerator[bytes, None]:
    if behaviour.fault == "stall":
        await sleep(STALL_S)
    middle = -(-len(pieces) // 2)
    for position, piece in enumerate(pieces):
        if position == middle and behaviour.fault == "cut":
            raise SandboxCut("The sandbox cut the connection, as its model's name says.")
        if position == middle and behaviour.fault == "stall_midway":
            await sleep(STALL_S)
        yield piece
