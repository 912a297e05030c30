"""Chat Completions by the `openai` SDK."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import openai

from tests.clients.speaking.contract import Assistant, Media, Said, Speaker, Turn, User, Wish
from tests.upstream.script import TOOL_SCHEMA
from tests.upstream.sdks import Place, openai_client


def connect(address: str, key: str) -> Any:
    return openai_client(Place("openai", f"{address}/v1", key))


def _part(part: str | Media) -> Any:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    match part.kind:
        case "image":
            return {"type": "image_url", "image_url": {"url": part.url}}
        case "pdf":
            return {"type": "file", "file": {"file_data": part.url, "filename": "a.pdf"}}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": "wav"}}


def _messages(turns: Sequence[Turn], wish: Wish) -> list[Any]:
    made: list[Any] = [{"role": "developer", "content": wish.system}] if wish.system else []
    for turn in turns:
        if isinstance(turn, User):
            made.append({"role": "user", "content": [_part(part) for part in turn.parts]})
        elif isinstance(turn, Assistant):
            made.append(turn.said.back)
        else:
            for call_id, parts in zip(turn.said.ids, turn.contents, strict=True):
                content = [_part(part) for part in parts]
                made.append({"role": "tool", "tool_call_id": call_id, "content": content})
    return made


def _named(name: str) -> Any:
    return {"type": "function", "function": {"name": name}}


def _choice(choice: str | tuple[str, ...]) -> Any:
    if isinstance(choice, tuple):
        tools = [_named(name) for name in choice]
        return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": tools}}
    return choice if choice in ("required", "none") else _named(choice)


def _asked(model: str, turns: Sequence[Turn], wish: Wish) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": model, "messages": _messages(turns, wish)}
    if wish.tools:
        functions = [{"name": name, "parameters": TOOL_SCHEMA, "strict": True} for name in wish.tools]
        asked["tools"] = [{"type": "function", "function": function} for function in functions]
    if wish.choice:
        asked["tool_choice"] = _choice(wish.choice)
    if wish.one_call:
        asked["parallel_tool_calls"] = False
    if wish.stop:
        asked["stop"] = list(wish.stop)
    if wish.limit is not None:
        asked["max_completion_tokens"] = wish.limit
    if wish.think:
        asked["reasoning_effort"] = "high"
    if wish.schema is not None:
        asked["response_format"] = wish.schema
    return asked


async def say(client: Any, model: str, turns: Sequence[Turn], wish: Wish, stream: bool) -> Said:
    asked, chats = _asked(model, turns, wish), client.chat.completions
    if not stream:
        answer = await (chats.parse if wish.schema else chats.create)(**asked)
    else:
        async with chats.stream(**asked, stream_options={"include_usage": True}) as events:
            if wish.schema:
                answer = await events.get_final_completion()
            else:  # the final completion of an answer cut short is an exception
                await events.until_done()
                answer = events.current_completion_snapshot
    [choice] = answer.choices
    message, usage = choice.message, answer.usage
    details = usage and usage.completion_tokens_details  # not every server has them
    calls = message.tool_calls or []
    return Said(
        text=message.content or "",
        thoughts=getattr(message, "reasoning_content", None) or "",
        refusal=message.refusal or "",
        calls=[(call.function.name, json.loads(call.function.arguments)) for call in calls],
        finish=choice.finish_reason,
        usage=usage
        and (
            usage.prompt_tokens,
            usage.prompt_tokens_details.cached_tokens,
            usage.completion_tokens,
            details.reasoning_tokens if details else 0,
        ),
        parsed=getattr(message, "parsed", None),
        ids=[call.id for call in calls],
        back=message.model_dump(exclude_none=True, exclude={"parsed"}),
    )


async def words(client: Any, model: str, text: str) -> AsyncIterator[str]:
    asked = [{"role": "user", "content": text}]
    async for chunk in await client.chat.completions.create(model=model, messages=asked, stream=True):
        for choice in chunk.choices:
            assert choice.finish_reason is None or not choice.delta.content
            if choice.delta.content or choice.finish_reason:
                yield choice.delta.content or f"<{choice.finish_reason}>"


SPEAKER = Speaker(
    name="chat",
    path="/v1/chat/completions",
    connect=connect,
    close=lambda client: client.close(),
    say=say,
    words=words,
    finishes={
        "stop": "stop",
        "stop_sequence": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "refusal": "content_filter",
    },
    error=openai.APIError,
    status=lambda error: error.status_code,
    statuses={529: 503},
    unsayable=frozenset({"image in a result"}),
)
