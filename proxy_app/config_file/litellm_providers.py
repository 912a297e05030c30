"""Where a LiteLLM deployment goes: its `provider/model` name, api_base and api_key as a provider of ours."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from proxy_app.config_file.declared import DeclaredProvider
from proxy_app.config_file.litellm_clouds import (
    NOT_TAKEN,
    SETTINGS,
    cloud_base,
    cloud_key,
    cloud_kind,
    cloud_settings,
    is_cloud,
)
from proxy_app.config_file.references import Reference, text_or_none
from proxy_app.providers.presets import PRESETS

#: LiteLLM's provider -> our kind, where the names differ
_KINDS = {
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "hosted_vllm": "vllm",
    "ollama_chat": "ollama",
    "llamafile": "llama_cpp",
    "custom_openai": "openai_compatible",
    "cohere_chat": "cohere",
    "huggingface": "tgi",
    "litellm_proxy": "litellm",
    "text-completion-openai": "openai",
    "google": "gemini",
}
#: What LiteLLM takes for granted for a name without a provider.
_BARE_NAMES = (
    (re.compile(r"(gpt-|chatgpt-|o\d|ft:gpt-)"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "gemini"),
)
#: Variables LiteLLM reads by itself when a deployment names no api_key.
_USUAL_KEYS = {
    "vertex_gemini": "GOOGLE_APPLICATION_CREDENTIALS",
    "vertex_claude": "GOOGLE_APPLICATION_CREDENTIALS",
    "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "bedrock_claude": "AWS_BEARER_TOKEN_BEDROCK",
    "gemini": "GEMINI_API_KEY",
    "together": "TOGETHERAI_API_KEY",
    "fireworks": "FIREWORKS_AI_API_KEY",
}
#: Between provider and name of a model whose chat calls go to `/responses`; `mode: responses` says the same.
_RESPONSES = "/responses/"
#: Formats we speak by ourselves, without a preset's address being enough.
_NOT_SPOKEN = frozenset({"azure_ai", "azure_text", "sagemaker", "sagemaker_chat", "watsonx"})
#: Kinds LiteLLM knows at an address of their own; ours stand on one's own machine until one is given.
_NEED_BASE = frozenset({"tgi", "litellm"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider as one deployment names it."""

    kind: str
    model: str
    base: Reference
    key: Reference
    settings: Mapping[str, Reference] = field(default_factory=dict)
    parts: tuple[Reference, ...] = ()  # what the key was made of, where more than itself
    speaks_responses: bool = False

    def unset_variables(self) -> list[str]:
        """Variables the deployment needs and the environment lacks."""
        needed = (self.base, *(self.parts or (self.key,)), *self.settings.values())
        return [reference.variable for reference in needed if reference.value is None]


def find_endpoint(model: str, params: Mapping[str, Any], mode: str | None = None) -> Endpoint | str:
    """The endpoint, or a sentence that says why there is none. The `mode` responses counts as that name."""
    named = _RESPONSES in model
    endpoint = _endpoint(model.replace(_RESPONSES, "/", 1), params)
    if isinstance(endpoint, str) or not (named or mode == "responses"):
        return endpoint
    return replace(endpoint, speaks_responses=PRESETS[endpoint.kind].format == "openai_chat")


def _endpoint(model: str, params: Mapping[str, Any]) -> Endpoint | str:
    base = Reference.of(text_or_none(params.get("api_base")) or text_or_none(params.get("base_url")))
    named = text_or_none(params.get("custom_llm_provider"))
    prefix, separator, rest = model.partition("/")
    if named:
        kind_name, upstream = named, model.removeprefix(f"{named}/")
    elif separator and is_provider(prefix):
        kind_name, upstream = prefix, rest
    else:
        kind_name, upstream = _bare_kind(model, base), model
    if is_cloud(kind_name):
        return _cloud_endpoint(kind_name, upstream, base, params)
    kind = _KINDS.get(kind_name, kind_name)
    if kind not in PRESETS:
        if kind_name in _NOT_SPOKEN or not base_given(base):
            return f"the provider {kind_name or 'of ' + model} is not known here."
        kind = "openai_compatible"
    if kind == "openai" and base_given(base) and not _is_openai(base):
        kind = "openai_compatible"
    if (PRESETS[kind].needs_address or kind in _NEED_BASE) and not base_given(base):
        return "it has no api_base."
    return Endpoint(kind, upstream, base, _key(kind, params))


def _cloud_endpoint(provider: str, model: str, base: Reference, params: Mapping[str, Any]) -> Endpoint | str:
    if refused := next((name for name in NOT_TAKEN if params.get(name)), None):
        return f"{refused} is not taken here: give a key."
    kind, upstream = cloud_kind(provider, model)
    key, parts = cloud_key(kind, params)
    settings = cloud_settings(kind, params)
    missing = [name for name in PRESETS[kind].required_settings if name not in settings]
    if missing:
        return f"it has no {SETTINGS[kind][missing[0]][0]}."
    return Endpoint(kind, upstream, cloud_base(kind, params, base), key, settings, parts)


def is_provider(prefix: str) -> bool:
    """Whether a name's first part names a provider and not a part of the model's own name."""
    return prefix in PRESETS or prefix in _KINDS or prefix in _NOT_SPOKEN or is_cloud(prefix)


def base_given(base: Reference) -> bool:
    return bool(base.variable) or bool(base.value)


def provider_of(endpoint: Endpoint) -> DeclaredProvider:
    """The provider row an endpoint needs. Equal address and key mean the same row, in any order."""
    base_url = _base_url(endpoint)
    return DeclaredProvider(
        name=_name(endpoint, base_url),
        kind=endpoint.kind,
        base_url=base_url,
        settings={name: reference.value for name, reference in endpoint.settings.items() if reference.value},
        credential=endpoint.key.value,
        may_be_private=True if is_private(base_url) else None,
        is_enabled=not endpoint.unset_variables(),
    )


def is_private(base_url: str) -> bool:
    """Whether an address is written as one of this machine's or of a private network."""
    host = urlsplit(base_url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return ("." not in host and bool(host)) or host.endswith(
            (".local", ".internal", ".localhost", ".lan")
        )


def _bare_kind(model: str, base: Reference) -> str:
    for pattern, kind in _BARE_NAMES:
        if pattern.match(model):
            return kind
    return "openai_compatible" if base_given(base) else ""


def _is_openai(base: Reference) -> bool:
    return urlsplit(base.value or "").hostname == urlsplit(PRESETS["openai"].base_url).hostname


def _key(kind: str, params: Mapping[str, Any]) -> Reference:
    given = text_or_none(params.get("api_key"))
    if given:
        return Reference.of(given)
    if not PRESETS[kind].needs_credential:
        return Reference("")
    return Reference.of(f"os.environ/{usual_variable(kind)}")


def usual_variable(kind: str) -> str:
    """The variable that holds a kind's key when nothing else is said."""
    return _USUAL_KEYS.get(kind, f"{kind.upper()}_API_KEY")


def _base_url(endpoint: Endpoint) -> str:
    url = (endpoint.base.value or "").rstrip("/")
    return "" if url == PRESETS[endpoint.kind].base_url else url


def _name(endpoint: Endpoint, base_url: str) -> str:
    """kind, then the host of its own address, then what tells its key from the usual one."""
    parts = [endpoint.kind]
    if base_url:
        address = urlsplit(base_url)
        parts.append(address.netloc.rpartition("@")[2] + address.path.removesuffix("/v1"))
    elif endpoint.base.variable:
        parts.append(endpoint.base.variable)
    parts += [reference.value or "" for reference in endpoint.settings.values()]
    if endpoint.key.variable and endpoint.key.variable != usual_variable(endpoint.kind):
        parts.append(endpoint.key.variable)
    elif endpoint.key.value and not endpoint.key.variable:
        parts.append(sha256(endpoint.key.value.encode()).hexdigest()[:6])
    return slug("-".join(parts))


def slug(text: str) -> str:
    """Letters, digits and hyphens, at most 64."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-")
