"""Responses answers: read from a provider, and observed while relayed."""

from typing import Any

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.contract import KeptAnswer
from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.openai_responses.items import custom_arguments, thought_text
from proxy_app.formats.openai_responses.request import PROVIDER
from proxy_app.formats.openai_responses.usage import finish_of, usage_of
from proxy_app.formats.reading import as_count, as_list, as_object, as_text, uncarried
from proxy_app.formats.whole import refuse_unsaid
from proxy_app.wire import (
    JSON,
    Answer,
    Citation,
    Finish,
    Observed,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)

_CALLS = frozenset({"function_call", "custom_tool_call"})
_UNFINISHED = frozenset({"queued", "in_progress"})
_MEDIA = frozenset({"image_generation_call", "output_image", "output_audio"})


def observe_answer(body: JSON) -> Observed:
    """What a relayed answer tells; one in the background has only begun. Raises UpstreamFailed for an
    error that came with 200."""
    items = _items(body)
    chars = 0
    for item in items:
        for name in ("summary", "content"):
            for part in as_list(item.get(name)):
                part = as_object(part)
                chars += len(as_text(part.get("text"))) + len(as_text(part.get("refusal")))
        chars += len(as_text(item.get("arguments"))) + len(as_text(item.get("input")))
    return Observed(
        usage=usage_of(body),
        finish=None if as_text(body.get("status")) in _UNFINISHED else finish_of(body, has_calls(items)),
        content_started=True,
        ended=True,
        output_chars=chars,
        output_events=len(items),
        upstream_id=as_text(body.get("id")) or None,
        served_model=as_text(body.get("model")) or None,
        service_tier=as_text(body.get("service_tier")) or None,
    )


def observe_kept(body: JSON) -> KeptAnswer | None:
    """How an answer ended that was asked for by its id; None while it is being made."""
    status = as_text(body.get("status"))
    if status in _UNFINISHED:
        return None
    usage = usage_of(body)
    if status == "cancelled":
        return KeptAnswer(usage, is_cancelled=True)
    if status == "failed" or body.get("error"):
        failure = read_in_band(body.get("error"), "The provider's answer has failed.")
        return KeptAnswer(usage, failure=failure)
    items = [as_object(item) for item in as_list(body.get("output"))]
    return KeptAnswer(usage, finish_of(body, has_calls(items)))


def parse_answer(body: JSON) -> Answer:
    """A whole answer. Raises UpstreamFailed for an error that came with 200, and for an unfinished one.

    Items that only tools of the provider's own bring about are passed over: a translated call has none.
    """
    items = _items(body)
    if as_text(body.get("status")) in _UNFINISHED:
        raise UpstreamInvalid("The provider's answer is not finished.")
    parts = [part for item in items for part in _parts(item)]
    _cite(parts, body)
    refuse_unsaid(as_text(body.get("status")), parts)
    has_call = any(isinstance(part, ToolCall) for part in parts)
    return Answer(
        id=as_text(body.get("id")),
        model=as_text(body.get("model")),
        parts=parts,
        finish=finish_of(body, has_call),
        usage=usage_of(body),
        created=as_count(body.get("created_at")) or 0,
        service_tier=as_text(body.get("service_tier")) or None,
    )


def visible_parts(response: JSON) -> list[Part]:
    """What a `response` object says and calls, thoughts aside."""
    parts = [part for item in as_list(response.get("output")) for part in _parts(as_object(item))]
    _cite(parts, response)
    return [part for part in parts if not isinstance(part, Thinking)]


def sources(response: JSON) -> list[Citation]:
    """The pages that a search of the provider's found, of one that tells them in items of their own
    (Perplexity): its texts refer to them by number."""
    items = map(as_object, as_list(response.get("output")))
    found = [as_list(item.get("results")) for item in items if item.get("type") == "search_results"]
    pages = [as_object(page) for pages in found for page in pages]
    return [
        Citation(as_text(page["url"]), _title(page.get("title")), _title(page.get("snippet")))
        for page in pages
        if as_text(page.get("url"))
    ]


def _cite(parts: list[Part], response: JSON) -> None:
    """The sources at the last text, where no text names its own."""
    texts = [part for part in parts if isinstance(part, Text)]
    if texts and not any(text.citations for text in texts):
        texts[-1].citations = sources(response)


def refuse_failed(response: JSON) -> None:
    """Raises UpstreamFailed for a `response` object that failed or was cancelled."""
    if response.get("error"):
        raise read_in_band(response["error"])
    if response.get("status") == "failed":
        raise read_in_band(None, "The provider's answer has failed.")
    if response.get("status") == "cancelled":
        raise read_in_band(None, "The provider's answer was cancelled.")


def has_calls(items: list[JSON]) -> bool:
    return any(as_text(item.get("type")) in _CALLS for item in items)


def _items(body: JSON) -> list[JSON]:
    refuse_failed(body)
    if not isinstance(body.get("output"), list):
        raise UpstreamInvalid("The provider's answer has no output.")
    return [item for item in body["output"] if isinstance(item, dict)]


def _parts(item: JSON) -> list[Part]:
    refuse_media(item)
    match item.get("type"):
        case "message":
            parts = [_said(as_object(part)) for part in as_list(item.get("content"))]
            return [part for part in parts if part is not None]
        case "function_call":
            return [
                ToolCall(call_id_of(item), as_text(item.get("name")), as_text(item.get("arguments")) or "{}")
            ]
        case "custom_tool_call":
            arguments = custom_arguments(as_text(item.get("input")))
            return [ToolCall(call_id_of(item), as_text(item.get("name")), arguments)]
        case "reasoning":
            return _thoughts(item)
    return []


def refuse_media(told: JSON) -> None:
    """Raises UpstreamInvalid for an item or a part of one that no other format has a place for."""
    if (kind := as_text(told.get("type"))) in _MEDIA:
        raise uncarried(kind)


def call_id_of(item: JSON) -> str:
    return as_text(item.get("call_id")) or as_text(item.get("id"))


def _said(part: JSON) -> Part | None:
    refuse_media(part)
    if text := as_text(part.get("refusal")):
        return Refusal(text)
    if text := as_text(part.get("text")):
        cited = [parse_citation(as_object(note)) for note in as_list(part.get("annotations"))]
        return Text(text, citations=[one for one in cited if one is not None])
    return None


def _thoughts(item: JSON) -> list[Part]:
    text, seal = thought_text(item), as_text(item.get("encrypted_content"))
    if seal:
        return [Thinking(text, seal, provider=PROVIDER, id=as_text(item.get("id")) or None)]
    return [Thinking(text)] if text else []


def parse_citation(note: JSON) -> Citation | None:
    """An annotation of a text; None for one that cites nothing (a file the model made)."""
    match note.get("type"):
        case "url_citation":
            start, end = as_count(note.get("start_index")), as_count(note.get("end_index"))
            return Citation(as_text(note.get("url")) or None, _title(note.get("title")), None, start, end)
        case "file_citation" | "container_file_citation":
            start, end = as_count(note.get("start_index")), as_count(note.get("end_index"))
            return Citation(None, _title(note.get("filename")), None, start, end)
    return None


def _title(value: Any) -> str | None:
    return as_text(value) or None


def finish_after(response: JSON, saw_call: bool) -> Finish:
    """How a streamed `response` ended; its items may have come in events only."""
    items = [as_object(item) for item in as_list(response.get("output"))]
    return finish_of(response, saw_call or has_calls(items))
