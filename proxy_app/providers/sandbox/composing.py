"""Decides the whole answer to an `Ask` before a byte is sent: text, calls, finish and usage."""

from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from proxy_app.providers.sandbox import prose
from proxy_app.providers.sandbox.models import Behaviour
from proxy_app.providers.sandbox.reading import Ask, ToolOffer, count_tokens
from proxy_app.providers.sandbox.reply import Refused, digest
from proxy_app.providers.sandbox.schemas import NoFiniteValue, SchemaMaker

JSON = dict[str, Any]
ALL_TOOLS_PHRASE = "all tools"


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    name: str
    kind: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Choice:
    index: int
    reasoning: str
    text: str
    calls: tuple[Call, ...]
    finish: str

    @property
    def tokens(self) -> int:
        return count_tokens(self.reasoning) + count_tokens(self.text) + _call_tokens(self.calls)


@dataclass(frozen=True, slots=True)
class Composition:
    id: str
    choices: tuple[Choice, ...]
    usage: JSON


def compose(ask: Ask, behaviour: Behaviour) -> Composition:
    choices = tuple(_choice(ask, behaviour, index) for index in range(ask.choices))
    output_tokens = sum(choice.tokens for choice in choices)
    reasoning_tokens = sum(count_tokens(choice.reasoning) for choice in choices)
    usage = {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": ask.prompt_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": ask.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
    }
    return Composition(f"chatcmpl-sandbox-{digest(ask.model, ask.seed)[:24]}", choices, usage)


def _choice(ask: Ask, behaviour: Behaviour, index: int) -> Choice:
    random = Random(digest(ask.seed, index))
    reasoning = prose.thoughts(random) if behaviour.reasons else ""
    calls = _calls(ask, behaviour, index)
    text = "" if calls else _text(ask, behaviour, index, random)
    finish = "tool_calls" if calls else "stop"
    ends = [position for stop in ask.stop if (position := text.find(stop)) >= 0]
    if ends:
        text = text[: min(ends)]
    choice = Choice(index, reasoning, text, calls, finish)
    if ask.max_tokens is not None and choice.tokens > ask.max_tokens:
        return _clipped(choice, ask.max_tokens)
    return choice


def _text(ask: Ask, behaviour: Behaviour, index: int, random: Random) -> str:
    if ask.output == "schema":
        return orjson.dumps(_valid_value(ask.schema, digest(ask.seed, index), ask)).decode()
    if ask.output == "json":
        return orjson.dumps(
            {"sandbox": True, "asked": prose.quoted(ask.last_text), "answer": "A made-up answer in JSON."}
        ).decode()
    if ask.tool_results:
        return prose.tools_text(ask.tool_results)
    return prose.answer_text(ask.last_text, ask.images, behaviour.answer_tokens, random)


def _calls(ask: Ask, behaviour: Behaviour, index: int) -> tuple[Call, ...]:
    """With results at hand an automatic choice answers in words; a demanded call is always made."""
    if not ask.tools or ask.tool_mode == "none" or (ask.tool_mode == "auto" and ask.tool_results):
        return ()
    wants_all = behaviour.calls_every_tool or ALL_TOOLS_PHRASE in ask.last_text.lower()
    if wants_all and ask.parallel_tools:
        chosen = ask.tools
    else:
        chosen = (next((tool for tool in ask.tools if tool.name in ask.last_text), ask.tools[0]),)
    return tuple(_call(tool, ask, digest(ask.seed, index, position)) for position, tool in enumerate(chosen))


def _call(tool: ToolOffer, ask: Ask, seed: str) -> Call:
    if tool.kind == "custom":
        arguments = prose.quoted(ask.last_text)
    else:
        schema = {"type": "object"} | tool.schema
        arguments = orjson.dumps(_valid_value(schema, seed, ask)).decode()
    return Call(f"call_{seed[:24]}", tool.name, tool.kind, arguments)


def _valid_value(schema: JSON, seed: str, ask: Ask) -> Any:
    try:
        return SchemaMaker(schema, seed, prose.quoted(ask.last_text)).value()
    except (NoFiniteValue, RecursionError) as error:
        raise Refused(400, "The schema has no finite value.", code="invalid_schema") from error


def _call_tokens(calls: tuple[Call, ...]) -> int:
    return sum(count_tokens(call.name) + count_tokens(call.arguments) for call in calls)


def _clipped(choice: Choice, most: int) -> Choice:
    """The choice cut to `most` tokens, as a model that ran out of them leaves it."""
    reasoning = _cut(choice.reasoning, most)
    left = most - count_tokens(reasoning)
    text = _cut(choice.text, left)
    left -= count_tokens(text)
    calls: list[Call] = []
    for call in choice.calls:
        left -= count_tokens(call.name)
        if left < 0:
            break
        calls.append(Call(call.id, call.name, call.kind, _cut(call.arguments, left)))
        left -= count_tokens(calls[-1].arguments)
    return Choice(choice.index, reasoning, text, tuple(calls), "length")


def _cut(text: str, tokens: int) -> str:
    return text.encode()[: tokens * 4].decode(errors="ignore")
