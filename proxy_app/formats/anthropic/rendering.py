"""Our events written as an Anthropic Messages stream.

One `message_start`, blocks with indices from 0 and only one open at a time, one `message_delta` with the
cumulative usage, `message_stop`; every event with its `event:` line, since the official SDKs pass over
events without one.
"""

from dataclasses import replace

import orjson

from gateway_project.errors import GatehouseError, UpstreamInvalid
from proxy_app.formats.anthropic.blocks import PROVIDER, UNSIGNED
from proxy_app.formats.anthropic.citations import render_citation
from proxy_app.formats.anthropic.errors import error_body
from proxy_app.formats.anthropic.response import stop_details, stop_word, thought_block, tier_word
from proxy_app.formats.anthropic.usage import render_last_usage, render_usage
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.signing import seal_of
from proxy_app.formats.usage_merge import merge_usage
from proxy_app.sse import encode
from proxy_app.wire import (
    JSON,
    CitationDelta,
    Finish,
    Finished,
    RefusalDelta,
    SignatureDelta,
    Started,
    StreamEvent,
    Terminated,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)

_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_LATE = "The provider went on with a tool call that was over."
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
#: kind of block -> the type of its deltas and the field of theirs that grows.
_GROWS = {
    "text": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "tool": (b"input_json_delta", b"partial_json"),
}
#: A block as it is announced before its first delta.
_EMPTY: dict[str, JSON] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


class Renderer:
    """Writes events. A tool call that begins while another is unfinished waits for it, with all that
    comes after it: what can be told apart by index elsewhere comes in sequence here."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._id = options.answer_id
        self._started = False
        self._tier: str | None = None
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._stop_sequence: str | None = None
        self._refused: list[str] = []
        self._next = 0  # index of the next block
        self._kind = ""  # of the open block: text, thinking, tool; "" when none is open
        self._head = b""  # of a delta of the open block, up to its value
        self._call: int | None = None  # the open block's tool call, by our index
        self._arguments: list[str] = []
        self._calls: set[int] = set()  # every call that was opened
        self._waiting: list[StreamEvent] = []

    def feed(self, event: StreamEvent) -> bytes:
        match event:
            case TextDelta(text) if self._kind == "text":
                return b"%b%b}}\n\n" % (self._head, orjson.dumps(text))
            case ThinkingDelta(text) if self._kind == "thinking":
                return b"%b%b}}\n\n" % (self._head, orjson.dumps(text))
            case ToolCallDelta(index, fragment) if self._call == index:
                return self._fragment(fragment)
            case UsageReported(usage):
                self._usage = merge_usage(self._usage, usage)
                return b""
            case Started():
                self._id, self._tier = event.id or self._id, event.service_tier
                return b""
            case Finished():
                self._finish, self._stop_sequence = event.finish, event.stop_sequence
                return b""
            case SignatureDelta(_, index) if index is not None:
                return b""  # the format has no field for it: kept by the call's id
            case Terminated():
                return self._end()
            case _:
                return self._turn_to(event)

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return encode(orjson.dumps(error_body(error, request_id)), "error")

    def _turn_to(self, event: StreamEvent) -> bytes:
        """An event that is not about the open block: it waits while that is an unfinished tool call."""
        if self._waiting or (self._kind == "tool" and not self._is_whole()):
            self._waiting.append(event)
            return b""
        match event:
            case TextDelta(text):
                return self._piece("text", text)
            case RefusalDelta(text):
                self._refused.append(text)
                return self._piece("text", text)
            case ThinkingDelta(text):
                return self._piece("thinking", text)
            case SignatureDelta():
                return self._sign(event)
            case CitationDelta(citation):
                opened = b"" if self._kind == "text" else self._open("text")
                return opened + self._delta(
                    {"type": "citations_delta", "citation": render_citation(citation)}
                )
            case ToolCallStarted(index, call_id, name):
                return self._open_call(index, call_id, name)
            case ToolCallDelta(_, fragment) if fragment.strip():
                raise UpstreamInvalid(_LATE)
        return b""

    def _fragment(self, fragment: str) -> bytes:
        """A piece of the open call's arguments, and what waited for them to be whole."""
        if not fragment:
            return b""
        self._arguments.append(fragment)
        sent = b"%b%b}}\n\n" % (self._head, orjson.dumps(fragment))
        if self._waiting and fragment.rstrip().endswith("}") and self._is_whole():
            waiting, self._waiting = self._waiting, []
            sent += b"".join([self.feed(event) for event in waiting])
        return sent

    def _is_whole(self) -> bool:
        """Nothing can follow a whole JSON object, so the open call is over."""
        try:
            return isinstance(orjson.loads("".join(self._arguments)), dict)
        except orjson.JSONDecodeError:
            return False

    def _piece(self, kind: str, text: str) -> bytes:
        if not text:
            return b""
        opened = b"" if self._kind == kind else self._open(kind)
        return b"%b%b%b}}\n\n" % (opened, self._head, orjson.dumps(text))

    def _open_call(self, index: int, call_id: str, name: str) -> bytes:
        opened = self._open("tool", {"type": "tool_use", "id": call_id, "name": name, "input": {}})
        self._calls.add(index)
        self._call = index
        self._arguments = []
        return opened

    def _sign(self, event: SignatureDelta) -> bytes:
        """Ends a thought with its signature; data in place of a thought is a block of its own."""
        if event.redacted:
            block = thought_block(Thinking("", redacted=event.signature, provider=event.provider))
            return self._open("redacted", block) + self._close()
        seal = seal_of(Thinking("", event.signature, provider=event.provider), PROVIDER)
        opened = b"" if self._kind == "thinking" else self._open("thinking")
        return opened + self._close(seal)

    def _open(self, kind: str, block: JSON | None = None) -> bytes:
        """Closes what is open, and announces the next block."""
        index, closed = self._next, self._close()
        self._next += 1
        self._kind = kind
        if kind in _GROWS:
            self._head = _DELTA % index + b'{"type":"%b","%b":' % _GROWS[kind]
        started = {"type": "content_block_start", "index": index, "content_block": block or _EMPTY[kind]}
        return b"%b%b%b" % (
            b"" if self._started else self._start(),
            closed,
            encode(orjson.dumps(started), "content_block_start"),
        )

    def _close(self, seal: str | None = None) -> bytes:
        if not self._kind:
            return b""
        signed = b""
        if self._kind == "thinking":
            signed = self._delta({"type": "signature_delta", "signature": seal or UNSIGNED})
        self._kind, self._call = "", None
        stopped = {"type": "content_block_stop", "index": self._next - 1}
        return signed + encode(orjson.dumps(stopped), "content_block_stop")

    def _delta(self, delta: JSON) -> bytes:
        return b"%b%b}\n\n" % (_DELTA % (self._next - 1), orjson.dumps(delta))

    def _usage_so_far(self) -> Usage:
        """The input is an estimate until the provider tells it, at the end or never: it is never null, since
        clients add to it."""
        usage = self._usage or Usage()
        if usage.input_tokens is None:
            usage = replace(usage, input_tokens=self._options.input_estimate)
        return usage

    def _start(self) -> bytes:
        self._started = True
        message: JSON = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._options.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
            "usage": render_usage(self._usage_so_far()) | {"service_tier": tier_word(self._tier)},
        }
        return encode(orjson.dumps({"type": "message_start", "message": message}), "message_start")

    def _end(self) -> bytes:
        """Why it stopped, usage, terminator: only ever for a whole answer."""
        sent = self._release()
        sent += self._close()
        if not self._started:
            sent += self._start()
        refused = "".join(self._refused)
        word = stop_word(self._finish, called=bool(self._calls), refused=bool(refused))
        delta = {
            "stop_reason": word,
            "stop_sequence": self._stop_sequence,
            "stop_details": stop_details(word, refused),
            "container": None,
        }
        told = {"type": "message_delta", "delta": delta, "usage": render_last_usage(self._usage_so_far())}
        return sent + encode(orjson.dumps(told), "message_delta") + _STOP

    def _release(self) -> bytes:
        """What still waits, calls in the order they began: nothing more can come for any of them."""
        waiting, self._waiting = self._waiting, []
        sent = self._pieces(waiting, self._call)
        known = {self._call}
        for event in waiting:
            match event:
                case ToolCallStarted(index, call_id, name):
                    known.add(index)
                    sent += self._open_call(index, call_id, name) + self._pieces(waiting, index)
                case ToolCallDelta(index, fragment):
                    if index not in known and fragment.strip():
                        raise UpstreamInvalid(_LATE)
                case _:
                    sent += self._close() if self._kind == "tool" else b""
                    sent += self.feed(event)
        return sent

    def _pieces(self, events: list[StreamEvent], call: int | None) -> bytes:
        """The pieces of one call, which is the open one."""
        mine = [one for one in events if isinstance(one, ToolCallDelta) and one.index == call]
        return b"".join([self._fragment(one.fragment) for one in mine])
