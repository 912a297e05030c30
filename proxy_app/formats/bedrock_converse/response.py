"""Converse answers: read from the service. They name neither themselves nor their model."""

import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.bedrock_converse.blocks import PROVIDER
from proxy_app.formats.bedrock_converse.usage import FINISHES, MALFORMED, read_usage
from proxy_app.formats.reading import as_list, as_object, as_text
from proxy_app.formats.whole import refuse_unsaid
from proxy_app.wire import JSON, Answer, Citation, Finish, Part, Text, Thinking, ToolCall


def parse_answer(body: JSON) -> Answer:
    """A whole answer. Raises UpstreamInvalid for one that holds no message, or only a broken one."""
    message = as_object(as_object(body.get("output")).get("message"))
    reason = as_text(body.get("stopReason"))
    if not isinstance(message.get("content"), list):
        raise UpstreamInvalid("The provider's answer has no content.")
    check_reason(reason)
    parts = [part for block in message["content"] if (part := _part(as_object(block))) is not None]
    refuse_unsaid(reason, parts)
    more = as_object(body.get("additionalModelResponseFields"))
    return Answer(
        id="",
        model="",
        parts=parts,
        finish=FINISHES.get(reason, Finish.STOP),
        usage=read_usage(body.get("usage")),
        stop_sequence=as_text(more.get("stop_sequence")) or None,
        service_tier=as_text(as_object(body.get("serviceTier")).get("type")) or None,
    )


def check_reason(reason: str) -> None:
    """Raises UpstreamInvalid for an end that is none: a caller must not take it for an answer."""
    if reason in MALFORMED:
        raise UpstreamInvalid("The model wrote what the provider could not read.")


def read_citation(value: object) -> Citation:
    """Of a web page or a document of the request; places are those of the source, not of the answer."""
    told = as_object(value)
    web = as_object(as_object(told.get("location")).get("web"))
    cited = "".join(as_text(as_object(piece).get("text")) for piece in as_list(told.get("sourceContent")))
    return Citation(
        url=as_text(web.get("url")) or None,
        title=as_text(told.get("title")) or as_text(told.get("source")) or None,
        cited_text=cited or None,
    )


def _part(block: JSON) -> Part | None:
    """The part for a block; None for what no caller's request can bring about."""
    if isinstance(block.get("text"), str):
        return Text(block["text"])
    if "toolUse" in block:
        call = as_object(block["toolUse"])
        arguments = orjson.dumps(as_object(call.get("input"))).decode()
        return ToolCall(as_text(call.get("toolUseId")), as_text(call.get("name")), arguments)
    if "reasoningContent" in block:
        return _thought(as_object(block["reasoningContent"]))
    if "citationsContent" in block:
        cited = as_object(block["citationsContent"])
        pieces = [as_text(as_object(piece).get("text")) for piece in as_list(cited.get("content"))]
        return Text(
            "".join(pieces), citations=[read_citation(one) for one in as_list(cited.get("citations"))]
        )
    return None


def _thought(content: JSON) -> Thinking:
    if redacted := as_text(content.get("redactedContent")):
        return Thinking("", redacted=redacted, provider=PROVIDER)
    told = as_object(content.get("reasoningText"))
    signature = as_text(told.get("signature")) or None
    return Thinking(as_text(told.get("text")), signature, provider=PROVIDER if signature else None)
