"""Messages by the `anthropic` SDK."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anthropic

from tests.clients.speaking.contract import Assistant, Media, Said, Speaker, Turn, User, Wish
from tests.upstream.script import TOOL_SCHEMA
from tests.upstream.sdks import TLS


def connect(address: str, key: str) -> Any:
    http_client = anthropic.DefaultAsyncHttpxClient(verify=TLS)
    return anthropic.AsyncAnthropic(base_url=address, api_key=key, max_retries=0, http_client=http_client)


def _block(part: str | Media) -> Any:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    return {"type": "image" if part.kind == "image" else "document", "source": source}


def _messages(turns: Sequence[Turn]) -> list[Any]:
    made: list[Any] = []
    for turn in turns:
        if isinstance(turn, User):
            made.append({"role": "user", "content": [_block(part) for part in turn.parts]})
        elif isinstance(turn, Assistant):
            made.append({"role": "assistant", "content": turn.said.back})
        else:
            results = [
                {
                    "type": "tool_result",
                    "tool_use_id": call_id,
                    "content": [_block(part) for part in parts],
                }
                for call_id, parts in zip(turn.said.ids, turn.contents, strict=True)
            ]
            made.append({"role": "user", "content": results})
    return made


def _choice(wish: Wish) -> Any:
    named = {"type": "tool", "name": wish.choice}
    choice: Any = {"required": {"type": "any"}, "none": {"type": "none"}, "": {"type": "auto"}}.get(
        str(wish.choice), named
    )
    return choice | ({"disable_parallel_tool_use": True} if wish.one_call else {})


def _asked(model: str, turns: Sequence[Turn], wish: Wish) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": model, "messages": _messages(turns), "max_tokens": wish.limit or 2000}
    if wish.system:
        asked["system"] = wish.system
    if wish.tools:
        asked["tools"] = [{"name": name, "input_schema": TOOL_SCHEMA} for name in wish.tools]
    if wish.choice or wish.one_call:
        asked["tool_choice"] = _choice(wish)
    if wish.stop:
        asked["stop_sequences"] = list(wish.stop)
    if wish.think:
        asked["thinking"] = {"type": "adaptive", "display": "summarized"}
    if wish.schema is not None:
        asked["output_format"] = wish.schema
    return asked


async def say(client: Any, model: str, turns: Sequence[Turn], wish: Wish, stream: bool) -> Said:
    asked = _asked(model, turns, wish)
    if stream:
        async with client.messages.stream(**asked) as events:
            answer = await events.get_final_message()
    else:
        answer = await (client.messages.parse if wish.schema else client.messages.create)(**asked)
    blocks, usage = answer.content, answer.usage
    details = usage.output_tokens_details
    return Said(
        text="".join(block.text for block in blocks if block.type == "text"),
        thoughts="".join(block.thinking for block in blocks if block.type == "thinking"),
        calls=[(block.name, block.input) for block in blocks if block.type == "tool_use"],
        finish=answer.stop_reason,
        usage=(
            usage.input_tokens
            + (usage.cache_read_input_tokens or 0)
            + (usage.cache_creation_input_tokens or 0),
            usage.cache_read_input_tokens or 0,
            usage.output_tokens,
            details.thinking_tokens if details else 0,
        ),
        parsed=getattr(answer, "parsed_output", None),
        ids=[block.id for block in blocks if block.type == "tool_use"],
        back=[block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in blocks],
    )


async def words(client: Any, model: str, text: str) -> AsyncIterator[str]:
    asked = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    async for event in await client.messages.create(**asked, stream=True):
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            yield event.delta.text
        elif event.type == "message_delta" and event.delta.stop_reason:
            yield f"<{event.delta.stop_reason}>"


SPEAKER = Speaker(
    name="messages",
    path="/v1/messages",
    connect=connect,
    close=lambda client: client.close(),
    say=say,
    words=words,
    finishes={
        "stop": "end_turn",
        "stop_sequence": "stop_sequence",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "refusal": "refusal",
    },
    error=anthropic.APIError,
    status=lambda error: error.status_code,
    statuses={503: 529},
    unsayable=frozenset({"audio", "subset"}),
)
