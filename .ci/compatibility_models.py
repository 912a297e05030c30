"""What each generation of Claude is sent of a call in another format, found by building it for each."""

from collections.abc import Callable
from typing import Any

import orjson
from compatibility_features import PLAIN, USER, chat_tool

from gateway_project.errors import BadRequest
from proxy_app.formats import exchange
from proxy_app.wire import JSON, NOWHERE, Target

#: A model of each generation that differs, the newest first, and which it stands for.
GENERATIONS = {
    "claude-fable-5-2": "Fable, Mythos",
    "claude-opus-5-5": "Opus 5.5",
    "claude-sonnet-5-5": "Sonnet 5.5",
    "claude-haiku-5-5": "Haiku 5.5",
    "claude-opus-5": "4.7 to 5",
    "claude-sonnet-4-6": "4.6",
    "claude-haiku-4-5": "4.5",
    "claude-opus-4-1": "4.1",
    "claude-sonnet-4": "3.7, 4",
    "claude-3-5-haiku": "older",
}
_SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": PLAIN}}
_FORCED: JSON = {"tools": [chat_tool(PLAIN)], "tool_choice": "required"}


def _sampling(body: JSON) -> str:
    names = [name for name in ("temperature", "top_p", "top_k") if name in body]
    return ", ".join(f"`{name}`" for name in names) or "–"


def _thinking(body: JSON) -> str:
    kind = body.get("thinking", {}).get("type")
    effort = body.get("output_config", {}).get("effort")
    words = [f"`{kind}`" if kind else "", f"effort `{effort}`" if effort else ""]
    return ", ".join(filter(None, words)) or "–"


def _choice(body: JSON) -> str:
    return "left to the model" if body["tool_choice"]["type"] == "auto" else "✓"


ROWS: tuple[tuple[str, JSON, Callable[[JSON], str]], ...] = (
    ("`temperature` and `top_p`", {"temperature": 0.5, "top_p": 0.5}, _sampling),
    ("The same while it thinks", {"temperature": 0.5, "top_p": 0.5, "reasoning_effort": "low"}, _sampling),
    ("Effort `high`", {"reasoning_effort": "high"}, _thinking),
    ("Effort `xhigh`", {"reasoning_effort": "xhigh"}, _thinking),
    ("Effort `none`", {"reasoning_effort": "none"}, _thinking),
    ("A tool forced", _FORCED, _choice),
    ("A tool forced, effort `high`", {**_FORCED, "reasoning_effort": "high"}, _thinking),
    ("Beginning of the answer", {"messages": [USER, {"role": "assistant", "content": "a"}]}, lambda _: "✓"),
    ("JSON by a schema", {"response_format": _SCHEMA}, lambda body: "in words" if "system" in body else "✓"),
)


def claude_table() -> str:
    """A column for each generation, a row for what depends on it; * where the header tells."""
    lines = [
        "## What depends on the model of Claude",
        "",
        "| | " + " | ".join(GENERATIONS.values()) + " |",
        "|---|" + "---|" * len(GENERATIONS),
    ]
    for name, asked, read in ROWS:
        lines.append(f"| {name} | " + " | ".join(_cell(model, asked, read) for model in GENERATIONS) + " |")
    return "\n".join(lines)


def _cell(model: str, asked: JSON, read: Callable[[JSON], str]) -> str:
    body: dict[str, Any] = {"model": "m", "messages": [USER], **asked}
    facts = exchange.read_call("openai_chat", body, NOWHERE)
    raw = orjson.dumps(body)
    try:
        outgoing = exchange.build_outgoing("openai_chat", Target("anthropic", model), raw, body, facts)
    except BadRequest:
        return "✗"
    return read(orjson.loads(bytes(outgoing.body))) + (" *" if outgoing.dropped else "")
