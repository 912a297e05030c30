"""What builders of requests share: turns as providers want them, and refusals of what cannot be carried."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway_project.errors import BadRequest, InvalidBody, UnsupportedContent, UnsupportedParameter
from proxy_app.wire import (
    JSON,
    Audio,
    Conversation,
    File,
    Image,
    Part,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

#: Parameters of `Sampling` and what makes them more than a default, in the order they are checked.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "logit_bias": (None, {}),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "n": (None, 1),
    "top_k": (None,),
    "service_tier": (None, "auto"),
}
_ONE_LINE = str.maketrans("\r\n", "  ")
#: What asks for JSON where a format's JSON mode does not exist, or wants to be asked for in words too.
JSON_INSTRUCTION = "Answer with a single valid JSON object and nothing else: no prose, no code fence."


def refuse_sampling(conversation: Conversation, *names: str) -> None:
    """Raises UnsupportedParameter for the first of `names` that is set to more than its default."""
    for name in names:
        if getattr(conversation.sampling, name) not in NEUTRAL[name]:
            raise UnsupportedParameter(f"'{name}' cannot be carried to this model.", param=name)


def in_words(error: BadRequest, words: Mapping[str, str]) -> BadRequest:
    """The refusal with its parameter under the caller's own name; builders know Chat Completions' names."""
    name = error.param or ""
    word = words.get(name, name)
    return type(error)(error.detail.replace(f"'{name}'", f"'{word}'"), param=word or None)


def cannot_carry(said: Part | Turn, why: str) -> UnsupportedContent:
    """The refusal of one part or turn, named by where the caller wrote it."""
    path = said.path if isinstance(said, Image | File | Audio | ToolCall | Turn) else ""
    return UnsupportedContent(f"'{path}': {why}" if path else why, param=path or None)


def split_system(turns: list[Turn]) -> tuple[list[Text], list[Turn]]:
    """(leading system texts, the other turns). Where nothing else was said, the system text is the
    question: providers take no conversation without a user."""
    count = 0
    while count < len(turns) and turns[count].role == "system":
        count += 1
    if count == len(turns):
        return [], [Turn("user", turn.parts) for turn in turns]
    system = [part for turn in turns[:count] for part in turn.parts if isinstance(part, Text) and part.text]
    return system, turns[count:]


def told_by(result: ToolResult) -> str:
    """What a tool gave as text, where a format has no mark for a failure: that it failed is said in words."""
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    if not result.is_error or text.lstrip().lower().startswith("error"):
        return text
    return f"Error: {text}" if text else "Error"


def with_json_asked(turns: list[Turn]) -> list[Turn]:
    """The turns with the word JSON among the instructions, unless it is said somewhere. OpenAI and servers
    made after it refuse their JSON mode to a conversation without the word."""
    said = (part for turn in turns if turn.role != "assistant" for part in turn.parts)
    if any(isinstance(part, Text) and "json" in part.text.lower() for part in said):
        return turns
    return with_instruction(turns, JSON_INSTRUCTION)


def with_instruction(turns: list[Turn], text: str) -> list[Turn]:
    """The turns with one sentence more among the instructions at their head."""
    if turns and turns[0].role == "system":
        return [Turn("system", [*turns[0].parts, Text(text)]), *turns[1:]]
    return [Turn("system", [Text(text)]), *turns]


def schema_instruction(schema: JSON) -> str:
    """What asks for an answer that is not held to its schema."""
    asked = "Answer with valid JSON that fits this JSON Schema and nothing else: no prose, no code fence."
    return f"{asked}\n{orjson.dumps(schema).decode()}"


def alternate(turns: list[Turn]) -> list[Turn]:
    """Turns of user and assistant in alternation: neighbours of one role are joined, so that all
    results of an assistant's calls stand in one user turn, before anything else said there. A later
    system message is told as the user's. Empty texts and empty turns are left out; InvalidBody where nothing
    is left."""
    joined: list[Turn] = []
    for turn in turns:
        role = "assistant" if turn.role == "assistant" else "user"
        parts = [part for part in turn.parts if not (isinstance(part, Text) and not part.text)]
        if not parts:
            continue
        if joined and joined[-1].role == role:
            joined[-1].parts.extend(parts)
            joined[-1].path = turn.path
        else:
            joined.append(Turn("assistant" if role == "assistant" else "user", parts, turn.path))
    if not joined:
        raise InvalidBody("There is nothing to answer in 'messages'.", param="messages")
    for turn in joined:
        turn.parts.sort(key=lambda part: not isinstance(part, ToolResult))
    return joined


def allowed_tools(conversation: Conversation) -> set[str] | None:
    """The names a caller narrowed the tools down to; None when all stand."""
    choice: ToolChoice | None = conversation.tool_choice
    return set(choice.names) if choice is not None and choice.names else None


def arguments_object(call: ToolCall) -> orjson.Fragment:
    """A call's arguments as a JSON object, digit for digit, in one line as a stream's events need it. What
    a model once wrote that is no object goes as `{"invalid_json": …}`, so that the conversation can go on."""
    text = call.arguments.strip() or "{}"
    try:
        is_object = isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        is_object = False
    # Between JSON's tokens a line's end is a space; within its texts it cannot stand.
    return orjson.Fragment(text.translate(_ONE_LINE) if is_object else orjson.dumps({"invalid_json": text}))
