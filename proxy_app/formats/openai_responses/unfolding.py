"""A whole answer of Responses as the stream that says the same, with every field that it has."""

from proxy_app.formats.openai_responses.open_items import Events
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.wire import JSON

#: What is known only at the end: null till then, and no usage at all.
_OF_THE_END = ("incomplete_details", "completed_at")
#: Type of a part -> how its events begin, and the field that grows.
_PARTS = {
    "output_text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "reasoning_text": ("response.reasoning_text", "text"),
    "summary_text": ("response.reasoning_summary_text", "text"),
}
#: Type of an item -> the same, where it is one text itself.
_ITEMS = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
    "mcp_call": ("response.mcp_call_arguments", "arguments"),
}


def unfolded(body: JSON) -> bytes:
    """The events, the terminal one included. The answer has ended, and not failed."""
    events = Events()
    begun = {name: None if name in _OF_THE_END else value for name, value in body.items() if name != "usage"}
    begun |= {"status": "in_progress", "output": []}
    for kind in ("response.created", "response.in_progress"):
        events.add(kind, {"response": begun})
    for index, item in enumerate(map(as_object, as_list(body.get("output")))):
        _tell(events, item, index)
    is_incomplete = body.get("status") == "incomplete"
    events.add("response.incomplete" if is_incomplete else "response.completed", {"response": body})
    return events.take()


def _tell(events: Events, item: JSON, index: int) -> None:
    kind = as_text(item.get("type"))
    place: JSON = {"item_id": as_text(item.get("id")), "output_index": index}
    begun = item | ({"status": "in_progress"} if "status" in item else {})
    has_parts = kind in ("message", "reasoning")
    if has_parts:
        begun |= {name: [] for name in ("content", "summary") if item.get(name)}
    word, field = _ITEMS.get(kind, ("", ""))
    if word:
        begun[field] = ""
    events.add("response.output_item.added", {"output_index": index, "item": begun})
    if word:
        told = as_text(item.get(field))
        name = {"name": item["name"]} if kind == "function_call" and "name" in item else {}
        events.add(f"{word}.delta", place | {"delta": told})
        events.add(f"{word}.done", place | name | {field: told})
    elif has_parts:
        _tell_parts(events, item, place)
    events.add("response.output_item.done", {"output_index": index, "item": item})


def _tell_parts(events: Events, item: JSON, place: JSON) -> None:
    for number, part in enumerate(map(as_object, as_list(item.get("summary")))):
        _tell_part(events, part, place | {"summary_index": number}, "response.reasoning_summary_part")
    for number, part in enumerate(map(as_object, as_list(item.get("content")))):
        _tell_part(events, part, place | {"content_index": number}, "response.content_part")


def _tell_part(events: Events, part: JSON, place: JSON, around: str) -> None:
    """One part between the two events that are `around` it; one of a kind that does not grow begins whole."""
    word, field = _PARTS.get(as_text(part.get("type")), ("", ""))
    begun = part | {field: ""} if word else part
    if notes := as_list(part.get("annotations")):
        begun = begun | {"annotations": []}
    events.add(f"{around}.added", place | {"part": begun})
    if word:
        text = as_text(part.get(field))
        more = {"logprobs": as_list(part.get("logprobs"))} if field == "text" and "logprobs" in part else {}
        events.add(f"{word}.delta", place | {"delta": text} | more)
        for number, note in enumerate(notes):
            where = place | {"annotation_index": number, "annotation": note}
            events.add("response.output_text.annotation.added", where)
        events.add(f"{word}.done", place | {field: text} | more)
    events.add(f"{around}.done", place | {"part": part})
