"""A chunk of a Chat Completions stream, decoded into the fields that are looked at; the rest is skipped."""

import msgspec


class Function(msgspec.Struct, gc=False):
    arguments: str | None = None


class ToolDelta(msgspec.Struct, gc=False):
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolDelta] | None = None


class Choice(msgspec.Struct, gc=False):
    delta: Delta | None = None
    finish_reason: str | None = None
    index: int = 0
    error: msgspec.Raw = msgspec.Raw()  # not `Raw | None`: that takes null only


class Chunk(msgspec.Struct, gc=False):
    choices: list[Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None


class PlainDelta(msgspec.Struct, gc=False):
    """What almost every delta is: text, and nothing else that counts."""

    content: str
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    tool_calls: None = None


class PlainChoice(msgspec.Struct, gc=False):
    delta: PlainDelta
    finish_reason: None = None
    error: None = None


class PlainChunk(msgspec.Struct, gc=False):
    choices: tuple[PlainChoice]
    usage: None = None
    error: None = None


class OpenChoice(msgspec.Struct, gc=False):
    delta: dict[str, msgspec.Raw] | None = None


class OpenChunk(msgspec.Struct, gc=False):
    """A chunk with all that its deltas hold."""

    choices: list[OpenChoice]


SAYS_NOTHING = frozenset({b"null", b'""', b"[]", b"{}", b"false", b"0"})
decode_open = msgspec.json.Decoder(OpenChunk).decode
decode_plain = msgspec.json.Decoder(PlainChunk).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
