"""The pieces of a Gemini stream, decoded by type: the hot path of relays and translations alike.

What is not looked at is skipped; a piece whose known fields have other types is read as plain JSON instead.
"""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.reading import as_count, as_object, total
from proxy_app.wire import JSON, Usage

NOT_JSON = "The provider sent a stream event that is not JSON."


class Call(msgspec.Struct, gc=False):
    args: msgspec.Raw = msgspec.Raw()


class Part(msgspec.Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: Call | None = None


class Content(msgspec.Struct, gc=False):
    parts: list[Part] | None = None


class Candidate(msgspec.Struct, gc=False, rename="camel"):
    content: Content | None = None
    finish_reason: str | None = None
    index: int | None = None
    citation_metadata: Any = None
    grounding_metadata: Any = None


class Detail(msgspec.Struct, gc=False, rename="camel"):
    modality: str | None = None
    token_count: int | None = None


class Tokens(msgspec.Struct, gc=False, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    prompt_tokens_details: list[Detail] | None = None
    candidates_tokens_details: list[Detail] | None = None


class Piece(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[Candidate] | None = None
    usage_metadata: Tokens | None = None
    prompt_feedback: Any = None
    error: Any = None
    response_id: str | None = None
    model_version: str | None = None


_decode_piece = msgspec.json.Decoder(Piece).decode


def decode_piece(data: bytes | memoryview) -> Piece | None:
    """None for a piece of other types. Raises UpstreamInvalid for what is no JSON."""
    try:
        return _decode_piece(data)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError as error:
        raise UpstreamInvalid(NOT_JSON) from error


def load_piece(data: bytes) -> JSON:
    """A piece as plain JSON; one that is alone in an array is taken out of it."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalid(NOT_JSON) from error
    return as_object(body[0] if isinstance(body, list) and len(body) == 1 else body)


def usage_of(tokens: Tokens) -> Usage | None:
    """What `read_usage` makes of the same figures."""
    thoughts = as_count(tokens.thoughts_token_count)
    into = total(as_count(tokens.prompt_token_count), as_count(tokens.tool_use_prompt_token_count))
    out = total(as_count(tokens.candidates_token_count), thoughts)
    if into is None and out is None:
        return None
    return Usage(
        into,
        as_count(tokens.cached_content_token_count),
        output_tokens=out,
        reasoning_tokens=thoughts,
        input_audio_tokens=_audio(tokens.prompt_tokens_details),
        output_audio_tokens=_audio(tokens.candidates_tokens_details),
    )


def _audio(details: list[Detail] | None) -> int | None:
    if not details:
        return None
    return total(*(as_count(one.token_count) for one in details if one.modality == "AUDIO"))
