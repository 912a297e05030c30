"""Tool names between formats: what a provider's format does not take is given another name, and back.

A caller of one format may name a tool `files.read`, or `2nd`, or in 100 letters, where another takes none of
these. The new name tells which it stands for, and the same name is the same in every turn. Pure.
"""

import hashlib
import re

from proxy_app.wire import Conversation, Part, ToolCall, ToolChoice, ToolResult

_OTHER = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 40  # characters of the old name that the new one begins with


def rename_tools(conversation: Conversation, legal: re.Pattern[str]) -> dict[str, str]:
    """Renames, wherever a tool is named in a conversation, what `legal` does not match whole; gives
    {new name: the caller's}."""
    names = {tool.name for tool in conversation.tools}
    parts = [part for turn in conversation.turns for part in turn.parts]
    names |= {part.name for part in parts if isinstance(part, ToolCall)}
    changed = {name: _legal_name(name) for name in names if not legal.fullmatch(name)}
    if not changed:
        return {}
    for tool in conversation.tools:
        tool.name = changed.get(tool.name, tool.name)
    for part in parts:
        _rename(part, changed)
    choice = conversation.tool_choice
    if choice is not None and choice.names:
        conversation.tool_choice = ToolChoice(
            choice.mode, tuple(changed.get(name, name) for name in choice.names)
        )
    return {new: old for old, new in changed.items()}


def _rename(part: Part, changed: dict[str, str]) -> None:
    if isinstance(part, ToolCall | ToolResult) and part.name:
        part.name = changed.get(part.name, part.name)


def _legal_name(name: str) -> str:
    """A name that every format takes: letters of the old one and a digest that tells it apart."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"t_{_OTHER.sub('_', name)[:_KEPT]}_{digest}"
