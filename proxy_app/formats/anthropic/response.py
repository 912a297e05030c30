"""Anthropic Messages answers: read from a provider, observed while relayed, rendered for a caller."""

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.anthropic.blocks import PROVIDER, UNSIGNED
from proxy_app.formats.anthropic.citations import read_citation, render_citation
from proxy_app.formats.anthropic.errors import read_in_band
from proxy_app.formats.anthropic.usage import FINISH_WORDS, FINISHES, read_usage, render_usage
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.reading import as_list, as_object, as_text, unlisted
from proxy_app.formats.signing import seal_of
from proxy_app.formats.whole import refuse_unsaid
from proxy_app.wire import JSON, Answer, Finish, Observed, Part, Refusal, Text, Thinking, ToolCall, Usage

#: Service tiers an answer may tell, from OpenAI's words.
_TIERS = {"default": "standard", "priority": "priority", "batch": "batch"}
_TOLD_TIERS = {told: tier for tier, told in _TIERS.items()}


def parse_answer(body: JSON) -> Answer:
    """A whole message. Raises UpstreamFailed for an error that came with 200."""
    parts = [part for block in _blocks(body) if (part := _part(block)) is not None]
    refuse_unsaid(as_text(body.get("stop_reason")), parts)
    word = as_text(body.get("stop_reason"))
    finish = FINISHES.get(word, Finish.STOP)
    if finish is Finish.CONTENT_FILTER and (told := explanation(body)):
        parts.append(Refusal(told))
    return Answer(
        id=as_text(body.get("id")),
        model=as_text(body.get("model")),
        parts=parts,
        finish=finish,
        finish_word=unlisted(word, FINISHES),
        usage=read_usage(body.get("usage")),
        stop_sequence=as_text(body.get("stop_sequence")) or None,
        service_tier=read_tier(body.get("usage")),
    )


def read_tier(usage: object) -> str | None:
    """The tier that usage names, in OpenAI's words."""
    return _TOLD_TIERS.get(as_text(as_object(usage).get("service_tier")))


def read_speed(usage: object) -> str | None:
    """The tier of usage as prices go by it: how fast it was served, else from whose capacity."""
    told = as_object(usage)
    speed, tier = as_text(told.get("speed")), as_text(told.get("service_tier"))
    return (tier or speed if speed == "standard" else speed or tier) or None


def tier_word(tier: str | None) -> str | None:
    """OpenAI's word for a tier as usage names it here; None where there is no such tier."""
    return _TIERS.get(tier or "")


def _blocks(body: JSON) -> list[JSON]:
    if body.get("type") == "error" or body.get("error"):
        raise read_in_band(body)
    if not isinstance(body.get("content"), list):
        raise UpstreamInvalid("The provider's answer has no content.")
    return [as_object(block) for block in body["content"]]


def explanation(body: JSON) -> str:
    """Why the provider refused, in its words; empty when it does not say."""
    return as_text(as_object(body.get("stop_details")).get("explanation"))


def _part(block: JSON) -> Part | None:
    """The part for a block; None for what no caller's request can bring about (server tools)."""
    match block.get("type"):
        case "text":
            citations = [read_citation(one) for one in as_list(block.get("citations"))]
            return Text(as_text(block.get("text")), citations=citations)
        case "tool_use":
            arguments = orjson.dumps(as_object(block.get("input"))).decode()
            return ToolCall(as_text(block.get("id")), as_text(block.get("name")), arguments)
        case "thinking":
            signature = as_text(block.get("signature")) or None
            return Thinking(as_text(block.get("thinking")), signature, provider=PROVIDER)
        case "redacted_thinking":
            return Thinking("", redacted=as_text(block.get("data")), provider=PROVIDER)
    return None


def observe_answer(body: JSON) -> Observed:
    """What a relayed answer tells. Raises UpstreamFailed for an error that came with 200."""
    blocks = _blocks(body)
    word = as_text(body.get("stop_reason"))
    chars = 0
    for block in blocks:
        chars += len(as_text(block.get("text"))) + len(as_text(block.get("thinking")))
        if "input" in block:
            chars += len(orjson.dumps(block["input"]))
    return Observed(
        usage=read_usage(body.get("usage")),
        finish=FINISHES.get(word, Finish.STOP) if word else None,
        finish_word=unlisted(word, FINISHES),
        content_started=True,
        ended=True,
        output_chars=chars,
        output_events=len(blocks),
        upstream_id=as_text(body.get("id")) or None,
        served_model=as_text(body.get("model")) or None,
        service_tier=read_speed(body.get("usage")),
    )


def render_answer(answer: Answer, options: RenderOptions) -> JSON:
    """A `message`. Another family's signature goes out under its tag, so that it comes back with the
    thought; what a model wrote in refusing is its text, and the explanation."""
    refused = "".join(part.text for part in answer.parts if isinstance(part, Refusal))
    called = any(isinstance(part, ToolCall) for part in answer.parts)
    word = stop_word(answer.finish, called=called, refused=bool(refused))
    usage = render_usage(answer.usage or Usage(options.input_estimate))
    usage["service_tier"] = tier_word(answer.service_tier)
    return {
        "id": answer.id or options.answer_id,
        "type": "message",
        "role": "assistant",
        "model": options.model,
        "content": [block for part in answer.parts if (block := _block(part)) is not None],
        "stop_reason": word,
        "stop_sequence": answer.stop_sequence,
        "stop_details": stop_details(word, refused),
        "container": None,
        "usage": usage,
    }


def stop_word(finish: Finish | None, *, called: bool, refused: bool) -> str:
    """The `stop_reason`: agents go by it, so calls tell `tool_use` and a refusal `refusal`, also where a
    provider calls either a natural end."""
    if finish in (None, Finish.STOP, Finish.TOOL_CALLS):
        return "tool_use" if called else "refusal" if refused else "end_turn"
    return FINISH_WORDS[finish]


def stop_details(word: str, refused: str) -> JSON | None:
    if word != "refusal":
        return None
    return {"type": "refusal", "category": None, "explanation": refused or None}


def thought_block(thought: Thinking) -> JSON:
    """A thought with the signature it must come back with; one that nobody signed says so."""
    own = thought.provider in (None, PROVIDER)
    if thought.redacted is not None:
        data = thought.redacted if own else seal_of(thought, PROVIDER)
        return {"type": "redacted_thinking", "data": data}
    return {
        "type": "thinking",
        "thinking": thought.text,
        "signature": seal_of(thought, PROVIDER) or UNSIGNED,
    }


def _block(part: Part) -> JSON | None:
    match part:
        case Text(text, _, citations) if citations:
            return {"type": "text", "text": text, "citations": [render_citation(one) for one in citations]}
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text} if text else None
        case ToolCall():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part.arguments)}
        case Thinking():
            return thought_block(part)
    return None


def _input(arguments: str) -> JSON:
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return {"invalid_json": arguments}
    return value if isinstance(value, dict) else {"invalid_json": arguments}
