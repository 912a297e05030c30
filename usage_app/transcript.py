"""A stream that was kept, as one reads it: its words put together from its events. Pure.

Not a second reader of formats: it looks for words where the formats put them, and leaves the events
themselves beside what it found.
"""

import json
from collections.abc import Iterator
from typing import Any

#: Where an event of one of the formats has a piece of text, and under which heading it goes.
_PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("thoughts", ("choices", "delta", "reasoning_content")),
    ("thoughts", ("choices", "delta", "reasoning")),
    ("text", ("choices", "delta", "content")),
    ("text", ("choices", "delta", "refusal")),
    ("text", ("choices", "text")),
    ("calls", ("choices", "delta", "tool_calls", "function", "name")),
    ("calls", ("choices", "delta", "tool_calls", "function", "arguments")),
    ("thoughts", ("delta", "thinking")),
    ("text", ("delta", "text")),
    ("calls", ("content_block", "name")),
    ("calls", ("delta", "partial_json")),
    ("text", ("candidates", "content", "parts", "text")),
    ("calls", ("candidates", "content", "parts", "functionCall")),
)
#: Events of Responses say by their names what their `delta` is.
_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_text.delta": "thoughts",
    "response.reasoning_summary_text.delta": "thoughts",
    "response.function_call_arguments.delta": "calls",
}


def transcript(text: str) -> dict[str, str]:
    """`thoughts`, `text` and `calls` of a stream of events; nothing of what is none, or says nothing."""
    found: dict[str, list[str]] = {"thoughts": [], "text": [], "calls": []}
    for event in _events(text):
        kind = _DELTAS.get(str(event.get("type")))
        if kind is not None and isinstance(event.get("delta"), str):
            found[kind].append(event["delta"])
            continue
        for heading, path in _PATHS:
            found[heading] += _at(event, path)
    return {heading: "".join(pieces) for heading, pieces in found.items() if "".join(pieces)}


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("data: {"):
            try:
                event = json.loads(line[6:])
            except ValueError:  # the last one of what was cut off
                continue
            yield event


def _at(value: Any, path: tuple[str, ...]) -> list[str]:
    """The texts at a path; every item of a list is looked at."""
    if isinstance(value, list):
        return [piece for item in value for piece in _at(item, path)]
    if path:
        return _at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []
    if isinstance(value, str):
        return [value]
    return [json.dumps(value, ensure_ascii=False)] if isinstance(value, dict) else []
