"""Our own types for what travels through a call, whatever wire format brought it.

A translation always goes caller's format -> these types -> provider's format. Pure data: no I/O,
no Django, no HTTP client. Counts are tokens; `None` means "not told", never zero.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

JSON = dict[str, Any]

# ---------------------------------------------------------------- conversation


@dataclass(slots=True)
class Citation:
    """Where a text has something from: a web address or a document of the request. `start` and `end`
    count characters of the answer's text, where a format tells them."""

    url: str | None = None
    title: str | None = None
    cited_text: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(slots=True)
class Text:
    text: str
    cache_control: JSON | None = None
    citations: list[Citation] = field(default_factory=list)


@dataclass(slots=True)
class Image:
    """Either `url`, or base64 `data` with its `media_type`."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: str | None = None
    cache_control: JSON | None = None
    path: str = field(default="", compare=False)  # where the caller wrote it, for an error's `param`


@dataclass(slots=True)
class File:
    """A document: `url`, or base64 `data` with `media_type`, or a provider's own `file_id`."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    filename: str | None = None
    file_id: str | None = None
    cache_control: JSON | None = None
    path: str = field(default="", compare=False)  # where the caller wrote it, for an error's `param`


@dataclass(slots=True)
class Audio:
    data: str
    media_type: str
    path: str = field(default="", compare=False)  # where the caller wrote it, for an error's `param`


@dataclass(slots=True)
class ToolCall:
    """`arguments` is a JSON text as the model wrote it ('' counts as '{}'); `id` is empty where a provider
    gave none, until the answer is rendered."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    cache_control: JSON | None = None
    path: str = field(default="", compare=False)  # where the caller wrote it, for an error's `param`


@dataclass(slots=True)
class ToolResult:
    call_id: str
    parts: list["Part"]
    name: str | None = None
    is_error: bool = False
    cache_control: JSON | None = None


@dataclass(slots=True)
class Thinking:
    """`redacted` is the provider's opaque data in place of text; `provider` the family that signed it
    (anthropic, cohere, gemini, openai), None for bare text. Only that family is ever sent it back."""

    text: str
    signature: str | None = None
    redacted: str | None = None
    provider: str | None = None
    id: str | None = None


@dataclass(slots=True)
class Refusal:
    text: str


Part = Text | Image | File | Audio | ToolCall | ToolResult | Thinking | Refusal
Role = Literal["system", "user", "assistant"]


@dataclass(slots=True)
class Turn:
    """Tool results stand in user turns, tool calls in assistant turns."""

    role: Role
    parts: list[Part]
    path: str = field(default="", compare=False)  # where the caller wrote the last of it


@dataclass(slots=True)
class Tool:
    name: str
    description: str | None = None
    schema: JSON | None = None
    strict: bool | None = None
    cache_control: JSON | None = None


@dataclass(slots=True)
class ToolChoice:
    """`names` empty: any tool; one name with mode 'required': that tool; more: that subset."""

    mode: Literal["auto", "required", "none"]
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class OutputFormat:
    kind: Literal["text", "json", "schema"] = "text"
    schema: JSON | None = None
    name: str | None = None
    strict: bool | None = None
    description: str | None = None


@dataclass(slots=True)
class Sampling:
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: list[str] = field(default_factory=list)
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: JSON | None = None


@dataclass(slots=True)
class Reasoning:
    """`effort` in OpenAI's words (none .. max), or a budget in tokens (0 off, -1 automatic)."""

    effort: str | None = None
    budget_tokens: int | None = None
    include_thoughts: bool | None = None


@dataclass(slots=True)
class Conversation:
    model: str
    turns: list[Turn]
    tools: list[Tool] = field(default_factory=list)
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: OutputFormat = field(default_factory=OutputFormat)
    sampling: Sampling = field(default_factory=Sampling)
    max_output_tokens: int | None = None
    reasoning: Reasoning | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    end_user: str | None = None
    metadata: JSON | None = None
    cache_control: JSON | None = None  # of the conversation as a whole
    stream: bool = False


# ---------------------------------------------------------------- answers


class Finish(StrEnum):
    """Why a model stopped. Formats map it to and from their own words."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    PAUSE = "pause"


@dataclass(slots=True)
class Usage:
    """Tokens as the provider counted them. `input_tokens` includes cache reads and writes,
    `output_tokens` includes reasoning; every other figure is a part of one of those two."""

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None  # all lifetimes together
    cache_write_1h_tokens: int | None = None  # the part of them that lives an hour
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    units: dict[str, int] = field(default_factory=dict)  # what is no token, by `usage_app.pricing.UNITS`
    geography: str = ""  # where the model ran, if the provider tells: its price may depend on it
    answered_by: str = ""  # another model of the provider's that answered in place of the one asked


@dataclass(slots=True)
class Answer:
    """One complete answer of a model (candidate 0 where a format has several)."""

    id: str
    model: str
    parts: list[Part]
    finish: Finish
    usage: Usage | None = None
    created: int = 0  # seconds since the epoch; 0: the renderer takes its own time argument
    stop_sequence: str | None = None
    service_tier: str | None = None  # in OpenAI's words
    finish_word: str | None = None  # the provider's own for its end, where it is none we know


# ---------------------------------------------------------------- stream events


@dataclass(slots=True)
class Started:
    id: str
    model: str
    created: int = 0
    service_tier: str | None = None  # as in `Answer`, where it is known from the start


@dataclass(slots=True)
class TextDelta:
    text: str


@dataclass(slots=True)
class RefusalDelta:
    text: str


@dataclass(slots=True)
class CitationDelta:
    """Belongs to the text before it."""

    citation: Citation


@dataclass(slots=True)
class ThinkingDelta:
    text: str


@dataclass(slots=True)
class SignatureDelta:
    """Ends a thinking part, or signs the tool call named by `call_index`. `provider` is the family that
    signed, as in `Thinking`."""

    signature: str
    call_index: int | None = None
    redacted: bool = False
    provider: str | None = None
    id: str | None = None


@dataclass(slots=True)
class ToolCallStarted:
    """`index` counts the answer's tool calls from 0. `id` is as in `ToolCall`."""

    index: int
    id: str
    name: str


@dataclass(slots=True)
class ToolCallDelta:
    index: int
    fragment: str


@dataclass(slots=True)
class UsageReported:
    """Usage so far; a later report overwrites an earlier one figure by figure."""

    usage: Usage


@dataclass(slots=True)
class Finished:
    finish: Finish
    stop_sequence: str | None = None
    service_tier: str | None = None  # counts more than what was told at the start
    word: str | None = None  # as `finish_word` in `Answer`


@dataclass(slots=True)
class Terminated:
    """The provider's own end of stream was seen: the answer is whole."""


StreamEvent = (
    Started
    | TextDelta
    | RefusalDelta
    | CitationDelta
    | ThinkingDelta
    | SignatureDelta
    | ToolCallStarted
    | ToolCallDelta
    | UsageReported
    | Finished
    | Terminated
)

# ---------------------------------------------------------------- what a call asks and observes


@dataclass(frozen=True, slots=True)
class Address:
    """What a request's address itself asks for, where a format puts it there."""

    model: str | None = None
    stream: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    verb: str = ""  # another than to answer, which only a provider of the same format knows


NOWHERE = Address()


class CallFacts(msgspec.Struct):
    """What the gateway itself needs of a caller's body; read without a full parse."""

    model: str
    stream: bool = False
    wants_usage: bool = False  # the caller asked for the usage chunk of a stream
    max_output_tokens: int | None = None
    candidates: int = 1
    end_user: str | None = None
    tags: tuple[str, ...] = ()
    session: str | None = None
    framing: str = "sse"  # or "array": how the caller wants a stream's pieces told apart
    continues: str | None = None  # id of a stored answer that this call goes on from
    is_kept: bool = False  # the provider is to keep the answer under its id
    background: bool = False  # the provider is to answer later, under that id
    most: Usage | None = None  # of what is no conversation: the most it may use
    likely: Usage | None = None  # and what it used, where the provider does not tell


@dataclass(slots=True)
class Target:
    """Where an attempt goes, as far as a format must know. What follows `quirks` is filled when its request
    is built: `tool_names` that were changed for the provider -> as the caller wrote them, whether the
    caller wants `one_call` at a time, and whether its answer is `wrapped` in an object."""

    format: str
    upstream_model: str
    quirks: Mapping[str, Any] = field(default_factory=dict)
    tool_names: dict[str, str] = field(default_factory=dict, compare=False)
    one_call: bool = field(default=False, compare=False)
    wrapped: bool = field(default=False, compare=False)


class BodySource(Protocol):
    """A body that is not held in memory. It may be read more than once."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def chunks(self) -> AsyncIterator[bytes]: ...


class Outgoing(msgspec.Struct):
    """A provider request. `path` is relative to the provider's base address, or to its host."""

    path: str
    body: bytes | BodySource
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    dropped: tuple[str, ...] = ()  # parameters left out because the model does not take them
    method: str = "POST"
    model: str = ""  # where a body that is not JSON names it
    from_host: bool = False
    lost_thoughts: bool = False  # thinking is off, because signed thoughts that must go back are lost


@dataclass(slots=True)
class Signed:
    """What must go back to a provider with a tool call: its own signature, and the thoughts before it."""

    signature: str | None = None
    thoughts: tuple[Thinking, ...] = ()


class Observed(msgspec.Struct):
    """What the gateway learns from an answer or a stream while it passes."""

    usage: Usage | None = None
    finish: Finish | None = None
    finish_word: str | None = None  # as in `Answer`
    content_started: bool = False  # something the caller can see has been produced
    ended: bool = False  # the provider's own terminator was seen
    output_chars: int = 0  # characters of visible text, thoughts and tool arguments
    output_events: int = 0  # content deltas seen: roughly tokens
    upstream_id: str | None = None
    served_model: str | None = None
    service_tier: str | None = None  # that the provider says it served in, in its own word
    signed: dict[str, Signed] = msgspec.field(default_factory=dict)  # by tool call id
