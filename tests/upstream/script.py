"""What the mock answers: one script for one prompt, the same for every provider.

A script is chosen by the first word of the last user text, e.g. `hello`, `tools:3`, `json`; where an agent
puts words of its own around the user's, by the first after `Follow the script: `. `calls [["name", {…}], …]`
makes just these calls.
"""

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

HELLO = "Hello! 안녕하세요, naïve café 👋 — here is a scripted answer, always the same one."
THOUGHTS = "First I look at the question. Then I weigh 두 가지 possibilities. Now I know."
ANSWER_AFTER_THOUGHT = "The answer is 42, after some thought."
NO_TOOLS = "I was offered no tools."
REFUSAL = "I cannot help with that."
CUE = "Follow the script: "
SIGNATURE = "c2lnbmVkLWJ5LXRoZS1tb2Nr"
CITIES = ("Seoul", "São Paulo", "Zürich", "Nairobi", "Oslo")
FORECAST = {"city": "Seoul", "temperature": 21.5, "rainy": False, "days": ["Mon", "Tue"], "note": "☂ 없음"}

#: Schemas that the scripted arguments and the scripted JSON answer fit.
TOOL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
FORECAST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "temperature": {"type": "number"},
        "rainy": {"type": "boolean"},
        "days": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string"},
    },
    "required": ["city", "temperature", "rainy", "days", "note"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Asked:
    """A request as the mock understood it, whatever its format."""

    model: str
    last_text: str = ""
    system: str = ""
    tool_results: tuple[str, ...] = ()
    images: int = 0
    tools: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    tools_off: bool = False
    one_call: bool = False
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = True
    output_format: Any = None  # as Responses answers it back


@dataclass(frozen=True)
class ScriptedCall:
    name: str
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class ScriptedUsage:
    """Input includes cache reads and writes, output includes reasoning."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True)
class Script:
    """`finish` is one of stop, stop_sequence, length, tool_calls, refusal, blocked."""

    text: str = ""
    thinking: str = ""
    calls: tuple[ScriptedCall, ...] = ()
    refusal: str = ""
    finish: str = "stop"
    stop_sequence: str | None = None
    usage: ScriptedUsage = field(default_factory=lambda: ScriptedUsage(0, 0, 0, 0, 0))


def script_for(asked: Asked) -> Script:
    return _counted(asked, _shortened(asked, _written(asked)))


def pieces(text: str) -> list[str]:
    """Words with the space before them: what the mock calls a token."""
    return re.findall(r"\s*\S+|\s+$", text)


def _written(asked: Asked) -> Script:
    text = asked.last_text.partition(CUE)[2] or asked.last_text
    name, _, number = (text.split() or [""])[0].lower().partition(":")
    count = int(number) if number.isdigit() else 1
    if asked.tool_results:
        return Script(text=f"The tools said: {' | '.join(asked.tool_results)}.")
    if name in ("calls", "think-calls"):
        return _dictated_script(asked, name, text[text.index("[") :])
    if name in ("tool", "tools", "think-tools", "talk-tools"):
        return _tool_script(asked, name, count)
    if asked.forced:
        return _tool_script(asked, name, 1)
    if name == "json":
        return Script(text=json.dumps(FORECAST, ensure_ascii=False))
    if name == "think":
        return Script(text=ANSWER_AFTER_THOUGHT, thinking=THOUGHTS)
    if name == "long":
        return Script(text=" ".join(f"word{position}" for position in range(count if number else 200)))
    if name == "image":
        return Script(text=f"I see {asked.images} images in what you sent.")
    if name == "system":
        return Script(text=f"My instructions are: {asked.system or 'none'}.")
    if name == "length":
        return Script(text="This answer ran out of", finish="length")
    if name == "refuse":
        return Script(refusal=REFUSAL, finish="refusal")
    if name == "blocked":
        return Script(refusal=REFUSAL, finish="blocked")
    if name == "empty":
        return Script()
    return Script(text=HELLO)


def _tool_script(asked: Asked, name: str, count: int) -> Script:
    if asked.tools_off or not asked.tools:
        return Script(text=NO_TOOLS)
    offered = asked.forced or asked.tools
    calls = tuple(
        ScriptedCall(offered[position % len(offered)], {"city": CITIES[position % 5], "unit": "celsius"})
        for position in range(1 if asked.one_call else count)
    )
    return Script(
        text="Let me look that up." if name == "talk-tools" else "",
        thinking=THOUGHTS if name == "think-tools" else "",
        calls=calls,
        finish="tool_calls",
    )


def _dictated_script(asked: Asked, name: str, text: str) -> Script:
    """The calls that the text tells as JSON, of tools that were offered."""
    told, _ = json.JSONDecoder().raw_decode(text)
    calls = tuple(ScriptedCall(tool, arguments) for tool, arguments in told if tool in asked.tools)
    if len(calls) < len(told):
        return Script(text=NO_TOOLS)
    return Script(calls=calls, thinking=THOUGHTS if name == "think-calls" else "", finish="tool_calls")


def _shortened(asked: Asked, script: Script) -> Script:
    found = [(at, stop) for stop in asked.stop if (at := script.text.find(stop)) >= 0]
    if found:
        at, stop = min(found)
        script = replace(script, text=script.text[:at], finish="stop_sequence", stop_sequence=stop)
    words = pieces(script.text)
    if asked.max_tokens is not None and len(words) > asked.max_tokens and not script.calls:
        script = replace(script, text="".join(words[: asked.max_tokens]), finish="length", stop_sequence=None)
    return script


def _counted(asked: Asked, script: Script) -> Script:
    """Fixed counts with every detail set, so that a detail lost on the way shows."""
    reasoning = len(pieces(script.thinking))
    output = len(pieces(script.text)) + len(pieces(script.refusal)) + 7 * len(script.calls) + reasoning
    large = asked.last_text.lower().startswith("cached")
    return replace(
        script,
        usage=ScriptedUsage(
            input_tokens=2000 if large else 120,
            cache_read_tokens=1200 if large else 32,
            cache_write_tokens=300 if large else 8,
            output_tokens=output,
            reasoning_tokens=reasoning,
        ),
    )
