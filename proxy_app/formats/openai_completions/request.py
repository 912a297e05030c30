"""Completions requests: read, relayed, or told as a conversation of one turn.

Source: the OpenAI SDK's `types/completion_create_params.py`. Without `max_tokens` a provider of this format
writes 16 tokens; in a conversation as many as it likes. Refused where it is translated: several prompts,
token numbers, `suffix`, `echo`, `logprobs`, and a `best_of` above `n`.
"""

from typing import Any

import msgspec
import orjson

from gateway_project.errors import InvalidBody, UnsupportedContent, UnsupportedParameter
from proxy_app.formats.claims import claimed_end_user, claimed_tags
from proxy_app.formats.knowing import Known, shape
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.wire import (
    JSON,
    NOWHERE,
    Address,
    CallFacts,
    Conversation,
    Outgoing,
    Sampling,
    Target,
    Text,
    Turn,
)

PATH = "/completions"
HEADERS = {"content-type": "application/json"}
MAX_CANDIDATES = 128
KNOWN = Known(
    shape(
        "model prompt stream max_tokens n best_of user metadata temperature top_p top_k seed"
        " frequency_penalty presence_penalty stop logit_bias safety_identifier echo",
        stream_options=shape("include_usage", "include_obfuscation continuous_usage_stats"),
    )
)
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_call(body: JSON, address: Address = NOWHERE) -> CallFacts:
    """What the gateway needs of a body. Raises InvalidBody."""
    fields = Fields(body)
    model = address.model or fields.text("model")
    if not model.strip():
        raise InvalidBody("'model' must not be empty.", param="model")
    prompts = _prompts(fields)
    options = fields.maybe_object("stream_options")
    each = max(fields.maybe_count("n", minimum=1) or 1, fields.maybe_count("best_of", minimum=1) or 1)
    if each * prompts > MAX_CANDIDATES:
        raise wrong_type("n", f"at most {MAX_CANDIDATES} answers in all")
    return CallFacts(
        model=model,
        stream=fields.maybe_flag("stream") or False,
        wants_usage=bool(options and options.maybe_flag("include_usage")),
        max_output_tokens=fields.maybe_count("max_tokens"),
        candidates=each * prompts,
        end_user=claimed_end_user(fields),
        tags=claimed_tags(body.get("metadata")),
    )


def _prompts(fields: Fields) -> int:
    """How many prompts there are: texts, or lists of token numbers."""
    value = fields.get("prompt")
    if value is None:
        raise InvalidBody("'prompt' is missing.", param="prompt")
    if isinstance(value, str):
        return 1
    if not isinstance(value, list) or not value:
        raise wrong_type("prompt", "a string or an array")
    if all(type(item) is int for item in value):
        return 1
    for position, item in enumerate(value):
        is_tokens = isinstance(item, list) and item and all(type(number) is int for number in item)
        if not isinstance(item, str) and not is_tokens:
            raise wrong_type(f"prompt[{position}]", "a string or an array of token numbers")
    return len(value)


def relay_request(raw: bytes, body: JSON, facts: CallFacts, target: Target) -> Outgoing:
    """The caller's own body with the model renamed and the stream's usage asked for."""
    fields: dict[str, Any] = _decode_fields(raw)
    fields["model"] = target.upstream_model
    if facts.stream and not target.quirks.get("no_stream_options"):
        options = body.get("stream_options")
        wanted = {**options, "include_usage": True} if isinstance(options, dict) else {"include_usage": True}
        fields["stream_options"] = msgspec.Raw(orjson.dumps(wanted))
    return Outgoing(PATH, msgspec.json.encode(fields), dict(HEADERS))


def parse_request(body: JSON, facts: CallFacts | None = None) -> Conversation:
    """The prompt as a user's turn. Raises UnsupportedContent, UnsupportedParameter."""
    facts = facts or read_call(body)
    fields = Fields(body)
    if body.get("echo") is True:
        raise UnsupportedParameter("'echo' cannot be carried to this model.", param="echo")
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        (prompt,) = prompt
    if not isinstance(prompt, str):
        raise UnsupportedContent("'prompt': only a single text can be carried to this model.", param="prompt")
    count = fields.maybe_count("n", minimum=1) or 1
    if (fields.maybe_count("best_of", minimum=1) or 1) > count:
        raise UnsupportedParameter("'best_of' cannot be carried to this model.", param="best_of")
    stop = fields.get("stop")
    return Conversation(
        model=facts.model,
        turns=[Turn("user", [Text(prompt)])],
        sampling=Sampling(
            temperature=fields.maybe_number("temperature"),
            top_p=fields.maybe_number("top_p"),
            top_k=fields.maybe_count("top_k"),
            seed=fields.maybe_count("seed", minimum=-(2**53)),
            frequency_penalty=fields.maybe_number("frequency_penalty"),
            presence_penalty=fields.maybe_number("presence_penalty"),
            stop=[stop] if isinstance(stop, str) else fields.texts("stop"),
            n=facts.candidates,
            logit_bias=fields.maybe_json("logit_bias"),
        ),
        max_output_tokens=facts.max_output_tokens or None,
        end_user=facts.end_user,
        stream=facts.stream,
    )
