"""Cohere's answers, read whole: thoughts and the plan before tool calls, text with its citations, calls."""

from typing import Any

from gateway_project.errors import UpstreamFailed, UpstreamInvalid
from proxy_app.formats.failures import Complaint, failure
from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.reading import as_count, as_list, as_object, as_text, uncarried
from proxy_app.formats.whole import refuse_unsaid
from proxy_app.wire import JSON, Answer, Citation, Finish, Part, Text, Thinking, ToolCall, Usage

FINISHES = {
    "COMPLETE": Finish.STOP,
    "STOP_SEQUENCE": Finish.STOP_SEQUENCE,
    "MAX_TOKENS": Finish.LENGTH,
    "TOOL_CALL": Finish.TOOL_CALLS,
    "ERROR_TOXIC": Finish.CONTENT_FILTER,
}
PROVIDER = "cohere"
#: In place of signatures, which this provider has none of: whose a thought is, and where it takes it back.
THOUGHT, PLAN = "thinking", "tool_plan"
_FAILURES = {"ERROR": 502, "ERROR_LIMIT": 502, "TIMEOUT": 504}


def parse_answer(body: JSON) -> Answer:
    """A whole answer. Raises UpstreamFailed for one whose reason is a failure or that says nothing."""
    message = body.get("message")
    if isinstance(message, str):
        raise read_in_band(body, message)
    if not isinstance(message, dict):
        raise UpstreamInvalid("The provider's answer has no message.")
    reason = as_text(body.get("finish_reason"))
    check_reason(reason, "")
    parts: list[Part] = []
    if plan := as_text(message.get("tool_plan")):
        parts.append(Thinking(plan, PLAN, provider=PROVIDER))
    parts += _content(message)
    parts += [read_call(as_object(call)) for call in as_list(message.get("tool_calls"))]
    refuse_unsaid(reason, parts)
    return Answer(
        id=as_text(body.get("id")),
        model="",
        parts=parts,
        finish=FINISHES.get(reason, Finish.STOP),
        usage=read_usage(body.get("usage")),
    )


def check_reason(reason: str, words: str) -> None:
    """Raises UpstreamFailed for an end that is none: a caller must not take it for an answer."""
    if reason in _FAILURES:
        raise _failed(reason, words)


def _failed(reason: str, words: str) -> UpstreamFailed:
    return failure(_FAILURES[reason], Complaint(words or "The model could not finish.", reason))


def read_usage(value: Any) -> Usage | None:
    """What is billed, which is what was said without the provider's own words around it; else all tokens."""
    told = as_object(value)
    billed, all_tokens = as_object(told.get("billed_units")), as_object(told.get("tokens"))
    figures = [
        found if (found := as_count(billed.get(name))) is not None else as_count(all_tokens.get(name))
        for name in ("input_tokens", "output_tokens")
    ]
    into, out = figures
    if into is None and out is None:
        return None
    cached = as_count(told.get("cached_tokens"))
    return Usage(
        input_tokens=into,
        cache_read_tokens=None if cached is None else min(cached, into or 0),
        output_tokens=out,
    )


def read_citation(value: Any) -> Citation | None:
    """None for one of a tool's result, which has neither an address nor a title."""
    told = as_object(value)
    sources = [as_object(source) for source in as_list(told.get("sources"))]
    documents = [as_object(source.get("document")) for source in sources]
    for document in documents:
        url, title = as_text(document.get("url")), as_text(document.get("title"))
        if url or title:
            return Citation(
                url=url or None,
                title=title or None,
                cited_text=as_text(told.get("text")) or None,
                start=as_count(told.get("start")),
                end=as_count(told.get("end")),
            )
    return None


def read_call(call: JSON) -> ToolCall:
    function = as_object(call.get("function"))
    name, arguments = as_text(function.get("name")), as_text(function.get("arguments"))
    return ToolCall(as_text(call.get("id")), name, arguments or "{}")


def _content(message: JSON) -> list[Part]:
    content = message.get("content")
    parts: list[Part] = []
    for item in [{"type": "text", "text": content}] if isinstance(content, str) else as_list(content):
        told = as_object(item)
        match told.get("type"):
            case "text":
                parts.append(Text(as_text(told.get("text"))))
            case "thinking":
                parts.append(Thinking(as_text(told.get("thinking")), THOUGHT, provider=PROVIDER))
            case kind:
                raise uncarried(as_text(kind))
    texts = [part for part in parts if isinstance(part, Text)]
    if texts:
        found = [read_citation(one) for one in as_list(message.get("citations"))]
        texts[-1].citations = [citation for citation in found if citation is not None]
    return parts
