"""A Chat Completions stream on its way from a provider of the same format: read once, forwarded as it is.

The hot path: one typed decode an event, which skips what is not looked at. Only the usage a caller did
not ask for is taken out.
"""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamInvalid
from proxy_app.formats.openai_chat.response import observe_answer
from proxy_app.formats.openai_chat.usage import FINISHES, read_usage
from proxy_app.formats.openai_errors import error_object, read_in_band, words_of
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.formats.usage_merge import LLAMA_CPP_MARK, with_next_answer
from proxy_app.formats.whole import refuse_whole
from proxy_app.sse import Framer, encode, read_block
from proxy_app.wire import CallFacts, Finish, Observed

DONE = b"data: [DONE]\n\n"
_LLAMA_CPP_MARK = b'"%b":' % LLAMA_CPP_MARK.encode()


class _Function(msgspec.Struct, gc=False):
    arguments: str | None = None


class _ToolDelta(msgspec.Struct, gc=False):
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolDelta] | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    finish_reason: str | None = None
    index: int = 0


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()  # not `Raw | None`: that takes null only
    error: msgspec.Raw = msgspec.Raw()
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None


class _PlainDelta(msgspec.Struct, gc=False):
    """What almost every delta is: text, and nothing else that counts."""

    content: str
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    tool_calls: None = None


class _PlainChoice(msgspec.Struct, gc=False):
    delta: _PlainDelta
    finish_reason: None = None


class _PlainChunk(msgspec.Struct, gc=False):
    choices: tuple[_PlainChoice]
    usage: None = None
    error: None = None


class _OpenChoice(msgspec.Struct, gc=False):
    delta: dict[str, msgspec.Raw] | None = None


class _OpenChunk(msgspec.Struct, gc=False):
    """A chunk with all that its deltas hold."""

    choices: list[_OpenChoice]


_SAYS_NOTHING = frozenset({b"null", b'""', b"[]", b"{}", b"false", b"0"})
_decode_open = msgspec.json.Decoder(_OpenChunk).decode
_decode_plain = msgspec.json.Decoder(_PlainChunk).decode
_decode = msgspec.json.Decoder(_Chunk).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Relay:
    """One stream. Forwards each event's bytes with LF line ends; see `StreamPipe` for the contract."""

    __slots__ = ("_begun", "_candidates", "_finished", "_framer", "_saw_call", "_wants_usage", "observed")

    def __init__(self, facts: CallFacts) -> None:
        self.observed = Observed()
        self._framer = Framer()
        self._wants_usage = facts.wants_usage
        self._candidates = facts.candidates
        self._begun: set[int] = set()  # where several answers are asked for
        self._finished: set[int] = set()
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
                [choice] = _decode_plain(memoryview(chunk)[6:-2]).choices
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
            chunk = _decode(memoryview(block)[6:])
        except msgspec.ValidationError:
            return self._pass_untyped(block, block[6:])
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
                if choice.finish_reason:
                    self._note_finish(choice.index, choice.finish_reason)
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

    def _count_rare(self, delta: _Delta) -> None:
        chars = len(delta.reasoning_content or delta.reasoning or "") + len(delta.refusal or "")
        for call in delta.tool_calls or ():
            self._saw_call = True
            if call.function is not None:
                chars += len(call.function.arguments or "")
        self._count(chars)

    def _look_for_more(self, block: bytes) -> None:
        """An answer may begin with what is not known here: audio, images, details of thoughts."""
        for choice in _decode_open(memoryview(block)[6:]).choices:
            delta = choice.delta or {}
            said = [name for name, raw in delta.items() if name != "role" and bytes(raw) not in _SAYS_NOTHING]
            self._saw_call |= "function_call" in said
            if said:
                self._count(sum(len(bytes(delta[name])) for name in said))

    def _note_finish(self, index: int, word: str) -> None:
        self._finished.add(index)
        self.observed.content_started = True
        if index == 0 or self.observed.finish is None:
            self.observed.finish = FINISHES.get(word, Finish.STOP)

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
        fields = _decode_fields(memoryview(block)[6:])
        del fields["usage"]
        return encode(msgspec.json.encode(fields))

    def _pass_unusual(self, block: bytes) -> bytes:
        """`[DONE]`, comments, several lines, other spacing, named events."""
        block = block.strip(b"\n")
        if not block:
            return b""
        event = read_block(block)
        if event is None:
            if block.startswith(b"{"):
                refuse_whole(block, self.observed, observe_answer)
            return block + b"\n\n"
        if event.data.strip() == b"[DONE]":
            return self._end()
        plain = b"data: " + event.data.replace(b"\n", b" ")
        if event.event == "error":
            raise read_in_band(*words_of(event.data))
        if block != plain and event.data.lstrip().startswith(b"{"):
            return self._pass(b"data: " + event.data.replace(b"\n", b" ").strip())
        raise UpstreamInvalid("The provider sent a stream event that is not JSON.")

    def _end(self) -> bytes:
        """A provider's end that gives no reason is none, as SDKs take it for one; calls are a reason."""
        if not self._saw_call and (not self._finished or self._begun - self._finished):
            raise UpstreamCut
        self.observed.ended = True
        return DONE

    def _pass_untyped(self, block: bytes, data: bytes) -> bytes:
        """A chunk whose known fields have unknown types (content as a list of parts, say)."""
        body = as_object(_load(data))
        _refuse_error(body.get("error"))
        self.observed.service_tier = as_text(body.get("service_tier")) or self.observed.service_tier
        choices = [as_object(choice) for choice in as_list(body.get("choices"))]
        for choice in choices:
            delta = {key: value for key, value in as_object(choice.get("delta")).items() if key != "role"}
            self._saw_call |= bool(delta.get("tool_calls") or delta.get("function_call"))
            if any(delta.values()):
                self._count(len(as_text(delta.get("content"))) or len(orjson.dumps(delta)))
            if choice.get("finish_reason"):
                index = choice.get("index")
                self._note_finish(index if isinstance(index, int) else 0, as_text(choice["finish_reason"]))
        if body.get("usage"):
            return self._pass_usage(block, body["usage"], bool(choices))
        return block + b"\n\n"

    def _pass_rest(self, rest: bytes) -> bytes:
        """What came after the last blank line: whole, or the sign of a cut."""
        if rest.lstrip().startswith(b"{"):
            refuse_whole(rest, self.observed, observe_answer)
            raise read_in_band(*words_of(rest))
        if read_block(rest) is None:
            return b""
        try:
            return self._pass(rest)
        except UpstreamInvalid as invalid:
            raise UpstreamCut from invalid


def _value(raw: msgspec.Raw) -> Any:
    return _load(bytes(raw)) if raw else None


def _load(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error


def _refuse_error(error: Any) -> None:
    if error:
        raise read_in_band(error)
