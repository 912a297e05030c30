"""One call between a caller's format and a provider's: all the pipeline asks of formats.

The same format on both sides is relayed as it is; different ones are translated through `wire`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from gateway_project.errors import (
    GatehouseError,
    InvalidBody,
    UnsupportedParameter,
    UpstreamFailed,
    UpstreamInvalid,
)
from proxy_app.formats.anthropic.usage import read_usage as read_anthropic_usage
from proxy_app.formats.carrying import in_words
from proxy_app.formats.contract import KeptAnswer, RenderedError, RenderOptions, StreamPipe
from proxy_app.formats.depth import refusing_depth
from proxy_app.formats.families import forget_foreign
from proxy_app.formats.fitting import fit
from proxy_app.formats.gemini.request import WHOLE_REQUESTS
from proxy_app.formats.hosted import leave_out_hosted
from proxy_app.formats.lenient import load
from proxy_app.formats.naming import call_ids, made_up_id, rename_calls, rename_tools
from proxy_app.formats.one_call import first_call_alone
from proxy_app.formats.openai_chat.usage import read_usage as read_chat_usage
from proxy_app.formats.openai_responses.response import observe_kept as observe_kept_response
from proxy_app.formats.openai_responses.usage import usage_of as read_responses_usage
from proxy_app.formats.registry import INBOUND, UPSTREAM
from proxy_app.formats.signing import give_back
from proxy_app.formats.translation import Translation, observe_parts
from proxy_app.formats.wrapping import unwrap_answer, wrap_schema
from proxy_app.wire import JSON, Address, CallFacts, Observed, Outgoing, Signed, Target, ToolCall, Usage

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def choose_format(
    inbound: str, formats: Sequence[str], quirks: Mapping[str, Any], body: JSON, model: str = ""
) -> str:
    """Which of the formats a provider speaks (the first is its main one) serves a caller's call best:
    the caller's own, unless the model wants another, always or for what is asked. `model` is the
    provider's name for it."""
    if inbound == "openai_completions" and _completes(model, quirks.get("completions")):
        return inbound
    if (preferred := quirks.get("prefers")) in formats:
        return str(preferred)
    chosen = inbound if inbound in formats else formats[0]
    if chosen == "anthropic" and "openai_chat" in formats and _is_unheeded(body, quirks):
        return "openai_chat"
    if chosen != "openai_chat" or "openai_responses" not in formats or not body.get("tools"):
        return chosen
    need = quirks.get("tools_need_responses")
    if not need or (need == "unless_effort_none" and body.get("reasoning_effort") == "none"):
        return chosen
    return "openai_responses"


def _is_unheeded(body: JSON, quirks: Mapping[str, Any]) -> bool:
    """Whether Messages ask for what the server would pass over in silence: a schema, or a tool by name."""
    settings, choice = body.get("output_config"), body.get("tool_choice")
    if quirks.get("no_named_tools") and isinstance(choice, dict) and choice.get("type") == "tool":
        return True
    has_schema = body.get("output_format") or (isinstance(settings, dict) and settings.get("format"))
    return bool(has_schema and quirks.get("schemas_need_chat"))


def _completes(model: str, quirk: Any) -> bool:
    """Whether the provider serves completions by this model: all of them, or those whose names begin so."""
    return quirk is True or (isinstance(quirk, list | tuple) and model.startswith(tuple(quirk)))


def read_call(inbound: str, body: JSON, address: Address) -> CallFacts:
    """What the gateway needs to know of a body. Raises InvalidBody."""
    return INBOUND[inbound].read_call(body, address)


def build_outgoing(
    inbound: str,
    target: Target,
    raw: bytes,
    body: JSON,
    facts: CallFacts,
    signed: Mapping[str, Signed] | None = None,
) -> Outgoing:
    """The provider request for a caller's body (`raw` parsed is `body`). Raises BadRequest.

    `signed` is what was kept of earlier answers, by tool call id, for formats without a field for it.
    """
    if inbound == target.format:
        return INBOUND[inbound].relay_request(raw, body, facts, target)
    left_out: tuple[str, ...] = ()
    if target.quirks.get("drop_hosted_tools"):
        body, left_out = leave_out_hosted(inbound, body)
    told = (*INBOUND[inbound].known.check(body), *left_out)
    conversation = INBOUND[inbound].parse_request(body, facts)
    forget_foreign(conversation, target)
    if signed:
        give_back(conversation, signed)
    upstream, words = UPSTREAM[target.format], INBOUND[inbound].words
    target.one_call = conversation.parallel_tools is False
    target.wrapped = not upstream.any_schema and wrap_schema(conversation)
    target.tool_names = rename_tools(conversation, upstream.tool_name)
    rename_calls(conversation, call_ids(upstream, target))
    dropped = fit(conversation, target.quirks)
    try:
        outgoing = upstream.build_request(conversation, target)
    except (InvalidBody, UnsupportedParameter) as error:
        raise in_words(error, words) from None
    named = (words.get(name, name) for name in (*outgoing.dropped, *dropped))
    outgoing.dropped = (*named, *told)
    return outgoing


def whole_request(body: JSON) -> JSON | None:
    """What would be asked, where a body that is to be counted has it one level deeper, as Gemini's may."""
    return next((body[name] for name in WHOLE_REQUESTS if isinstance(body.get(name), dict)), None)


def with_verb(inbound: str, path: str, verb: str) -> str:
    """A provider's address for another verb than to answer: its last word with Gemini, else one more."""
    if inbound == "gemini":
        return f"{path.rpartition(':')[0]}:{verb}"
    return f"{path}/{verb}"


def name_output_limit(inbound: str, raw: bytes, body: JSON, tokens: int) -> tuple[bytes, JSON]:
    """The caller's body (`raw` parsed is `body`) with its longest answer named, as bytes and parsed; every
    other value keeps its bytes."""
    spoken = INBOUND[inbound] if inbound in INBOUND else UPSTREAM[inbound]
    name, *rest = spoken.output_limit
    if body and not rest and name not in body:
        # Put before all else: for one number a long body is not read again.
        start = raw.index(b"{") + 1
        return b'%b"%b":%d,%b' % (raw[:start], name.encode(), tokens, raw[start:]), {**body, name: tokens}
    named = _put(raw, spoken.output_limit, tokens)
    return named, orjson.loads(named)


def watched_as(wire: str) -> str:
    """The callers' format in which a provider's answer is looked at as it passes: its own, or Chat
    Completions where no caller speaks it."""
    return wire if wire in INBOUND else "openai_chat"


def _put(raw: bytes, path: Sequence[str], value: int) -> bytes:
    fields = _decode_fields(raw)
    name, *rest = path
    name = next((spelt for spelt in (_snake_case(name), name) if spelt in fields), name)
    inner = _put(fields.get(name, b"{}"), rest, value) if rest else str(value).encode()
    return msgspec.json.encode({**fields, name: msgspec.Raw(inner)})


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def convert_answer(
    inbound: str, target: Target, raw: bytes, facts: CallFacts, options: RenderOptions
) -> tuple[bytes, Observed]:
    """The caller's bytes of a provider's 2xx answer. Raises UpstreamFailed when the answer is an error
    after all or cannot be read."""
    with refusing_depth:
        return _convert_answer(inbound, target, raw, facts, options)


def _convert_answer(
    inbound: str, target: Target, raw: bytes, facts: CallFacts, options: RenderOptions
) -> tuple[bytes, Observed]:
    try:
        body = load(raw)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalid from error
    if not isinstance(body, dict):
        raise UpstreamInvalid
    if inbound == target.format:
        return raw, INBOUND[inbound].observe_answer(body)
    answer = UPSTREAM[target.format].parse_answer(body)
    if target.one_call:
        first_call_alone(answer)
    if target.wrapped:
        unwrap_answer(answer)
    for place, call in enumerate(part for part in answer.parts if isinstance(part, ToolCall)):
        call.name = target.tool_names.get(call.name, call.name)
        call.id = call.id or made_up_id(options.answer_id, place)
    return orjson.dumps(INBOUND[inbound].render_answer(answer, options)), observe_parts(answer)


def read_usage(body: JSON) -> Usage | None:
    """What an answer that is no conversation says it used: input alone, or with output."""
    found = read_responses_usage(body) or read_chat_usage(body.get("usage"))
    if found is not None and found.output_tokens is None:
        found.output_tokens = 0
    return found


def read_message_usage(body: JSON) -> Usage | None:
    """What a message of Anthropic's says it used."""
    return read_anthropic_usage(body.get("usage"))


def observe_kept(body: JSON) -> KeptAnswer | None:
    """How an answer ended that a provider keeps, asked for by its id; None while it is being made."""
    return observe_kept_response(body)


def open_pipe(inbound: str, target: Target, facts: CallFacts, options: RenderOptions) -> StreamPipe:
    """The way of one stream, from the first byte of a provider's 2xx answer on."""
    if inbound == target.format:
        return INBOUND[inbound].open_relay(facts)
    upstream, renderer = UPSTREAM[target.format], INBOUND[inbound].open_renderer(options)
    return Translation(
        upstream.open_parser(),
        renderer,
        target.tool_names,
        upstream.parse_answer,
        answer_id=options.answer_id,
        one_call=target.one_call,
        wrapped=target.wrapped,
    )


def read_failure(target: Target, status: int, headers: Mapping[str, str], raw: bytes) -> UpstreamFailed:
    """The error for a provider's answer that is not 2xx; free of credentials."""
    spoken = "openai_chat" if target.format == "openai_completions" else target.format
    return UPSTREAM[spoken].read_failure(status, headers, raw)


def render_error(inbound: str, error: GatehouseError, request_id: str) -> RenderedError:
    """Status, body and headers of an error, in the caller's dialect."""
    return INBOUND[inbound].render_error(error, request_id)


def keep_alive(inbound: str) -> bytes:
    """Bytes that may be sent in a silent stream without the caller's SDK noticing."""
    return INBOUND[inbound].keep_alive


def stream_content_type(inbound: str, facts: CallFacts) -> str:
    """A stream that is told apart as an array is one JSON document."""
    if facts.framing == "array":
        return "application/json; charset=utf-8"
    return INBOUND[inbound].stream_content_type


def forwarded(inbound: str, target: Target) -> frozenset[str]:
    """Names of the caller's headers that its own provider is sent too; none across formats."""
    return INBOUND[inbound].forwarded if inbound == target.format else frozenset()
