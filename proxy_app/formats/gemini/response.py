"""Gemini answers: read from a provider, observed while relayed, rendered for a caller."""

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.carrying import arguments_object
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.gemini.citations import read_citations, render_citation
from proxy_app.formats.gemini.errors import read_in_band
from proxy_app.formats.gemini.signatures import MARK, PROVIDER, UNSIGNED, wire_signature
from proxy_app.formats.gemini.usage import (
    FINISH_WORDS,
    FINISHES,
    is_failure,
    read_tier,
    read_usage,
    render_usage,
    searched,
)
from proxy_app.formats.reading import as_list, as_object, as_text, searches, uncarried, unlisted
from proxy_app.formats.whole import refuse_unsaid
from proxy_app.wire import JSON, Answer, Finish, Observed, Part, Refusal, Text, Thinking, ToolCall, Usage


def parse_answer(body: JSON) -> Answer:
    """Candidate 0. A blocked prompt is an answer without parts. Raises UpstreamFailed for an error that
    came with 200 and where the model broke off."""
    refuse_error(body)
    response_id = as_text(body.get("responseId"))
    candidate = candidate_of(body)
    parts: list[Part] = []
    for wire in as_list(as_object((candidate or {}).get("content")).get("parts")):
        count = sum(isinstance(part, ToolCall) for part in parts)
        parts += read_part(as_object(wire), response_id, count)
    word = as_text((candidate or {}).get("finishReason"))
    if candidate is not None:
        refuse_unsaid(word, parts)
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    _cite(parts, candidate or {})
    return Answer(
        id=response_id,
        model=as_text(body.get("modelVersion")),
        parts=parts,
        finish=finish_of(candidate, has_calls),
        finish_word=unlisted(word, FINISHES),
        usage=read_usage(body.get("usageMetadata")),
        service_tier=read_tier(body.get("usageMetadata")),
    )


def _cite(parts: list[Part], candidate: JSON) -> None:
    """Citations count places in all of the text; they stand with the last of it."""
    texts = [part for part in parts if isinstance(part, Text)]
    if texts:
        texts[-1].citations = read_citations(candidate, "".join(part.text for part in texts))


def refuse_error(body: JSON) -> None:
    if body.get("error"):
        raise read_in_band(body["error"])


def candidate_of(body: JSON) -> JSON | None:
    """Candidate 0; None when the prompt was blocked. Raises UpstreamInvalid when there is neither."""
    candidates = [item for item in as_list(body.get("candidates")) if isinstance(item, dict)]
    if candidates:
        return candidates[0]
    if as_object(body.get("promptFeedback")).get("blockReason"):
        return None
    raise UpstreamInvalid("The provider's answer has no candidates.")


def finish_of(candidate: JSON | None, has_calls: bool) -> Finish:
    """Why a candidate ended; there is no reason of its own for tool calls."""
    if candidate is None:
        return Finish.CONTENT_FILTER
    reason = as_text(candidate.get("finishReason"))
    if is_failure(reason):
        raise UpstreamInvalid(f"The model broke off its answer ({reason}).")
    finish = FINISHES.get(reason, Finish.STOP)
    return Finish.TOOL_CALLS if finish is Finish.STOP and has_calls else finish


def read_part(part: JSON, response_id: str, calls_before: int) -> list[Part]:
    """What one part of an answer says; a call without an id gets one from the answer's own id, where it
    has one, and its place. A signature on a text (often an empty one, at the end) is a thought without words.

    Raises UpstreamInvalid for parts no translated request asks for (images, code).
    """
    call = part.get("functionCall")
    signature = as_text(part.get("thoughtSignature")) or None
    if isinstance(call, dict):
        call_id = as_text(call.get("id")) or synthetic_id(response_id, calls_before)
        arguments = orjson.dumps(as_object(call.get("args"))).decode()
        return [ToolCall(call_id, as_text(call.get("name")), arguments, signature)]
    text = as_text(part.get("text"))
    if part.get("thought") is True:
        return [Thinking(text, signature, provider=PROVIDER)] if text or signature else []
    if isinstance(part.get("text"), str) or set(part) <= {"thoughtSignature", "thought", "partMetadata"}:
        said: list[Part] = [Text(text)] if text else []
        return [*said, Thinking("", signature, provider=PROVIDER)] if signature else said
    kind = next(name for name in part if name != "thoughtSignature")
    raise uncarried(kind)


def synthetic_id(response_id: str, position: int) -> str:
    return f"call_{response_id}_{position}" if response_id else ""


def observe_answer(body: JSON) -> Observed:
    """What a relayed answer tells. Raises UpstreamFailed for an error that came with 200."""
    refuse_error(body)
    candidate = candidate_of(body)
    parts = [as_object(part) for part in as_list(as_object((candidate or {}).get("content")).get("parts"))]
    chars = sum(len(as_text(part.get("text"))) for part in parts)
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    chars += sum(len(orjson.dumps(as_object(call).get("args"))) for call in calls)
    reason = as_text((candidate or {}).get("finishReason"))
    finish = FINISHES.get(reason, Finish.STOP) if reason else None
    if candidate is None:
        finish = Finish.CONTENT_FILTER
    usage = read_usage(body.get("usageMetadata"))
    if usage is not None and candidate is not None:
        told = searched(candidate.get("groundingMetadata"), as_text(body.get("modelVersion")))
        usage.units = searches(told)
    return Observed(
        usage=usage,
        finish=Finish.TOOL_CALLS if calls and finish is Finish.STOP else finish,
        finish_word=unlisted(reason, FINISHES),
        content_started=True,
        ended=True,
        output_chars=chars,
        output_events=len(parts),
        upstream_id=as_text(body.get("responseId")) or None,
        served_model=as_text(body.get("modelVersion")) or None,
        service_tier=read_tier(body.get("usageMetadata")),
    )


def render_answer(answer: Answer, options: RenderOptions) -> JSON:
    """A `GenerateContentResponse` with one candidate; with none where the prompt was blocked."""
    body: JSON = {"modelVersion": options.model, "responseId": answer.id or options.answer_id}
    if is_blocked(answer.finish, answer.usage) and not answer.parts:
        body["promptFeedback"] = {"blockReason": "SAFETY"}
    else:
        body = {"candidates": [_candidate(answer)], **body}
    if answer.usage is not None:
        body["usageMetadata"] = render_usage(answer.usage)
    return body


def is_blocked(finish: Finish | None, usage: Usage | None) -> bool:
    """An answer that was filtered before it began is a blocked prompt to this format."""
    return finish is Finish.CONTENT_FILTER and not (usage is not None and usage.output_tokens)


def _candidate(answer: Answer) -> JSON:
    texts = [part.text for part in answer.parts if isinstance(part, Text)]
    refusals = [part.text for part in answer.parts if isinstance(part, Refusal)]
    cited = [one for part in answer.parts if isinstance(part, Text) for one in part.citations]
    candidate: JSON = {
        "content": {"parts": _render_parts(answer.parts), "role": "model"},
        "finishReason": "SAFETY" if refusals else FINISH_WORDS[answer.finish],
        "index": 0,
    }
    if refusals:
        candidate["finishMessage"] = "".join(refusals)
    if cited:
        sources = [render_citation(one, "".join(texts)) for one in cited]
        candidate["citationMetadata"] = {"citationSources": sources}
    return candidate


def _render_parts(parts: list[Part]) -> list[JSON]:
    rendered = []
    has_call = False
    for part in parts:
        match part:
            case Text(text) | Refusal(text):
                if text:
                    rendered.append({"text": text})
            case Thinking():
                if shown := render_thought(part):
                    rendered.append(shown)
            case ToolCall():
                rendered.append(render_call(part, is_first=not has_call))
                has_call = True
    return rendered


def render_thought(thought: Thinking) -> JSON | None:
    """A thought with whose signature it bears. Gemini's own signature without words is a text's."""
    signature = wire_signature(thought)
    part: JSON = {"text": thought.text}
    if thought.text or (signature and signature.startswith(MARK)):
        part["thought"] = True
    if signature:
        part["thoughtSignature"] = signature
    return part if len(part) > 1 else None


def render_call(call: ToolCall, *, is_first: bool) -> JSON:
    """A call whole. The first of an answer is always signed, if only as another family's: Gemini models
    want theirs back, and the gateway must tell them apart."""
    part: JSON = {"functionCall": {"id": call.id, "name": call.name, "args": arguments_object(call)}}
    if call.signature is not None:
        part["thoughtSignature"] = call.signature
    elif is_first:
        part["thoughtSignature"] = UNSIGNED
    return part
