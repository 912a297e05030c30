"""What a kind of provider is made of, and the words its data may use. Pure data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

WireFormat = Literal["openai_chat", "openai_responses", "anthropic", "gemini", "bedrock_converse", "cohere"]
Auth = Literal[
    "bearer", "x-api-key", "x-goog-api-key", "api-key", "google-service-account", "aws-sigv4", "none"
]
#: How an address is made of a path: `addressing` has a function for each.
AddressStyle = Literal["plain", "azure", "vertex", "bedrock_invoke", "bedrock_converse"]

#: Every quirk a provider may have, and what it means. Formats and the pipeline read them.
QUIRKS: Mapping[str, str] = {
    "max_tokens_field": "Name of the field that limits the output; else max_completion_tokens.",
    "seed_field": "Name of the field of the seed; else seed.",
    "no_stream_options": "True: the server refuses stream_options and reports usage by itself.",
    "system_role": "Role of instructions; else system (in Responses, amid a conversation, developer).",
    "default_max_tokens": "Output limit sent where the format demands one and the caller named none; else "
    "what suits the Claude model and how hard it is to think.",
    "thinking_style": "budget, or level (Gemini) or adaptive (Claude): how the models are told to think; "
    "else what suits their name.",
    "known_as": "Name of the Claude model whose rules hold (sampling, thinking, tools, schemas), where "
    "the model's own does not tell: `claude-haiku-4-5`; else what its name tells.",
    "api_version": "Version in the path of a Gemini address; else v1beta.",
    "web_media": "Whether a Gemini model takes public addresses of media; else what suits its generation.",
    "prefers": "Name of the format the model is always called in, where the caller's would else do.",
    "tools_need_responses": "True: the model takes tools on the Responses endpoint only; "
    "unless_effort_none: on Chat Completions too where the caller asks for no reasoning.",
    "no_named_tools": "True: the server heeds no names in tool_choice: Messages that name a tool are "
    "translated, and translated calls leave out the tools that are not named.",
    "schemas_need_chat": "True: the server heeds an answer's schema in Chat Completions only: Messages with "
    "one are translated.",
    "no_schemas": "True: the server has JSON mode, and no schemas of answers: a translated call asks for the "
    "form in words, and tells so.",
    "thinking_switch": 'True: the model thinks unless it is sent `thinking: {"type": "disabled"}`, and '
    "cannot be made to call a tool while it does: where one is forced, it does not think.",
    "form_field": "Name of the field in which a server of Responses takes an answer's schema, written as in "
    "Chat Completions, and knows no JSON mode; else text.format.",
    "own_tools": "Tools of the provider's own (web_search) that a translated call offers on Responses beside "
    "the caller's, unless it is to call one of those, or none.",
    "storage": "Beginnings of addresses in the cloud's storage (`gs://bucket/shared/`, `s3://…`) that "
    "callers may name: the provider reads them by the account it is called with. None without it.",
    "drop": "Names of parameters the model does not take: left out when a call is translated, and told so.",
    "drop_when_reasoning": "The same, unless the caller asks for no reasoning.",
    "drop_hosted_tools": "True: tools that the caller's own provider runs (its search of the web, its "
    "sandbox) are left out when a call is translated, and told so; else they are refused.",
    "thoughts_field": "Name of the field in which the server wants back what it thought, with tool calls at "
    "all times; else translated calls leave thoughts out.",
    "no_reasoning": "True: the model does not reason: how hard to think is left out of a translated call.",
    "efforts": "Words for how hard to think that the model knows (none, low, high); else all of them. A "
    "translated call has the nearest.",
    "short_call_ids": "True: ids of tool calls are nine letters and digits, and others are translated so.",
    "family": "Whose signed thoughts the model takes back: anthropic, gemini, openai or another word; else "
    "what its name tells.",
    "anthropic_root": "Path before /v1/messages at a server whose main format is another.",
    "completions": "Whether the server has the older completions: true, or how the names of models that "
    "have it begin; else they are asked as in a conversation.",
    "rerank_path": "Where rerank stands, from the host on; else /rerank behind the base address.",
    "files": "Whose Files API the server has: true for OpenAI's under /files, else anthropic or gemini.",
    "batches": "Percent of its price that a call in a batch costs; only for servers with OpenAI's /batches.",
    "message_batches": "The same of servers with Anthropic's /v1/messages/batches.",
    "no_token_count": "True: there is no endpoint that counts tokens, so they are estimated.",
    "cancel_stops_billing": "True: a cancelled answer costs nothing more, so it is cancelled at once.",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a kind's address is made of besides a host: a short word, put into addresses."""

    pattern: re.Pattern[str]
    example: str


#: Every setting a kind may take.
SETTINGS: Mapping[str, Setting] = {
    "region": Setting(re.compile(r"[a-z]{2}(-[a-z0-9]+){1,4}"), "us-east-1"),
    "project": Setting(re.compile(r"[a-z0-9][a-z0-9.:-]{2,60}[a-z0-9]"), "my-project"),
    "location": Setting(re.compile(r"[a-z][a-z0-9-]{1,30}"), "global"),
    "api_version": Setting(re.compile(r"[a-z0-9][a-z0-9.-]{0,30}"), "2024-10-21"),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """`base_url` empty: the admin must give one; words in braces are settings. `other_formats` are spoken
    besides `format`, so that a caller of one of them is relayed. `models_paths` stand behind the base
    address, or where `lists_from_origin` behind its host. No `price_provider_id`: `unpriced` says why."""

    kind: str
    label: str
    base_url: str
    format: WireFormat = "openai_chat"
    other_formats: tuple[WireFormat, ...] = ()
    auth: Auth = "bearer"
    key_hint: str = ""
    key_is_optional: bool = False
    settings: tuple[str, ...] = ()
    required_settings: tuple[str, ...] = ()
    addressing: AddressStyle = "plain"
    quirks: Mapping[str, Any] = field(default_factory=dict)
    may_be_private: bool = False
    price_provider_id: str | None = None
    unpriced: str = ""
    models_paths: tuple[str, ...] = ("/models",)
    lists_from_origin: bool = False
    lists_only: str = ""
    listing_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_address(self) -> bool:
        """Whether an admin must say where it is."""
        return not self.base_url and self.kind != "sandbox"

    @property
    def needs_credential(self) -> bool:
        return self.auth != "none" and not self.key_is_optional


@dataclass(frozen=True, slots=True)
class StarterModel:
    """`quirks`: where this model differs from others of its provider."""

    public_name: str
    upstream_model: str
    quirks: Mapping[str, Any] = field(default_factory=dict)


def auth_headers(auth: Auth, secret: str) -> dict[str, str]:
    """The headers that carry a key as it is; none without one, or where requests are signed instead."""
    if not secret or auth in ("none", "google-service-account"):
        return {}
    if auth in ("bearer", "aws-sigv4"):  # a Bedrock API key in place of AWS access keys
        return {"authorization": f"Bearer {secret}"}
    return {auth: secret}
