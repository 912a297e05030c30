"""A whole message of Anthropic's as the stream that says the same, with every field that it has."""

from collections.abc import Iterator

import orjson

from proxy_app.formats.anthropic.usage import OF_DELTA
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.sse import encode
from proxy_app.wire import JSON

#: What is known only at the end: a message begins with it empty.
_OF_THE_END = ("stop_reason", "stop_sequence", "stop_details")
#: Type of a block -> its fields that come in deltas: the type of the delta, and the field in it.
_TEXTS = {
    "text": {"text": ("text_delta", "text")},
    "thinking": {"thinking": ("thinking_delta", "thinking"), "signature": ("signature_delta", "signature")},
}


def unfolded(body: JSON) -> bytes:
    """The events, `message_stop` included."""
    return b"".join([encode(orjson.dumps(event), event["type"]) for event in _events(body)])


def _events(body: JSON) -> Iterator[JSON]:
    empty = {name: None for name in _OF_THE_END if name in body}
    yield {"type": "message_start", "message": body | empty | {"content": []}}
    for index, block in enumerate(map(as_object, as_list(body.get("content")))):
        begun, deltas = _in_pieces(block)
        yield {"type": "content_block_start", "index": index, "content_block": begun}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    usage = as_object(body.get("usage"))
    ended: JSON = {
        "type": "message_delta",
        "delta": {name: body[name] for name in (*_OF_THE_END, "container") if name in body},
        "usage": {name: usage[name] for name in OF_DELTA if name in usage},
    }
    if "context_management" in body:
        ended["context_management"] = body["context_management"]
    yield ended
    yield {"type": "message_stop"}


def _in_pieces(block: JSON) -> tuple[JSON, list[JSON]]:
    """(a block as it begins, what it grows by); one of a kind that does not grow begins whole."""
    begun, deltas = {**block}, []
    for name, (kind, field) in _TEXTS.get(as_text(block.get("type")), {}).items():
        if text := as_text(block.get(name)):
            begun[name] = ""
            deltas.append({"type": kind, field: text})
    if cited := as_list(block.get("citations")):
        begun["citations"] = []
        deltas += [{"type": "citations_delta", "citation": citation} for citation in cited]
    if isinstance(given := block.get("input"), dict):
        begun["input"] = {}
        deltas.append({"type": "input_json_delta", "partial_json": orjson.dumps(given).decode()})
    return begun, deltas
