"""A whole answer of Chat Completions as the stream that says the same, with every field that it has."""

from collections.abc import Iterator

import orjson

from proxy_app.formats.reading import as_list, as_object
from proxy_app.sse import encode
from proxy_app.wire import JSON

_NOT_SHARED = frozenset({"object", "choices", "usage"})


def unfolded(body: JSON, *, wants_usage: bool) -> bytes:
    """The chunks, without the terminator."""
    shared = {name: value for name, value in body.items() if name not in _NOT_SHARED}
    shared["object"] = "chat.completion.chunk"
    chunks = [shared | {"choices": [choice]} for choice in _choices(body)]
    if wants_usage and body.get("usage"):
        chunks.append(shared | {"choices": [], "usage": body["usage"]})
    return b"".join([encode(orjson.dumps(chunk)) for chunk in chunks])


def _choices(body: JSON) -> Iterator[JSON]:
    """What each says, and then why it ended."""
    for place, choice in enumerate(map(as_object, as_list(body.get("choices")))):
        said = {name: value for name, value in choice.items() if name != "message"}
        said["index"] = choice.get("index", place)
        delta = as_object(choice.get("message"))
        if calls := as_list(delta.get("tool_calls")):
            numbered = [{"index": number, **as_object(call)} for number, call in enumerate(calls)]
            delta = delta | {"tool_calls": numbered}
        yield said | {"delta": delta, "finish_reason": None}
        yield {"index": said["index"], "delta": {}, "finish_reason": choice.get("finish_reason")}
