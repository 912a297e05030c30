"""Names of tools and ids of their calls between formats: what a provider does not take is called otherwise.

A caller of one format may name a tool `files.read`, or `2nd`, or in 100 letters, where another takes none of
these; the new name tells which it stands for, and the caller gets its own back. An id is in no answer, so it
is only changed. The same name or id is changed in the same way in every turn. Pure.
"""

import hashlib
import re
from dataclasses import replace
from typing import Final

from proxy_app.formats.contract import UpstreamFormat
from proxy_app.wire import Conversation, Part, Target, ToolCall, ToolChoice, ToolResult, Turn

_OTHER = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 40  # characters of the old name that the new one begins with
#: What servers with `short_call_ids` take.
SHORT_ID: Final = re.compile(r"[a-zA-Z0-9]{9}")


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


def call_ids(upstream: UpstreamFormat, target: Target) -> re.Pattern[str]:
    """The ids of tool calls that a provider takes."""
    return SHORT_ID if target.quirks.get("short_call_ids") else upstream.call_id


def rename_calls(conversation: Conversation, legal: re.Pattern[str]) -> None:
    """Gives every call whose id `legal` does not match whole, and its result, another id."""
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                part.id = _legal_id(part.id, legal)
            elif isinstance(part, ToolResult):
                part.call_id = _legal_id(part.call_id, legal)


def _legal_id(call_id: str, legal: re.Pattern[str]) -> str:
    if legal.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode()).hexdigest()
    return digest[:9] if legal is SHORT_ID else f"call_{digest[:24]}"


def made_up_id(answer_id: str, place: int) -> str:
    """The id of a call whose provider gave it none, unlike that of every other answer's calls: `answer_id` is
    the gateway's own name of the answer, `place` counts its calls."""
    return f"call_{answer_id.replace('-', '')[-32:]}_{place}"


def part_repeated_calls(turns: list[Turn]) -> None:
    """Gives a call whose id an earlier one has, and its result, an id of its own: some providers number
    their calls anew in every answer, and others take no id twice. A result belongs to the turn before it;
    of several calls with one id the first without a result has it."""
    calls = [part for turn in turns for part in turn.parts if isinstance(part, ToolCall)]
    if len({call.id for call in calls}) == len(calls):
        return
    taken = {call.id for call in calls}
    used: set[str] = set()
    waiting: dict[str, list[str]] = {}
    for turn in turns:
        if any(isinstance(part, ToolCall) for part in turn.parts):
            waiting = {}
        for position, part in enumerate(turn.parts):
            if isinstance(part, ToolCall):
                new = part.id if part.id not in used else _another_id(part.id, taken)
                waiting.setdefault(part.id, []).append(new)
                used.add(part.id)
                taken.add(new)
                turn.parts[position] = replace(part, id=new)
            elif isinstance(part, ToolResult) and (ids := waiting.get(part.call_id)):
                turn.parts[position] = replace(part, call_id=ids.pop(0) if len(ids) > 1 else ids[0])


def _another_id(call_id: str, taken: set[str]) -> str:
    number = 2
    while (new := f"{call_id[:50]}_{number}") in taken:
        number += 1
    return new
