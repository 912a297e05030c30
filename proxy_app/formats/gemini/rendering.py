"""Our events written as a Gemini stream: every piece a `GenerateContentResponse`.

Texts and thoughts come in pieces, a call comes whole, the last piece has the reason and the usage. Pieces
are server-sent events that are `data: <json>` and nothing else, since the official SDKs take comments, event
names and `[DONE]` for broken JSON; without `alt=sse` they are the elements of one JSON array.
"""

import orjson

from gateway_project.errors import GatehouseError, UpstreamInvalid
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.gemini.citations import render_citation
from proxy_app.formats.gemini.errors import error_object
from proxy_app.formats.gemini.framing import Framing
from proxy_app.formats.gemini.response import is_blocked, render_call, render_thought
from proxy_app.formats.gemini.usage import FINISH_WORDS, render_usage
from proxy_app.formats.usage_merge import merge_usage
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
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)

_HEAD = b'{"candidates":[{"content":{"parts":['
_TEXT = _HEAD + b'{"text":'
_THOUGHT = _HEAD + b'{"thought":true,"text":'
_LATE = "The provider went on with a tool call that was over."


class Renderer:
    """Writes pieces. A call waits until something else comes after it was whole; calls that come in
    mixture go out in the order they began."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._framing = Framing(options.framing)
        self._id = options.answer_id
        self._foot = b""  # of a piece without a reason: what comes after its parts
        self._text: list[str] = []
        self._refused: list[str] = []
        self._said = False
        self._calls: list[ToolCall] = []
        self._fragments: list[list[str]] = []
        self._sent_calls = 0
        self._usage: Usage | None = None
        self._finish: Finish | None = None

    def feed(self, event: StreamEvent) -> bytes:
        match event:
            case TextDelta(text):
                self._text.append(text)
                return self._piece(_TEXT, text)
            case ThinkingDelta(text):
                return self._piece(_THOUGHT, text)
            case ToolCallDelta(index, fragment):
                self._grow(index, fragment)
                return b""
            case UsageReported(usage):
                self._usage = merge_usage(self._usage, usage)
                return b""
            case ToolCallStarted(_, call_id, name):
                sent = self._whole_calls()
                self._calls.append(ToolCall(call_id, name, ""))
                self._fragments.append([])
                return sent
            case SignatureDelta():
                return self._sign(event)
            case RefusalDelta(text):
                self._refused.append(text)
                return self._piece(_TEXT, text)
            case CitationDelta(citation):
                source = render_citation(citation, "".join(self._text))
                return self._write([], {"citationMetadata": {"citationSources": [source]}})
            case Started():
                self._id = event.id or self._id
                return b""
            case Finished(finish):
                self._finish = finish
                return b""
            case Terminated():
                return self._end()

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        """`error` is the first key: SDKs look for it only there."""
        body = orjson.dumps({"error": error_object(error, request_id)})
        return self._framing.piece(body) + self._framing.end()

    def _piece(self, head: bytes, text: str) -> bytes:
        if not text:
            return b""
        sent = self._whole_calls() if self._sent_calls < len(self._calls) else b""
        self._said = True
        body = b"%b%b}%b" % (head, orjson.dumps(text), self._foot or self._ending())
        return sent + self._framing.piece(body) if sent else self._framing.piece(body)

    def _ending(self) -> bytes:
        """What every piece without a reason ends with."""
        named = {"modelVersion": self._options.model, "responseId": self._id}
        self._foot = b'],"role":"model"},"index":0}],' + orjson.dumps(named)[1:]
        return self._foot

    def _grow(self, index: int, fragment: str) -> None:
        if index < self._sent_calls:
            if fragment.strip():
                raise UpstreamInvalid(_LATE)
        elif index < len(self._calls):
            self._fragments[index].append(fragment)

    def _whole_calls(self, *, all_of_them: bool = False) -> bytes:
        """Calls that are whole, in their order: nothing can follow a whole JSON object."""
        parts: list[JSON] = []
        while self._sent_calls < len(self._calls):
            call = self._calls[self._sent_calls]
            call.arguments = "".join(self._fragments[self._sent_calls])
            if not (all_of_them or _is_object(call.arguments)):
                break
            parts.append(render_call(call, is_first=self._sent_calls == 0))
            self._fragments[self._sent_calls] = []
            self._sent_calls += 1
        return self._write(parts, {}) if parts else b""

    def _sign(self, event: SignatureDelta) -> bytes:
        if event.call_index is not None:
            if self._sent_calls <= event.call_index < len(self._calls):
                self._calls[event.call_index].signature = event.signature
            return b""
        signature, redacted = (None, event.signature) if event.redacted else (event.signature, None)
        thought = Thinking("", signature, redacted, provider=event.provider)
        part = render_thought(thought)
        return self._whole_calls() + (self._write([part], {}) if part else b"")

    def _write(self, parts: list[JSON], more: JSON, top: JSON | None = None) -> bytes:
        """A piece that is not a plain text. Its parts are never none: an SDK's chat forgets a turn with a
        piece that holds nothing."""
        self._said = True
        content = {"parts": parts or [{"text": ""}], "role": "model"}
        body = {"candidates": [{"content": content, "index": 0, **more}], **(top or {})}
        body |= {"modelVersion": self._options.model, "responseId": self._id}
        return self._framing.piece(orjson.dumps(body))

    def _end(self) -> bytes:
        """The reason and the usage: only ever for a whole answer."""
        sent = self._whole_calls(all_of_them=True)
        top = {"usageMetadata": render_usage(self._usage)} if self._usage is not None else {}
        if is_blocked(self._finish, self._usage) and not self._said:
            body: JSON = {"promptFeedback": {"blockReason": "SAFETY"}, **top}
            body |= {"modelVersion": self._options.model, "responseId": self._id}
            return self._framing.piece(orjson.dumps(body)) + self._framing.end()
        more: JSON = {"finishReason": FINISH_WORDS[self._finish or Finish.STOP]}
        if self._refused:
            more = {"finishReason": "SAFETY", "finishMessage": "".join(self._refused)}
        return sent + self._write([], more, top) + self._framing.end()


def _is_object(text: str) -> bool:
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
