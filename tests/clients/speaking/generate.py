"""generateContent by the `google-genai` SDK."""

from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.genai import errors, types

from tests.clients.speaking.contract import Assistant, Media, Said, Speaker, Turn, User, Wish
from tests.upstream.script import TOOL_SCHEMA
from tests.upstream.sdks import Place, gemini_client


def connect(address: str, key: str) -> Any:
    return gemini_client(Place("gemini", address, key))


async def close(client: Any) -> None:
    await client.aio.aclose()
    client.close()


def _part(part: str | Media) -> types.Part:
    if isinstance(part, str):
        return types.Part(text=part)
    return types.Part.from_bytes(data=b64decode(part.data), mime_type=part.media_type)


def _contents(turns: Sequence[Turn]) -> list[Any]:
    made: list[Any] = []
    for turn in turns:
        if isinstance(turn, User):
            made.append(types.UserContent([_part(part) for part in turn.parts]))
        elif isinstance(turn, Assistant):
            made += turn.said.back
        else:
            made.append(types.UserContent(_results(turn.said, turn.contents)))
    return made


def _results(said: Said, contents: tuple[tuple[str | Media, ...], ...]) -> list[types.Part]:
    made = []
    for (name, _), call_id, parts in zip(said.calls, said.ids, contents, strict=True):
        text = "\n".join(part for part in parts if isinstance(part, str))
        media = [
            types.FunctionResponsePart.from_bytes(data=b64decode(part.data), mime_type=part.media_type)
            for part in parts
            if isinstance(part, Media)
        ]
        answer = types.FunctionResponse(
            id=call_id or None, name=name, response={"output": text}, parts=media or None
        )
        made.append(types.Part(function_response=answer))
    return made


def _calling(choice: str | tuple[str, ...]) -> types.ToolConfig:
    mode, names = ("NONE", None) if choice == "none" else ("ANY", None)
    if choice not in ("none", "required"):
        names = list(choice) if isinstance(choice, tuple) else [choice]
    calling = types.FunctionCallingConfig(
        mode=types.FunctionCallingConfigMode(mode), allowed_function_names=names
    )
    return types.ToolConfig(function_calling_config=calling)


def _config(wish: Wish) -> types.GenerateContentConfig:
    declared = [
        types.FunctionDeclaration(name=name, parameters_json_schema=TOOL_SCHEMA) for name in wish.tools
    ]
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.HIGH)
    return types.GenerateContentConfig(
        system_instruction=wish.system or None,
        tools=[types.Tool(function_declarations=declared)] if declared else None,
        tool_config=_calling(wish.choice) if wish.choice else None,
        stop_sequences=list(wish.stop) or None,
        max_output_tokens=wish.limit,
        thinking_config=thinking if wish.think else None,
        response_mime_type="application/json" if wish.schema else None,
        response_schema=wish.schema,
    )


async def say(client: Any, model: str, turns: Sequence[Turn], wish: Wish, stream: bool) -> Said:
    asked: Any = {"model": model, "contents": _contents(turns), "config": _config(wish)}
    if stream:
        answers = [chunk async for chunk in await client.aio.models.generate_content_stream(**asked)]
    else:
        answers = [await client.aio.models.generate_content(**asked)]
    candidates = [answer.candidates[0] for answer in answers if answer.candidates]
    contents = [candidate.content for candidate in candidates if candidate.content]
    parts = [part for content in contents for part in content.parts or ()]
    calls = [part.function_call for part in parts if part.function_call]
    texts = "".join(part.text for part in parts if part.text and not part.thought)
    usage, feedback = answers[-1].usage_metadata, answers[-1].prompt_feedback
    thought_tokens = usage.thoughts_token_count or 0
    finish = candidates[-1].finish_reason if candidates else feedback.block_reason
    parsed = answers[0].parsed if wish.schema and not stream else None
    if wish.schema and stream:
        parsed = wish.schema.model_validate_json(texts)
    return Said(
        text=texts,
        thoughts="".join(part.text for part in parts if part.text and part.thought),
        calls=[(call.name, call.args) for call in calls],
        finish=finish.value,
        usage=(
            usage.prompt_token_count,
            usage.cached_content_token_count or 0,
            (usage.candidates_token_count or 0) + thought_tokens,
            thought_tokens,
        ),
        parsed=parsed,
        ids=[call.id or "" for call in calls],
        back=contents,
    )


async def words(client: Any, model: str, text: str) -> AsyncIterator[str]:
    async for chunk in await client.aio.models.generate_content_stream(model=model, contents=text):
        for candidate in chunk.candidates or ():
            for part in (candidate.content.parts if candidate.content else None) or ():
                yield part.text or ""
            if candidate.finish_reason:
                yield f"<{candidate.finish_reason.value}>"


SPEAKER = Speaker(
    name="generate",
    path="/v1beta/models/{model}:generateContent",
    connect=connect,
    close=close,
    say=say,
    words=words,
    finishes={
        "stop": "STOP",
        "stop_sequence": "STOP",
        "length": "MAX_TOKENS",
        "tool_calls": "STOP",
        "refusal": "SAFETY",
    },
    error=errors.APIError,
    status=lambda error: error.code,
    statuses={529: 503},
    unsayable=frozenset({"one call"}),
)
