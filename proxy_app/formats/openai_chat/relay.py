"""A Chat Completions stream on its way from a provider of the same format: read once, forwarded as it is.

The hot path: one typed decode an event, which skips what is not looked at. Only the usage a caller did
not ask for is taken out.
"""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamFailed, UpstreamInvalid
from proxy_app.formats.lenient import mended
from proxy_app.formats.openai_chat.chunks import (
    SAYS_NOTHING,
    Delta,
    decode_chunk,
    decode_fields,
    decode_open,
    decode_plain,
)
from proxy_app.formats.openai_chat.response import observe_answer
from proxy_app.formats.openai_chat.unfolding import unfolded
from proxy_app.formats.openai_chat.usage import read_usage
from proxy_app.formats.openai_endings import broken_off, read_finish
from proxy_app.formats.openai_errors import error_object, read_in_band, words_of
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.formats.usage_merge import LLAMA_CPP_MARK, with_next_answer
from proxy_app.formats.whole import take_whole
from proxy_app.sse import Framer, encode, read_block
from proxy_app.wire import CallFacts, Observed

_NOT_JSON = "The provider sent a stream event that is not JSON."
DONE = b"data: [DONE]\n\n"
_LLAMA_CPP_MARK = b'"%b":' % LLAMA_CPP_MARK.encode()


class Relay:
    """One stream. Forwards each event's bytes with LF line ends; see `StreamPipe` for the contract. An answer
    that was broken off is passed on as its provider tells it, and ends in an error in place of `[DONE]`."""

    __slots__ = (
        "_begun",
        "_candidates",
        "_failures",
        "_finished",
        "_framer",
        "_saw_call",
        "_wants_usage",
        "observed",
    )

    def __init__(self, facts: CallFacts) -> None:
        self.observed = Observed()
        self._framer = Framer()
        self._wants_usage = facts.wants_usage
        self._candidates = facts.candidates
        self._begun: set[int] = set()  # where several answers are asked for
        self._finished: set[int] = set()
        self._failures: dict[int, UpstreamFailed] = {}  # of the choices that were broken off
        self._saw_call = False

    def feed(self, chunk: bytes) -> bytes:
        observed = self.observed
        if (
            observed.content_started
            and self._candidates == 1
            and chunk.startswith(b"data: {")
            and self._framer.is_one_event(chunk)
        ):
            try:
                [choice] = decode_plain(memoryview(chunk)[6:-2]).choices
            except msgspec.DecodeError:
                pass
            else:
                if not observed.ended:
                    observed.output_chars += len(choice.delta.content)
                    observed.output_events += 1
                    return chunk
        blocks = self._framer.feed(chunk)
        if len(blocks) == 1:
            return self._pass(blocks[0])
        return b"".join([self._pass(block) for block in blocks])

    def finish(self) -> bytes:
        """Some compatible servers omit `[DONE]`, or the last blank line: a finish reason is enough."""
        sent = b""
        rest = self._framer.take_rest()
        if rest and not self.observed.ended:
            sent = self._pass_rest(rest)
        if self.observed.ended:
            return sent
        if len(self._finished) < self._candidates:
            raise UpstreamCut
        self._refuse_broken()
        self.observed.ended = True
        return sent + DONE

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return encode(orjson.dumps({"error": error_object(error, request_id)}))

    def _pass(self, block: bytes) -> bytes:
        """The bytes to send for one block; reads what it says on the way."""
        if self.observed.ended:
            return b""
        if not block.startswith(b"data: {"):
            return self._pass_unusual(block)
        try:
            chunk = decode_chunk(memoryview(block)[6:])
        except msgspec.ValidationError:
            return self._pass_untyped(block)
        except msgspec.DecodeError:
            return self._pass_unusual(block)
        observed = self.observed
        if chunk.choices:
            for choice in chunk.choices:
                delta = choice.delta
                if delta is not None:
                    if delta.content:
                        self._count(len(delta.content))
                    elif delta.tool_calls or delta.reasoning_content or delta.reasoning or delta.refusal:
                        self._count_rare(delta)
                if self._candidates > 1:
                    self._begun.add(choice.index)
                if choice.finish_reason or choice.error:
                    self._note_finish(choice.index, choice.finish_reason or "", _value(choice.error))
            if not observed.content_started:
                self._look_for_more(block)
        if observed.upstream_id is None:
            observed.upstream_id, observed.served_model = chunk.id, chunk.model
        if chunk.service_tier is not None:
            observed.service_tier = chunk.service_tier
        _refuse_error(_value(chunk.error))
        if (usage := _value(chunk.usage)) is not None:
            return self._pass_usage(block, usage, bool(chunk.choices))
        return block + b"\n\n"

    def _count(self, chars: int) -> None:
        observed = self.observed
        observed.output_chars += chars
        observed.output_events += 1
        observed.content_started = True

    def _count_rare(self, delta: Delta) -> None:
        chars = len(delta.reasoning_content or delta.reasoning or "") + len(delta.refusal or "")
        for call in delta.tool_calls or ():
            self._saw_call = True
            if call.function is not None:
                chars += len(call.function.arguments or "")
        self._count(chars)

    def _look_for_more(self, block: bytes) -> None:
        """An answer may begin with what is not known here: audio, images, details of thoughts."""
        for choice in decode_open(memoryview(block)[6:]).choices:
            delta = choice.delta or {}
            said = [name for name, raw in delta.items() if name != "role" and bytes(raw) not in SAYS_NOTHING]
            self._saw_call |= "function_call" in said
            if said:
                self._count(sum(len(bytes(delta[name])) for name in said))

    def _note_finish(self, index: int, word: str, error: Any) -> None:
        """The end of a choice. A broken one begins no answer: another attempt may still take its place."""
        if (failed := broken_off(word, error)) is not None:
            self._failures[index] = failed
            self._finished.add(index)
        elif word:
            self._finished.add(index)
            self.observed.content_started = True
            if index == 0 or self.observed.finish is None:
                self.observed.finish, self.observed.finish_word = read_finish(word)

    def _refuse_broken(self) -> None:
        if self._failures and len(self._failures) >= max(self._candidates, len(self._finished)):
            raise next(iter(self._failures.values()))

    def _pass_usage(self, block: bytes, value: Any, has_choices: bool) -> bytes:
        """Reads the usage wherever it rides; takes out what the caller did not ask for."""
        usage = read_usage(value)
        if self._candidates > 1 and _LLAMA_CPP_MARK in block:
            usage = with_next_answer(self.observed.usage, usage)
        self.observed.usage = usage or self.observed.usage
        if self._wants_usage:
            return block + b"\n\n"
        if not has_choices:
            return b""
        fields = decode_fields(memoryview(block)[6:])
        del fields["usage"]
        return encode(msgspec.json.encode(fields))

    def _pass_unusual(self, block: bytes) -> bytes:
        """`[DONE]`, comments, several lines, other spacing, named events."""
        block = block.strip(b"\n")
        if not block:
            return b""
        event = read_block(block)
        if event is None:
            return self._pass_whole(block) if block.startswith(b"{") else block + b"\n\n"
        if event.data.strip() == b"[DONE]":
            return self._end()
        if event.event == "error":
            raise read_in_band(*words_of(event.data))
        plain = b"data: " + event.data.replace(b"\n", b" ").strip()
        if not plain.startswith(b"data: {"):
            raise UpstreamInvalid(_NOT_JSON)
        if block == plain:
            return self._pass_mended(block)
        return _with_other_fields(block, plain, self._pass(plain))

    def _pass_mended(self, block: bytes) -> bytes:
        """What only strict decoders refuse, read without it and passed as it came."""
        if (written := mended(block[6:])) is None:
            raise UpstreamInvalid(_NOT_JSON)
        plain = b"data: " + written
        passed = self._pass(plain)
        return block + b"\n\n" if passed == plain + b"\n\n" else passed

    def _pass_whole(self, raw: bytes) -> bytes:
        """A whole answer in place of the stream, as the chunks that say it; what is none as it came."""
        body = take_whole(raw, self.observed, observe_answer)
        if body is None:
            return raw + b"\n\n"
        return unfolded(body, wants_usage=self._wants_usage) + DONE

    def _end(self) -> bytes:
        """A provider's end that gives no reason is none, as SDKs take it for one; calls are a reason."""
        if not self._saw_call and (not self._finished or self._begun - self._finished):
            raise UpstreamCut
        self._refuse_broken()
        self.observed.ended = True
        return DONE

    def _pass_untyped(self, block: bytes) -> bytes:
        """A chunk whose known fields have unknown types (content as a list of parts, say)."""
        try:
            body = as_object(orjson.loads(block[6:]))
        except orjson.JSONDecodeError:
            return self._pass_mended(block)
        _refuse_error(body.get("error"))
        self.observed.service_tier = as_text(body.get("service_tier")) or self.observed.service_tier
        choices = [as_object(choice) for choice in as_list(body.get("choices"))]
        for choice in choices:
            delta = {key: value for key, value in as_object(choice.get("delta")).items() if key != "role"}
            self._saw_call |= bool(delta.get("tool_calls") or delta.get("function_call"))
            if any(delta.values()):
                self._count(len(as_text(delta.get("content"))) or len(orjson.dumps(delta)))
            if choice.get("finish_reason") or choice.get("error"):
                index = choice.get("index")
                word = as_text(choice.get("finish_reason"))
                self._note_finish(index if isinstance(index, int) else 0, word, choice.get("error"))
        if body.get("usage"):
            return self._pass_usage(block, body["usage"], bool(choices))
        return block + b"\n\n"

    def _pass_rest(self, rest: bytes) -> bytes:
        """What came after the last blank line: whole, or the sign of a cut."""
        if rest.lstrip().startswith(b"{"):
            sent = self._pass_whole(rest)
            if self.observed.ended:
                return sent
            raise read_in_band(*words_of(rest))
        if read_block(rest) is None:
            return b""
        try:
            return self._pass(rest)
        except UpstreamInvalid as invalid:
            raise UpstreamCut from invalid


def _with_other_fields(block: bytes, plain: bytes, passed: bytes) -> bytes:
    """What was passed of an event's data, with its name, its id and its comments."""
    others = [line for line in block.split(b"\n") if not line.startswith(b"data:")]
    if not others or not passed:
        return passed
    return block + b"\n\n" if passed == plain + b"\n\n" else b"\n".join([*others, passed])


def _value(raw: msgspec.Raw) -> Any:
    try:
        return orjson.loads(bytes(raw)) if raw else None
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalid(_NOT_JSON) from error


def _refuse_error(error: Any) -> None:
    if error:
        raise read_in_band(error)
