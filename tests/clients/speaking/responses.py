"""Responses by the `openai` SDK. Nothing is stored, so every turn is sent again, sealed thoughts included."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import openai

from tests.clients.speaking.chat import connect
from tests.clients.speaking.contract import Assistant, Media, Said, Speaker, Turn, User, Wish
from tests.upstream.script import TOOL_SCHEMA


def _part(part: str | Media) -> Any:
    if isinstance(part, str):
        return {"type": "input_text", "text": part}
    match part.kind:
        case "image":
            return {"type": "input_image", "image_url": part.url, "detail": "auto"}
        case "pdf":
            return {"type": "input_file", "file_data": part.url, "filename": "a.pdf"}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": "wav"}}


def _items(turns: Sequence[Turn]) -> list[Any]:
    made: list[Any] = []
    for turn in turns:
        if isinstance(turn, User):
            made.append({"role": "user", "content": [_part(part) for part in turn.parts]})
        elif isinstance(turn, Assistant):
            made += turn.said.back
        else:
            for call_id, parts in zip(turn.said.ids, turn.contents, strict=True):
                output = [_part(part) for part in parts]
                made.append({"type": "function_call_output", "call_id": call_id, "output": output})
    return made


def _choice(choice: str | tuple[str, ...]) -> Any:
    if isinstance(choice, tuple):
        tools = [{"type": "function", "name": name} for name in choice]
        return {"type": "allowed_tools", "mode": "required", "tools": tools}
    return choice if choice in ("required", "none") else {"type": "function", "name": choice}


def _asked(model: str, turns: Sequence[Turn], wish: Wish) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": model, "input": _items(turns), "store": False}
    if wish.system:
        asked["instructions"] = wish.system
    if wish.tools:
        functions = [{"name": name, "parameters": TOOL_SCHEMA, "strict": True} for name in wish.tools]
        asked["tools"] = [{"type": "function", **function} for function in functions]
    if wish.choice:
        asked["tool_choice"] = _choice(wish.choice)
    if wish.one_call:
        asked["parallel_tool_calls"] = False
    if wish.limit is not None:
        asked["max_output_tokens"] = wish.limit
    if wish.think:
        asked |= {"reasoning": {"effort": "high", "summary": "auto"}}
        asked["include"] = ["reasoning.encrypted_content"]
    if wish.schema is not None:
        asked["text_format"] = wish.schema
    return asked


async def say(client: Any, model: str, turns: Sequence[Turn], wish: Wish, stream: bool) -> Said:
    asked = _asked(model, turns, wish)
    if stream:
        # What the helper ends with is the last event: it knows no final answer of an incomplete one.
        async with client.responses.stream(**asked) as events:
            told = [event async for event in events]
        answer = told[-1].response
        assert [event.sequence_number for event in told if hasattr(event, "sequence_number")] == sorted(
            event.sequence_number for event in told if hasattr(event, "sequence_number")
        )
    else:
        ask = client.responses.parse if wish.schema else client.responses.create
        answer = await ask(**asked)
    parts = [part for item in answer.output if item.type == "message" for part in item.content]
    calls = [item for item in answer.output if item.type == "function_call"]
    thoughts = [item for item in answer.output if item.type == "reasoning"]
    reason, usage = answer.incomplete_details and answer.incomplete_details.reason, answer.usage
    return Said(
        text="".join(part.text for part in parts if part.type == "output_text"),
        thoughts="".join(piece.text for item in thoughts for piece in item.summary),
        refusal="".join(part.refusal for part in parts if part.type == "refusal"),
        calls=[(item.name, json.loads(item.arguments)) for item in calls],
        finish=f"{answer.status}:{reason}" if reason else answer.status,
        usage=usage
        and (
            usage.input_tokens,
            usage.input_tokens_details.cached_tokens,
            usage.output_tokens,
            usage.output_tokens_details.reasoning_tokens,
        ),
        parsed=getattr(answer, "output_parsed", None),
        ids=[item.call_id for item in calls],
        back=[
            item.model_dump(exclude_none=True, exclude={"parsed_arguments", "parsed"})
            for item in answer.output
        ],
    )


async def words(client: Any, model: str, text: str) -> AsyncIterator[str]:
    async for event in await client.responses.create(model=model, input=text, stream=True):
        if event.type == "response.output_text.delta":
            yield event.delta
        elif event.type in ("response.completed", "response.incomplete"):
            yield f"<{event.response.status}>"
        elif event.type == "error":  # the SDK hands it on
            raise openai.APIError(event.message, None, body=None)


SPEAKER = Speaker(
    name="responses",
    path="/v1/responses",
    connect=connect,
    close=lambda client: client.close(),
    say=say,
    words=words,
    finishes={
        "stop": "completed",
        "stop_sequence": "completed",
        "length": "incomplete:max_output_tokens",
        "tool_calls": "completed",
        "refusal": "incomplete:content_filter",
    },
    error=openai.APIError,
    status=lambda error: error.status_code,
    statuses={529: 503},
    unsayable=frozenset({"stop"}),
)
