"""What a passed-on answer used, read while it goes by: not a byte is held up or changed for it."""

import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamFailed, UpstreamInvalid
from proxy_app.call import Call
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions, StreamPipe
from proxy_app.formats.depth import refusing_depth
from proxy_app.operations import audio, images
from proxy_app.wire import JSON, CallFacts, Observed, Target, Usage
from proxy_app.wishes import answers_wished
from usage_app.usage import estimate_input_tokens

METERED_BYTES = 8 * 1024 * 1024  # of a whole answer that is looked at for its usage
#: First letters of a stream: an array of its pieces, a comment, or a field (data, event, id, retry).
_STREAM_BEGINS = frozenset({b"[", b":", b"d", b"e", b"i", b"r"})
_BEFORE = b"\xef\xbb\xbf \t\r\n"  # a byte order mark and blanks


class Meter:
    """Looks at an answer that passes: a stream's events as they go by, a whole one's usage at its end.

    A conversation's first letter tells which it is: not every provider says so in its content type.
    """

    def __init__(self, call: Call, format: str, is_stream: bool, *, keeps: bool = False) -> None:
        self._format = format
        self._watched_as = exchange.watched_as(format)
        self._says_stream = is_stream
        self._is_conversation = format not in ("", "usage")
        self._is_undecided = self._is_conversation
        self._is_whole = self._is_conversation or ((bool(format) or keeps) and not is_stream)
        self._is_read = False
        self._parts: list[bytes] = []
        self._size = 0
        self.observed = Observed(ended=True)
        self._facts = CallFacts(
            model=call.facts.model, stream=is_stream, wants_usage=True, candidates=call.facts.candidates
        )
        self._options = RenderOptions(call.facts.model, call.id, 0, True, call.input_estimate, {})
        self.pipe: StreamPipe | None = None
        self.refusal: UpstreamFailed | None = None  # told in an answer that began with 200

    @property
    def is_unread(self) -> bool:
        """Whether something came of an answer that tells its usage, and it could not be read so far."""
        is_read = self._is_read or self.pipe is not None or self.refusal is not None
        return bool(self._format) and not self._is_undecided and not is_read

    def feed(self, chunk: bytes) -> None:
        """Raises UpstreamCut at an end of the provider's own that gives no reason."""
        if self._is_undecided:
            self._decide(chunk)
        if self.pipe is not None:
            try:
                with refusing_depth:
                    self.pipe.feed(chunk)
            except GatehouseError as error:
                self._note_failure(error)
        elif self._is_whole:
            self._parts.append(chunk)
            self._size += len(chunk)
            if self._size > METERED_BYTES:
                self._is_whole = False
                self._parts.clear()

    def _decide(self, chunk: bytes) -> None:
        """Blanks that came before the first letter say nothing, and are left out."""
        begun = chunk.lstrip(_BEFORE)
        if not begun:
            return
        self._is_undecided = False
        if begun[:1] in _STREAM_BEGINS or (self._says_stream and begun[:1] != b"{"):
            self._open_pipe()

    def _open_pipe(self) -> None:
        self._is_whole = False
        self._parts.clear()
        self._facts.stream = True
        self.pipe = exchange.open_pipe(self._watched_as, Target(self._format, ""), self._facts, self._options)
        self.observed = self.pipe.observed

    @property
    def whole(self) -> bytes:
        """What came, where it is looked at whole; else nothing."""
        return b"".join(self._parts)

    def finish(self) -> None:
        """The last byte has come. Raises UpstreamCut for a stream that ends before its own end."""
        if self._is_undecided and self._says_stream:
            self._open_pipe()  # of a stream of nothing
        try:
            if self.pipe is not None:
                self.pipe.finish()
            elif self._is_whole and self._format:
                self._read_whole(self.whole)
        except GatehouseError as error:
            self._note_failure(error)

    def _read_whole(self, raw: bytes) -> None:
        """Raises UpstreamFailed for an error that came with 200, and for what cannot be read."""
        if self._is_conversation:
            target = Target(self._format, "")
            _, observed = exchange.convert_answer(self._watched_as, target, raw, self._facts, self._options)
            self.observed = observed
            self._is_read = observed.usage is not None or observed.output_chars > 0
            return
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return
        self.observed.usage = exchange.read_usage(body) if isinstance(body, dict) else None
        self._is_read = self.observed.usage is not None

    def _note_failure(self, error: GatehouseError) -> None:
        """The caller reads it in the provider's own words. Raises what is the lack of any: UpstreamCut."""
        if isinstance(error, UpstreamCut) and (self._says_stream or self.observed.content_started):
            raise error
        self.pipe = None
        if isinstance(error, UpstreamFailed) and not isinstance(error, UpstreamCut | UpstreamInvalid):
            self.refusal = error


def bounds_of(path: str, size: int, body: JSON, files: int = 0) -> tuple[Usage, Usage]:
    """(the most, what is likely) that a call that is no conversation uses, as its own endpoint guesses it.

    `size` is the body's in bytes; of a form, `body` has the fields that are no files.
    """
    if path.endswith("/audio/transcriptions"):
        most_s, likely_s = size // audio.LOWEST_RATE + 1, size // audio.USUAL_RATE + 1
        return (
            Usage(input_tokens=most_s * audio.AUDIO_TOKENS, output_tokens=most_s * audio.WORD_TOKENS_MOST),
            Usage(input_tokens=likely_s * audio.AUDIO_TOKENS, output_tokens=likely_s * audio.WORD_TOKENS),
        )
    if path.endswith(("/images/generations", "/images/edits")):
        made = answers_wished(body, "usage")
        sent = max(files or images.images_named(body), 1) if path.endswith("/edits") else 0
        most = Usage(
            input_tokens=estimate_input_tokens(len(orjson.dumps(body))) + sent * images.INPUT_IMAGE_TOKENS,
            output_tokens=made * images.OUTPUT_TOKENS_UNKNOWN,
        )
        return most, most
    most = Usage(input_tokens=estimate_input_tokens(size), output_tokens=0)
    return most, most
