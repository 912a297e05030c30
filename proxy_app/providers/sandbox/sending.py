"""Sends a composed answer, whole or as a stream, at the model's pace and with its fault."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from itertools import zip_longest
from typing import Any

import orjson

from proxy_app.providers.sandbox.composing import Call, Choice, Composition
from proxy_app.providers.sandbox.models import STALL_S, Behaviour
from proxy_app.providers.sandbox.prose import pieces
from proxy_app.providers.sandbox.reading import Ask, count_tokens
from proxy_app.providers.sandbox.reply import SandboxCut, scripted_error

JSON = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]

#: Shorter waits than this are added up: a loop's timer is no finer.
SHORTEST_WAIT_S = 0.004


def plain_body(ask: Ask, made: Composition, created: int) -> bytes:
    return orjson.dumps(
        {
            "id": made.id,
            "object": "chat.completion",
            "created": created,
            "model": ask.model,
            "choices": [_plain_choice(choice) for choice in made.choices],
            "usage": made.usage,
            "system_fingerprint": "sandbox",
        }
    )


def _plain_choice(choice: Choice) -> JSON:
    message: JSON = {
        "role": "assistant",
        "content": choice.text or (None if choice.calls else ""),
        "refusal": None,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.calls:
        message["tool_calls"] = [_plain_call(call) for call in choice.calls]
    return {"index": choice.index, "message": message, "logprobs": None, "finish_reason": choice.finish}


def _plain_call(call: Call) -> JSON:
    words = "input" if call.kind == "custom" else "arguments"
    return {"id": call.id, "type": call.kind, call.kind: {"name": call.name, words: call.arguments}}


def plain_wait_s(made: Composition, behaviour: Behaviour) -> float:
    """How long a whole answer takes to be written at the model's pace."""
    if behaviour.tokens_per_s is None or not behaviour.waits_when_plain:
        return 0.0
    slowest = max(choice.tokens for choice in made.choices)
    return behaviour.first_token_s + slowest / behaviour.tokens_per_s


async def plain_chunks(raw: bytes, behaviour: Behaviour, sleep: Sleep) -> AsyncGenerator[bytes, None]:
    """The body in two halves, so that a fault has a middle to happen in."""
    half = len(raw) // 2
    if behaviour.fault == "bad_json":
        yield raw[:half] + b'"}}' + raw[half + 3 :]
        return
    yield raw[:half]
    if behaviour.fault == "cut":
        raise SandboxCut("The sandbox cut the connection, as its model's name says.")
    if behaviour.fault == "stall_midway":
        await sleep(STALL_S)
    yield raw[half:]


async def stream_chunks(
    ask: Ask, made: Composition, behaviour: Behaviour, created: int, sleep: Sleep
) -> AsyncGenerator[bytes, None]:
    head: JSON = {
        "id": made.id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": ask.model,
        "system_fingerprint": "sandbox",
    }
    if ask.include_usage:
        head["usage"] = None
    for choice in made.choices:
        yield _event(head, choice.index, {"role": "assistant", "content": ""})
    await _wait_for_first(behaviour, sleep)
    if behaviour.fault == "bad_json":
        yield b'data: {"id":"chatcmpl-sandbox","choices":[{"delta":{"content":\n\n'
        return
    steps = list(_interleaved(made.choices))
    middle = math.ceil(len(steps) / 2)
    owed_s = 0.0
    for position, (index, delta, tokens) in enumerate(steps):
        if position == middle and behaviour.fault in ("cut", "stall_midway", "error_midway"):
            if behaviour.fault == "error_midway":
                yield b"data: " + orjson.dumps(scripted_error(500).body()) + b"\n\n"
            if behaviour.fault != "stall_midway":
                return
            await sleep(STALL_S)
        yield _event(head, index, delta)
        owed_s += tokens / behaviour.tokens_per_s if behaviour.tokens_per_s else 0.0
        if owed_s >= SHORTEST_WAIT_S:
            await sleep(owed_s)
            owed_s = 0.0
    for chunk in _ending(head, made, ask.include_usage):
        yield chunk


async def _wait_for_first(behaviour: Behaviour, sleep: Sleep) -> None:
    if behaviour.fault == "stall":
        await sleep(STALL_S)
    elif behaviour.first_token_s:
        await sleep(behaviour.first_token_s)


def _ending(head: JSON, made: Composition, include_usage: bool) -> Iterator[bytes]:
    for choice in made.choices:
        yield _event(head, choice.index, {}, choice.finish)
    if include_usage:
        yield b"data: " + orjson.dumps(head | {"choices": [], "usage": made.usage}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _event(head: JSON, index: int, delta: JSON, finish: str | None = None) -> bytes:
    choices = [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return b"data: " + orjson.dumps(head | {"choices": choices}) + b"\n\n"


def _interleaved(choices: tuple[Choice, ...]) -> Iterator[tuple[int, JSON, int]]:
    """The content deltas of all choices in turn: (choice, delta, tokens)."""
    for row in zip_longest(*(_deltas(choice) for choice in choices)):
        for choice, step in zip(choices, row, strict=True):
            if step is not None:
                yield choice.index, *step


def _deltas(choice: Choice) -> Iterator[tuple[JSON, int]]:
    for piece in pieces(choice.reasoning):
        yield {"reasoning_content": piece}, count_tokens(piece)
    for piece in pieces(choice.text):
        yield {"content": piece}, count_tokens(piece)
    for position, call in enumerate(choice.calls):
        words = "input" if call.kind == "custom" else "arguments"
        start = {"name": call.name, words: ""}
        yield {"tool_calls": [{"index": position, "id": call.id, "type": call.kind, call.kind: start}]}, 1
        for at in range(0, len(call.arguments), 12):
            fragment = call.arguments[at : at + 12]
            more = {"index": position, call.kind: {words: fragment}}
            yield {"tool_calls": [more]}, count_tokens(fragment)
