"""Gemini answers: read from a provider, observed while relayed, rendered for a caller."""

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.gemini.errors import read_in_band
from proxy_app.formats.gemini.usage import FINISH_WORDS, FINISHES, is_failure, read_usage, render_usage
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.wire import JSON, Answer, Finish, Observed, Part, Refusal, Text, Thinking, ToolCall

PROVIDER = "gemini"


def parse_answer(body: JSON) -> Answer:
    """Candidate 0. A blocked prompt is an answer without parts. Raises UpstreamFailed for an error that
    came with 200 and where the model broke off."""
    refuse_error(body)
    response_id = as_text(body.get("responseId"))
    candidate = candidate_of(body)
    parts: list[Part] = []
    for wire in as_list(as_object((candidate or {}).get("content")).get("parts")):
        count = sum(isinstance(part, ToolCall) for part in parts)
        parts.append(read_part(as_object(wire), response_id, count))
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    return Answer(
        id=response_id,
        model=as_text(body.get("modelVersion")),
        parts=[part for part in parts if not (isinstance(part, Text) and not part.text)],
        finish=finish_of(candidate, has_calls),
        usage=read_usage(body.get("usageMetadata")),
    )


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


def read_part(part: JSON, response_id: str, calls_before: int) -> Part:
    """One part of an answer; a call without an id gets one from the answer's own id and its place.

    Raises UpstreamInvalid for parts no translated request asks for (images, code).
    """
    call = part.get("functionCall")
    if isinstance(call, dict):
        call_id = as_text(call.get("id")) or synthetic_id(response_id, calls_before)
        arguments = orjson.dumps(as_object(call.get("args"))).decode()
        signature = as_text(part.get("thoughtSignature")) or None
        return ToolCall(call_id, as_text(call.get("name")), arguments, signature)
    if part.get("thought") is True:
        return Thinking(as_text(part.get("text")), provider=PROVIDER)
    if isinstance(part.get("text"), str) or set(part) <= {"thoughtSignature", "thought", "partMetadata"}:
        return Text(as_text(part.get("text")))
    kind = next(name for name in part if name != "thoughtSignature")
    raise UpstreamInvalid(f"The model answered with '{kind[:60]}', which this kind of call cannot carry.")


def synthetic_id(response_id: str, position: int) -> str:
    return f"call_{response_id}_{position}" if response_id else f"call_{position}"


def observe_answer(body: JSON) -> Observed:
    """What a relayed answer tells. Raises UpstreamFailed for an error that came with 200."""
    refuse_error(body)
    candidate = candidate_of(body)
    parts = [as_object(part) for part in as_list(as_object((candidate or {}).get("content")).get("parts"))]
    chars = sum(len(as_text(part.get("text"))) for part in parts)
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    chars += sum(len(orjson.dumps(as_object(call).get("args"))) for call in calls)
    reason = as_text((candidate or {}).get("finishReason"))
    finish = FINISHES.get(reason, Finish.STOP) if candidate is not None else Finish.CONTENT_FILTER
    return Observed(
        usage=read_usage(body.get("usageMetadata")),
        finish=Finish.TOOL_CALLS if calls and finish is Finish.STOP else finish,
        content_started=True,
        ended=True,
        output_chars=chars,
        output_events=len(parts),
        upstream_id=as_text(body.get("responseId")) or None,
        served_model=as_text(body.get("modelVersion")) or None,
    )


def render_answer(answer: Answer, options: RenderOptions) -> JSON:
    """A `GenerateContentResponse` with one candidate."""
    parts = [part for known in answer.parts if (part := render_part(known)) is not None]
    body: JSON = {
        "candidates": [
            {
                "content": {"parts": parts, "role": "model"},
                "finishReason": FINISH_WORDS[answer.finish],
                "index": 0,
            }
        ],
        "modelVersion": options.model,
        "responseId": answer.id or options.answer_id,
    }
    if answer.usage is not None:
        body["usageMetadata"] = render_usage(answer.usage)
    return body


def render_part(part: Part) -> JSON | None:
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text else None
        case Thinking(text):
            return {"text": text, "thought": True} if text else None
        case ToolCall():
            call: JSON = {"functionCall": {"id": part.id, "name": part.name, "args": _args(part.arguments)}}
            if part.signature is not None:
                call["thoughtSignature"] = part.signature
            return call
    return None


def _args(arguments: str) -> JSON:
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return {"invalid_json": arguments}
    return value if isinstance(value, dict) else {"invalid_json": arguments}
