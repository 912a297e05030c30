"""Output items of a stream while they are open: what each event about them says, and what they become.

Deltas are written from bytes made once for an item; everything else is rare.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from proxy_app.formats.openai_responses.rendering import (
    call_item,
    message_item,
    reasoning_item,
    refusal_part,
    render_citation,
    text_part,
)
from proxy_app.formats.openai_responses.tools import Offered
from proxy_app.wire import JSON, Citation, Refusal, Thinking, ToolCall


class Events:
    """The numbered events of one stream, gathered until they are taken."""

    __slots__ = ("_ready", "number")

    def __init__(self) -> None:
        self.number = 0
        self._ready: list[bytes] = []

    def next_number(self) -> int:
        number = self.number
        self.number = number + 1
        return number

    def add(self, kind: str, fields: JSON) -> None:
        self._ready.append(event_frame(kind, fields, self.next_number()))

    def put(self, raw: bytes) -> None:
        self._ready.append(raw)

    def take(self) -> bytes:
        taken = self._ready[0] if len(self._ready) == 1 else b"".join(self._ready)
        self._ready.clear()
        return taken


def event_frame(kind: str, fields: JSON, number: int) -> bytes:
    body = orjson.dumps({"type": kind, **fields, "sequence_number": number})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)


def _delta_head(kind: str, place: JSON) -> bytes:
    """A delta event up to the delta itself, which is followed by `_TAIL` or `_TEXT_TAIL`."""
    head = orjson.dumps({"type": kind, **place})[:-1]
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), head)


_TAIL = b'%b%b,"sequence_number":%d}\n\n'
_TEXT_TAIL = b'%b%b,"logprobs":[],"sequence_number":%d}\n\n'


class Item:
    """An output item. `done` is what it became once it is closed."""

    def __init__(self, events: Events, index: int) -> None:
        self.events = events
        self.index = index
        self.done: JSON = {}

    def _added(self, item: JSON) -> None:
        self.events.add("response.output_item.added", {"output_index": self.index, "item": item})

    def close(self, status: str) -> None:
        """The events that end the item; nothing the second time."""
        if not self.done:
            self.done = self._finished(status)
            self.events.add("response.output_item.done", {"output_index": self.index, "item": self.done})

    def _finished(self, status: str) -> JSON:
        raise NotImplementedError


class OpenMessage(Item):
    """A message with a part of text and, after it, of refusal."""

    def __init__(self, events: Events, stem: str, index: int) -> None:
        super().__init__(events, index)
        self._stem = stem
        self._place: JSON = {"item_id": f"msg_{stem}_{index}", "output_index": index}
        self._content: list[JSON] = []
        self._pieces: list[str] = []
        self._notes: list[JSON] = []
        self._kind = ""  # of the part that is open
        self._head = b""
        self._added(message_item(stem, index, [], "in_progress"))

    @property
    def takes_text(self) -> bool:
        return self._kind == "text"

    def text_delta(self, text: str) -> bytes:
        """The event of a text delta while a text part is open."""
        self._pieces.append(text)
        events = self.events
        number = events.number
        events.number = number + 1
        return _TEXT_TAIL % (self._head, orjson.dumps(text), number)

    def add_text(self, text: str) -> bytes:
        self._open_part("text")
        self.events.put(self.text_delta(text))
        return self.events.take()

    def add_refusal(self, text: str) -> bytes:
        self._open_part("refusal")
        self._pieces.append(text)
        self.events.put(_TAIL % (self._head, orjson.dumps(text), self.events.next_number()))
        return self.events.take()

    def add_citation(self, citation: Citation) -> bytes:
        self._open_part("text")
        note = render_citation(citation)
        place = self._place | {"content_index": len(self._content), "annotation_index": len(self._notes)}
        self._notes.append(note)
        self.events.add("response.output_text.annotation.added", place | {"annotation": note})
        return self.events.take()

    def _open_part(self, kind: str) -> None:
        if self._kind == kind:
            return
        self._close_part()
        self._kind = kind
        place = self._place | {"content_index": len(self._content)}
        part = text_part("", []) if kind == "text" else refusal_part(Refusal(""))
        self.events.add("response.content_part.added", place | {"part": part})
        word = "response.output_text.delta" if kind == "text" else "response.refusal.delta"
        self._head = _delta_head(word, place)

    def _close_part(self) -> None:
        if not self._kind:
            return
        place = self._place | {"content_index": len(self._content)}
        whole = "".join(self._pieces)
        if self._kind == "text":
            part = text_part(whole, self._notes)
            self.events.add("response.output_text.done", place | {"text": whole, "logprobs": []})
        else:
            part = refusal_part(Refusal(whole))
            self.events.add("response.refusal.done", place | {"refusal": whole})
        self.events.add("response.content_part.done", place | {"part": part})
        self._content.append(part)
        self._pieces, self._notes, self._kind = [], [], ""

    def _finished(self, status: str) -> JSON:
        self._close_part()
        return message_item(self._stem, self.index, self._content, status)


class OpenThought(Item):
    """A reasoning item with at most one summary part."""

    def __init__(self, events: Events, stem: str, index: int) -> None:
        super().__init__(events, index)
        self._stem = stem
        self._thought = Thinking("")
        self._pieces: list[str] = []
        place: JSON = {"item_id": f"rs_{stem}_{index}", "output_index": index, "summary_index": 0}
        self._place = place
        self._head = _delta_head("response.reasoning_summary_text.delta", place)
        self._added(reasoning_item(stem, index, Thinking("")))

    def add_text(self, text: str) -> bytes:
        if not self._pieces:
            part = {"type": "summary_text", "text": ""}
            self.events.add("response.reasoning_summary_part.added", self._place | {"part": part})
        self._pieces.append(text)
        self.events.put(_TAIL % (self._head, orjson.dumps(text), self.events.next_number()))
        return self.events.take()

    def seal(self, thought: Thinking) -> None:
        """Who signed the thought, and how."""
        self._thought = thought

    def _finished(self, status: str) -> JSON:
        text = "".join(self._pieces)
        if self._pieces:
            part = {"type": "summary_text", "text": text}
            self.events.add("response.reasoning_summary_text.done", self._place | {"text": text})
            self.events.add("response.reasoning_summary_part.done", self._place | {"part": part})
        self._thought.text = text
        return reasoning_item(self._stem, self.index, self._thought)


class OpenCall(Item):
    """A tool call. The input of a custom tool is told at once: it is inside the function's arguments."""

    def __init__(
        self, events: Events, stem: str, index: int, call_id: str, name: str, offered: Mapping[str, Offered]
    ) -> None:
        super().__init__(events, index)
        self._stem = stem
        self._call = ToolCall(call_id, name, "")
        self._offered = offered
        self._is_custom = name in offered and offered[name].is_custom
        self._pieces: list[str] = []
        item = self._item("", "in_progress")
        self._place: JSON = {"item_id": item["id"], "output_index": index}
        self._head = _delta_head("response.function_call_arguments.delta", self._place)
        self._added(item)

    def delta(self, fragment: str) -> bytes:
        self._pieces.append(fragment)
        if self._is_custom:
            return b""
        return _TAIL % (self._head, orjson.dumps(fragment), self.events.next_number())

    def _item(self, arguments: str, status: str) -> JSON:
        self._call.arguments = arguments
        item: dict[str, Any] = call_item(self._call, self._stem, self.index, self._offered, status)
        if not arguments and not self._is_custom:
            item["arguments"] = ""
        return item

    def _finished(self, status: str) -> JSON:
        arguments = "".join(self._pieces) or "{}"
        item = self._item(arguments, status)
        if self._is_custom:
            kind = "response.custom_tool_call_input"
            self.events.add(f"{kind}.delta", self._place | {"delta": item["input"]})
            self.events.add(f"{kind}.done", self._place | {"input": item["input"]})
        else:
            kind = "response.function_call_arguments"
            if not self._pieces:
                self.events.put(_TAIL % (self._head, b'"{}"', self.events.next_number()))
            self.events.add(f"{kind}.done", self._place | {"name": item["name"], "arguments": arguments})
        return item
