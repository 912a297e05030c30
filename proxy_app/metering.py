"""What a passed-on answer used, read while it goes by: not a byte is held up or changed for it."""

import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamFailed, UpstreamInvalid
from proxy_app.call import Call
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions, StreamPipe
from proxy_app.formats.depth import refusing_depth
from proxy_app.wire import CallFacts, Observed, Target

METERED_BYTES = 8 * 1024 * 1024  # of a whole answer that is looked at for its usage


class Meter:
    """Looks at an answer that passes: a stream's events as they go by, a whole one's usage at its end."""

    def __init__(self, call: Call, format: str, is_stream: bool, *, keeps: bool = False) -> None:
        self._format = format
        self._parts: list[bytes] = []
        self._size = 0
        self.observed = Observed(ended=True)
        self._facts = CallFacts(
            model=call.facts.model, stream=is_stream, wants_usage=True, candidates=call.facts.candidates
        )
        self._options = RenderOptions(call.facts.model, call.id, 0, True, call.input_estimate, {})
        self.pipe: StreamPipe | None = None
        self.refusal: UpstreamFailed | None = None  # told in an answer that began with 200
        if is_stream and format not in ("", "usage"):
            self.pipe = exchange.open_pipe(format, Target(format, ""), self._facts, self._options)
            self.observed = self.pipe.observed
        self._is_whole = (bool(format) or keeps) and not is_stream

    def feed(self, chunk: bytes) -> None:
        """Raises UpstreamCut at an end of the provider's own that gives no reason."""
        if self.pipe is not None:
            try:
                with refusing_depth():
                    self.pipe.feed(chunk)
            except GatehouseError as error:
                self._note_failure(error)
        elif self._is_whole:
            self._parts.append(chunk)
            self._size += len(chunk)
            if self._size > METERED_BYTES:
                self._is_whole = False
                self._parts.clear()

    @property
    def whole(self) -> bytes:
        """What came, where it is looked at whole; else nothing."""
        return b"".join(self._parts)

    def finish(self) -> None:
        """The last byte has come. Raises UpstreamCut for a stream that ends before its own end."""
        if self.pipe is not None:
            self._end_stream(self.pipe)
        if not self._is_whole or not self._format:
            return
        raw = self.whole
        try:
            if self._format == "usage":
                body = orjson.loads(raw)
                self.observed.usage = exchange.read_usage(body) if isinstance(body, dict) else None
                return
            _, self.observed = exchange.convert_answer(
                self._format, Target(self._format, ""), raw, self._facts, self._options
            )
        except (GatehouseError, ValueError):
            return

    def _end_stream(self, pipe: StreamPipe) -> None:
        try:
            pipe.finish()
        except GatehouseError as error:
            self._note_failure(error)

    def _note_failure(self, error: GatehouseError) -> None:
        """The caller reads it in the provider's own words. Raises what is the lack of any: UpstreamCut."""
        if isinstance(error, UpstreamCut):
            raise error
        self.pipe = None
        if isinstance(error, UpstreamFailed) and not isinstance(error, UpstreamInvalid):
            self.refusal = error
