"""Where the documents are not taken at their word, each place with its reason.

A place is (side, document, path): what is `asked` of a provider or `told` to a caller, and a schema's name
followed by fields ([] after one: in each item of it). `test_documents` says which of these a newer document
makes needless.
"""

from copy import deepcopy
from typing import Any, Final

JSON = dict[str, Any]
Place = tuple[str, str, str]

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SEALED: Final = {"type": "object", "properties": {"google": {"type": "object"}}, "required": ["google"]}
_THOUGHTS: Final = {
    "type": "array",
    "items": {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "index": _COUNT,
                    "type": {"const": "thinking"},
                    "thinking": _TEXT,
                    "signature": {"type": ["string", "null"]},
                },
                "required": ["type", "thinking"],
            },
            {
                "type": "object",
                "properties": {"index": _COUNT, "type": {"const": "redacted_thinking"}, "data": _TEXT},
                "required": ["type", "data"],
            },
        ]
    },
}
_AUDIO: Final = {
    "type": "object",
    "properties": {
        "type": {"const": "input_audio"},
        "input_audio": {
            "type": "object",
            "properties": {"data": _TEXT, "format": {"enum": ["wav", "mp3"]}},
            "required": ["data", "format"],
        },
    },
    "required": ["type", "input_audio"],
}

_CODE: Final = {"type": "object", "properties": {"error_code": _TEXT}, "required": ["error_code"]}
_TOO_LARGE: Final = {
    "type": "object",
    "properties": {"type": {"const": "request_too_large"}, "message": _TEXT, "details": _CODE},
    "required": ["type", "message"],
}
_ERRORS: Final = ("APIError", "AuthenticationError", "GatewayTimeoutError", "InvalidRequestError")
_ERRORS_TOO: Final = ("NotFoundError", "OverloadedError", "PermissionError", "RateLimitError")

_NEWER: Final = "in the official SDK's types; the document is older"
_SHOWN: Final = (
    "how compatible servers show thoughts and clients read them; Chat Completions has no word for it"
)
_KEPT: Final = "what must come back with the next request and has no place of its own; clients carry it along"
_RAISED: Final = "SDKs raise on it, as on OpenAI's own errors amid a stream; what is flat they hand on"
#: Fields that are there and not described: how they are, or like which other field they are.
FIELDS: dict[Place, tuple[JSON | str, str]] = {
    ("told", "openai", "CompletionUsage.prompt_tokens_details.cache_write_tokens"): (_COUNT, _NEWER),
    ("told", "openai", "ResponseUsage.input_tokens_details.cache_write_tokens"): (_COUNT, _NEWER),
    ("told", "openai", "ChatCompletionResponseMessage.reasoning_content"): (_TEXT, _SHOWN),
    ("told", "openai", "ChatCompletionStreamResponseDelta.reasoning_content"): (_TEXT, _SHOWN),
    ("told", "openai", "ChatCompletionResponseMessage.thinking_blocks"): (_THOUGHTS, _KEPT),
    ("told", "openai", "ChatCompletionStreamResponseDelta.thinking_blocks"): (_THOUGHTS, _KEPT),
    ("asked", "openai", "ChatCompletionRequestAssistantMessage.reasoning_content"): (
        _TEXT,
        "DeepSeek wants back what it thought with the calls it led to; no other kind of provider is sent it",
    ),
    ("told", "openai", "ChatCompletionMessageToolCall.extra_content"): (_SEALED, _KEPT),
    ("told", "openai", "ChatCompletionMessageToolCallChunk.extra_content"): (_SEALED, _KEPT),
    ("told", "openai", "ChatCompletionStreamResponseDelta.annotations"): (
        "ChatCompletionResponseMessage.annotations",
        "OpenAI streams them so; only the whole message is described with them",
    ),
    ("told", "openai", "ResponseFailedEvent.error"): ("ErrorResponse.error", _RAISED),
    ("told", "openai", "ResponseErrorEvent.error"): ("ErrorResponse.error", _RAISED),
    ("told", "openai", "ResponseProperties.store"): (
        {"type": "boolean"},
        "in OpenAI's answers and the document's examples",
    ),
    ("asked", "gemini", "FunctionResponsePart.fileData"): (
        {"$ref": "#/$defs/FileData"},
        "in the official SDK's types, and described by Vertex AI",
    ),
    ("told", "openai", "CreateTranscriptionResponseVerboseJson.task"): (_TEXT, "in OpenAI's own answers"),
    ("told", "openai", "CreateTranslationResponseJson.usage"): (
        {"$ref": "#/components/schemas/TranscriptTextUsageDuration"},
        "the sandbox tells how much it heard, as transcriptions do",
    ),
    ("told", "openai", "ImagesUsage.output_tokens_details"): (
        "ImageGenUsage.output_tokens_details",
        "told in a stream as in a whole answer, which is described with it",
    ),
    ("told", "anthropic", "ModelInfo.lifecycle"): ({"enum": ["active"]}, _NEWER),
    ("told", "gemini", "CitationSource.title"): (_TEXT, "in the official SDK's `Citation`, and on Vertex AI"),
}
FIELDS |= {
    ("told", "anthropic", f"{name}.details"): (_CODE, "the gateway's own code: its kinds of error are more")
    for name in _ERRORS + _ERRORS_TOO
}

_UNSTORED: Final = "an id names what a provider stored, and nothing is; Codex sends them without one too"
_AS_CLAUDE: Final = "goes back with the next request; Claude leaves it out too, and it has a default"
#: Fields that are described as always there and may be missing.
MISSING: Final[dict[Place, str]] = {
    ("asked", "openai", "OutputMessage.id"): _UNSTORED,
    ("asked", "openai", "OutputMessage.status"): _UNSTORED,
    ("asked", "openai", "OutputTextContent.logprobs"): "nothing of an earlier answer's is asked for again",
    ("asked", "openai", "ReasoningItem.id"): _UNSTORED,
    ("asked", "gemini", "GenerateContentRequest.model"): "the address names it",
    ("asked", "gemini", "FunctionDeclaration.description"): "taken without, as an empty text counts as none",
    ("told", "gemini", "Model.baseModelId"): "left out of Google's own lists; the official SDK refuses it",
    ("told", "anthropic", "ResponseTextBlock.citations"): _AS_CLAUDE,
    ("told", "anthropic", "ResponseToolUseBlock.caller"): _AS_CLAUDE,
}

#: Fields that may be null.
NULLS: dict[Place, str] = {
    ("told", "openai", "CreateCompletionResponse.choices[].finish_reason"): (
        "until a stream's last piece; the document has one description of whole answers and pieces"
    ),
}

_UNTIL: Final = "null in the document's own example until there is one"
NULLS |= {("told", "openai", f"Batch.{name}_file_id"): _UNTIL for name in ("output", "error")}

#: Alternatives that are not described.
OTHERS: Final[dict[Place, tuple[JSON, str]]] = {
    ("asked", "openai", "InputContent"): (_AUDIO, "compatible servers take it; OpenAI says why it does not"),
    ("told", "anthropic", "ErrorResponse.error"): (_TOO_LARGE, "told by Claude with 413, as its pages say"),
}


def amend(published: JSON, document: str, side: str) -> JSON:
    known = deepcopy(published)
    for (of, about, path), (schema, _) in FIELDS.items():
        if (of, about) == (side, document):
            owner, field = owner_of(known, path)
            owner["properties"][field] = _like(known, schema) if isinstance(schema, str) else schema
    for of, about, path in MISSING:
        if (of, about) == (side, document):
            owner, field = owner_of(known, path)
            owner["required"] = [name for name in owner["required"] if name != field]
    for of, about, path in NULLS:
        if (of, about) == (side, document):
            owner, field = owner_of(known, path)
            owner["properties"][field] = {"anyOf": [owner["properties"][field], {"type": "null"}]}
    for (of, about, path), (schema, _) in OTHERS.items():
        if (of, about) == (side, document):
            union = _like(known, path) if "." in path else known[path]
            union["oneOf"] = [*union["oneOf"], schema]
    return known


def owner_of(known: JSON, path: str) -> tuple[JSON, str]:
    """The schema that a field belongs to, and the field."""
    name, *between, field = path.split(".")
    owner = known[name]
    for step in between:
        inner = owner["properties"][step.removesuffix("[]")]
        owner = inner["items"] if step.endswith("[]") else inner
    return owner, field


def _like(known: JSON, path: str) -> Any:
    owner, field = owner_of(known, path)
    return owner["properties"][field]
