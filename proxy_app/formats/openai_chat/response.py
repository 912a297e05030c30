"""Chat Completions answers: read from a provider, observed while relayed, rendered for a caller."""

from typing import Any

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.openai_chat.said import (
    calls_in,
    read_arguments,
    read_content,
    read_reasoning,
    refuse_media,
)
from proxy_app.formats.openai_chat.usage import FINISH_WORDS, read_usage, render_usage
from proxy_app.formats.openai_endings import failure_of, read_finish
from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.reading import as_count, as_list, as_object, as_text
from proxy_app.formats.signing import seal_of, tag_signature
from proxy_app.formats.usage_merge import of_first_answer
from proxy_app.formats.whole import refuse_unsaid
from proxy_app.wire import (
    JSON,
    Answer,
    Citation,
    Observed,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)

BLOCK_FAMILY = "anthropic"  # whose signatures stand in `thinking_blocks` without a tag
#: Service tiers that the format has words for, but `auto`: that is what nothing said means.
SERVICE_TIERS = frozenset({"default", "flex", "scale", "priority", "fast"})


def observe_answer(body: JSON) -> Observed:
    """What a relayed answer tells. Raises UpstreamFailed for an error that came with 200, and where every
    choice was broken off."""
    choices = _choices(body)
    failures = [failure_of(choice) for choice in choices]
    whole = [choice for choice, failed in zip(choices, failures, strict=True) if failed is None]
    if not whole and failures[0] is not None:
        raise failures[0]
    finish, word = read_finish(as_text(whole[0].get("finish_reason")))
    chars = 0
    for choice in choices:
        message = as_object(choice.get("message"))
        chars += sum(len(as_text(message.get(name))) for name in ("content", "refusal"))
        chars += len(read_reasoning(message))
        for call in calls_in(message):
            chars += len(read_arguments(as_object(call.get("function")).get("arguments")))
    return Observed(
        usage=of_first_answer(read_usage(body.get("usage")), body, len(choices)),
        finish=finish if whole[0].get("finish_reason") else None,
        finish_word=word,
        content_started=True,
        ended=True,
        output_chars=chars,
        output_events=len(choices),
        upstream_id=as_text(body.get("id")) or None,
        served_model=as_text(body.get("model")) or None,
        service_tier=as_text(body.get("service_tier")) or None,
    )


def parse_answer(body: JSON) -> Answer:
    """Candidate 0 of an answer. Raises UpstreamFailed for an error that came with 200 and where the model
    broke off."""
    choice = _choices(body)[0]
    if (failed := failure_of(choice)) is not None:
        raise failed
    parts = _parts(as_object(choice.get("message")))
    finish, word = read_finish(as_text(choice.get("finish_reason")))
    refuse_unsaid(as_text(choice.get("finish_reason")), parts)
    return Answer(
        id=as_text(body.get("id")),
        model=as_text(body.get("model")),
        parts=parts,
        finish=finish,
        finish_word=word,
        usage=read_usage(body.get("usage")),
        created=as_count(body.get("created")) or 0,
        service_tier=as_text(body.get("service_tier")) or None,
    )


def _choices(body: JSON) -> list[JSON]:
    if body.get("error"):
        raise read_in_band(body["error"])
    choices = [choice for choice in as_list(body.get("choices")) if isinstance(choice, dict)]
    if not choices:
        raise UpstreamInvalid("The provider's answer has no choices.")
    return choices


def _parts(message: JSON) -> list[Part]:
    refuse_media(message)
    parts: list[Part] = []
    if reasoning := read_reasoning(message):
        parts.append(Thinking(reasoning))
    parts += read_content(message.get("content"))
    if texts := [part for part in parts if isinstance(part, Text)]:
        texts[-1].citations = read_citations(message.get("annotations"))
    if refusal := as_text(message.get("refusal")):
        parts.append(Refusal(refusal))
    for call in calls_in(message):
        function = as_object(call.get("function"))
        if name := as_text(function.get("name")):
            parts.append(ToolCall(as_text(call.get("id")), name, read_arguments(function.get("arguments"))))
    return parts


def render_answer(answer: Answer, options: RenderOptions) -> JSON:
    """A `chat.completion`."""
    body: JSON = {
        "id": answer.id or options.answer_id,
        "object": "chat.completion",
        "created": answer.created or options.created,
        "model": options.model,
        "choices": [
            {
                "index": 0,
                "message": _render_message(answer),
                "logprobs": None,
                "finish_reason": FINISH_WORDS[answer.finish],
            }
        ],
    }
    if answer.usage is not None:
        body["usage"] = render_usage(answer.usage)
    if answer.service_tier in SERVICE_TIERS:
        body["service_tier"] = answer.service_tier
    return body


def _render_message(answer: Answer) -> JSON:
    """Thoughts go out as `reasoning_content`, with their signatures as `thinking_blocks`; a tool call's
    signature as `extra_content.google.thought_signature`: the fields other gateways and Google's own
    compatible endpoint use, and which SDKs send back unread."""
    message: JSON = {"role": "assistant", "content": None, "refusal": None}
    texts = [part.text for part in answer.parts if isinstance(part, Text)]
    refusals = [part.text for part in answer.parts if isinstance(part, Refusal)]
    thoughts = [part for part in answer.parts if isinstance(part, Thinking)]
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    if refusals:
        message["refusal"] = "".join(refusals)
    if texts or not (refusals or calls):
        message["content"] = "".join(texts)
    if any(thought.text for thought in thoughts):
        message["reasoning_content"] = "".join(thought.text for thought in thoughts)
    if blocks := [thinking_block(thought) for thought in thoughts if thought.signature or thought.redacted]:
        message["thinking_blocks"] = blocks
    if cited := [
        render_citation(one) for part in answer.parts if isinstance(part, Text) for one in part.citations
    ]:
        message["annotations"] = cited
    if calls:
        message["tool_calls"] = [_tool_call(call) for call in calls]
    return message


def read_citations(annotations: Any) -> list[Citation]:
    """Web pages an answer names as its sources; annotations of other kinds mean nothing elsewhere."""
    found = [as_object(each).get("url_citation") for each in as_list(annotations)]
    return [
        Citation(
            url=as_text(one.get("url")) or None,
            title=as_text(one.get("title")) or None,
            start=as_count(one.get("start_index")),
            end=as_count(one.get("end_index")),
        )
        for one in found
        if isinstance(one, dict)
    ]


def render_citation(citation: Citation) -> JSON:
    """A `url_citation` annotation; what has no address is named by its title alone."""
    return {
        "type": "url_citation",
        "url_citation": {
            "url": citation.url or "",
            "title": citation.title or "",
            "start_index": citation.start or 0,
            "end_index": citation.end or 0,
        },
    }


def thinking_block(thought: Thinking) -> JSON:
    """A signed thought in a shape that may be sent back to the same provider. The blocks are Anthropic's:
    another family's signature is tagged."""
    if thought.redacted is not None:
        data = tag_signature(thought.redacted, thought.provider, BLOCK_FAMILY)
        return {"type": "redacted_thinking", "data": data}
    return {"type": "thinking", "thinking": thought.text, "signature": seal_of(thought, BLOCK_FAMILY)}


def signature_field(signature: str) -> JSON:
    return {"google": {"thought_signature": signature}}


def _tool_call(call: ToolCall) -> JSON:
    rendered: JSON = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
    }
    if call.signature is not None:
        rendered["extra_content"] = signature_field(call.signature)
    return rendered
