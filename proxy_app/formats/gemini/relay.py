"""A Gemini stream on its way from a provider of the same format: read once, forwarded as it is.

The hot path: one typed decode an event, which skips what is not looked at. Only what the official SDKs cannot
read is left out: comments, event names, `[DONE]`.
"""

from typing import Any

import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamInvalid
from proxy_app.formats.gemini.errors import error_object, read_in_band
from proxy_app.formats.gemini.framing import Framing
from proxy_app.formats.gemini.pieces import NOT_JSON, Piece, decode_piece, load_piece, tier_of, usage_of
from proxy_app.formats.gemini.usage import FINISHES, read_tier, read_usage, searched
from proxy_app.formats.lenient import mended
from proxy_app.formats.reading import as_list, as_object, as_text, searches, unlisted
from proxy_app.sse import Framer, read_block
from proxy_app.wire import JSON, CallFacts, Finish, Observed, Usage


class Relay:
    """One stream. Forwards each event's data as they are; see `StreamPipe` for the contract."""

    __slots__ = ("_candidates", "_finished", "_framer", "_framing", "_saw_call", "_searched", "observed")

    def __init__(self, facts: CallFacts) -> None:
        self.observed = Observed()
        self._framer = Framer()
        self._framing = Framing(facts.framing)
        self._candidates = facts.candidates
        self._finished: set[int] = set()
        self._saw_call = False
        self._searched = 0

    def feed(self, chunk: bytes) -> bytes:
        blocks = self._framer.feed(chunk)
        if len(blocks) == 1:
            return self._pass(blocks[0])
        return b"".join([self._pass(block) for block in blocks])

    def finish(self) -> bytes:
        """The format has no terminator: after a reason for every candidate the end of the connection is
        the end. A last event without its blank line counts."""
        rest = self._framer.take_rest()
        sent = self._pass_rest(rest) if rest else b""
        if len(self._finished) < self._candidates:
            raise UpstreamCut
        self.observed.ended = True
        return sent + self._framing.end()

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        body = orjson.dumps({"error": error_object(error, request_id)})
        return self._framing.piece(body) + self._framing.end()

    def _pass(self, block: bytes) -> bytes:
        """The bytes to send for one block; reads what it says on the way."""
        if not block.startswith(b"data: {") or b"\n" in block:
            return self._pass_unusual(block)
        data = block[6:]
        try:
            self._read_data(data)
        except UpstreamInvalid:
            if (written := mended(data)) is None:
                raise
            self._read_data(written)  # what only strict decoders refuse is passed as it came
        return self._framing.piece(data)

    def _read_data(self, data: bytes) -> None:
        piece = decode_piece(data)
        if piece is None:
            self._read_untyped(load_piece(data))
        else:
            self._read(piece, data)

    def _read(self, piece: Piece, data: bytes) -> None:
        observed = self.observed
        if piece.error is not None:
            _refuse(piece.error)
        if observed.upstream_id is None:
            observed.upstream_id, observed.served_model = piece.response_id, piece.model_version
        for candidate in piece.candidates or ():
            content = candidate.content
            if content is not None and content.parts:
                for part in content.parts:
                    if part.text:
                        self._count(len(part.text))
                    elif part.function_call is not None:
                        self._saw_call = True
                        self._count(len(bytes(part.function_call.args)))
                    elif part.text is None and part.thought_signature is None:
                        self._count(0)  # a picture, code, or a kind that is not known yet
            if candidate.finish_reason:
                self._note_finish(candidate.index or 0, candidate.finish_reason)
            if candidate.grounding_metadata is not None:
                self._note_searches(candidate.grounding_metadata)
        if piece.usage_metadata is not None:
            self._note_usage(usage_of(piece.usage_metadata, data))
            observed.service_tier = tier_of(piece.usage_metadata) or observed.service_tier
        if piece.prompt_feedback is not None:
            self._note_blocked(piece.prompt_feedback)

    def _count(self, chars: int) -> None:
        observed = self.observed
        observed.output_chars += chars
        observed.output_events += 1
        observed.content_started = True

    def _note_finish(self, index: int, word: str) -> None:
        self._finished.add(index)
        self.observed.content_started = True
        if index == 0 or self.observed.finish is None:
            finish = FINISHES.get(word, Finish.STOP)
            called = finish is Finish.STOP and self._saw_call
            self.observed.finish = Finish.TOOL_CALLS if called else finish
            self.observed.finish_word = unlisted(word, FINISHES)

    def _note_searches(self, grounding: Any) -> None:
        """A later piece names again what an earlier one named."""
        self._searched = max(self._searched, searched(grounding, self.observed.served_model or ""))
        self._note_usage(self.observed.usage)

    def _note_usage(self, usage: Usage | None) -> None:
        if usage is not None:
            usage.units = searches(self._searched)
            self.observed.usage = usage

    def _note_blocked(self, feedback: Any) -> None:
        """A blocked prompt has no candidates at all."""
        if as_object(feedback).get("blockReason") and not self._finished:
            self._finished.update(range(self._candidates))
            self.observed.finish = Finish.CONTENT_FILTER
            self.observed.content_started = True

    def _read_untyped(self, body: JSON) -> None:
        """A piece whose known fields have unknown types."""
        if body.get("error"):
            _refuse(body["error"])
        for candidate in map(as_object, as_list(body.get("candidates"))):
            for part in map(as_object, as_list(as_object(candidate.get("content")).get("parts"))):
                self._saw_call |= "functionCall" in part
                self._count(len(as_text(part.get("text"))) or len(orjson.dumps(part)))
            self._note_searches(candidate.get("groundingMetadata"))
            if candidate.get("finishReason"):
                index = candidate.get("index")
                self._note_finish(index if isinstance(index, int) else 0, as_text(candidate["finishReason"]))
        self._note_usage(read_usage(body.get("usageMetadata")))
        self.observed.service_tier = read_tier(body.get("usageMetadata")) or self.observed.service_tier
        self._note_blocked(body.get("promptFeedback"))

    def _pass_unusual(self, block: bytes) -> bytes:
        """Comments, event names, several lines, other spacing, `[DONE]`."""
        block = block.strip(b"\n")
        event = read_block(block)
        if event is None and block.startswith(b"{"):  # whole, in place of a stream
            return self._pass(b"data: " + block.replace(b"\n", b" "))
        if event is None or event.data.strip() == b"[DONE]":
            return b""
        data = event.data.replace(b"\n", b" ").strip()
        if data.startswith(b"[") and data.endswith(b"]"):
            data = data[1:-1].strip()  # alone in an array
        if not data.startswith(b"{"):
            raise UpstreamInvalid(NOT_JSON)
        return self._pass(b"data: " + data)

    def _pass_rest(self, rest: bytes) -> bytes:
        """What came after the last blank line: whole, a plain error body, or the sign of a cut."""
        if rest.lstrip().startswith(b"{"):
            rest = b"data: " + rest.replace(b"\n", b" ").strip()
        try:
            return self._pass(rest)
        except UpstreamInvalid as invalid:
            raise UpstreamCut from invalid


def _refuse(error: Any) -> None:
    if error:
        raise read_in_band(error)
