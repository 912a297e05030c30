"""The pieces of a Gemini stream, decoded by type: the hot path of relays and translations alike.

What is not looked at is skipped; a piece whose known fields have other types is read as plain JSON instead.
"""

from typing import Annotated, Any

import msgspec
import orjson

from gateway_project.errors import UpstreamInvalid
from proxy_app.formats.gemini.usage import read_tier, read_usage
from proxy_app.formats.reading import as_object
from proxy_app.wire import JSON, Usage

NOT_JSON = "The provider sent a stream event that is not JSON."


Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


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


class Tokens(msgspec.Struct, gc=False, rename="camel"):
    prompt_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    traffic_type: str | None = None
    service_tier: str | None = None


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


def tier_of(tokens: Tokens) -> str | None:
    return read_tier({"trafficType": tokens.traffic_type, "serviceTier": tokens.service_tier})


def usage_of(tokens: Tokens, data: bytes) -> Usage | None:
    """What `read_usage` makes of the same figures; `data` is the whole piece."""
    if b"AUDIO" in data:
        return read_usage(load_piece(data).get("usageMetadata"))
    into, out, thoughts = (
        tokens.prompt_token_count,
        tokens.candidates_token_count,
        tokens.thoughts_token_count,
    )
    if tokens.tool_use_prompt_token_count is not None:
        into = (into or 0) + tokens.tool_use_prompt_token_count
    if thoughts is not None:
        out = (out or 0) + thoughts
    if into is None and out is None:
        return None
    return Usage(into, tokens.cached_content_token_count, None, None, out, thoughts)
