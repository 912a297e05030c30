"""The kinds of provider the gateway knows, as data: address, authentication, format and quirks.

Adding a provider is one entry here; the test that walks the registry covers it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

WireFormat = Literal["openai_chat", "openai_responses", "anthropic", "gemini"]
Auth = Literal["bearer", "x-api-key", "x-goog-api-key", "none"]

#: Every quirk a provider may have, and what it means. Formats and the pipeline read them.
QUIRKS: Mapping[str, str] = {
    "max_tokens_field": "Name of the field that limits the output; else max_completion_tokens.",
    "no_stream_options": "True: the server refuses stream_options and reports usage by itself.",
    "system_role": "Role of instructions; else system (in Responses, amid a conversation, developer).",
    "default_max_tokens": "Output limit sent where the format demands one and the caller named none.",
    "thinking_style": "budget or level: how the models are told to think; else what suits their name.",
    "api_version": "Version in the path of a Gemini address; else v1beta.",
    "web_media": "Whether a Gemini model takes public addresses of media; else what suits its generation.",
    "tools_need_responses": "True: the model takes tools on the Responses endpoint only.",
    "drop": "Names of parameters the model does not take: left out when a call is translated, and told so.",
    "cancel_stops_billing": "True: a cancelled answer costs nothing more, so it is cancelled at once.",
}

#: Servers that know only the older name of the output limit.
_OLD_LIMIT: Mapping[str, Any] = {"max_tokens_field": "max_tokens"}
#: Servers of one's own: what is cancelled is not computed.
_OWN_SERVER: Mapping[str, Any] = {"max_tokens_field": "max_tokens", "cancel_stops_billing": True}
#: Servers of Chat Completions that serve `/responses` beside it.
_RESPONSES_TOO: tuple[WireFormat, ...] = ("openai_responses",)


@dataclass(frozen=True, slots=True)
class Preset:
    """`base_url` empty: the admin must give one. `models_path` is relative to it; `other_formats` are
    spoken besides `format`, so that a caller of one of them is relayed."""

    kind: str
    label: str
    base_url: str
    format: WireFormat = "openai_chat"
    other_formats: tuple[WireFormat, ...] = ()
    auth: Auth = "bearer"
    quirks: Mapping[str, Any] = field(default_factory=dict)
    may_be_private: bool = False
    price_provider_id: str | None = None
    models_path: str = "/models"
    listing_headers: Mapping[str, str] = field(default_factory=dict)
    key_hint: str = ""


@dataclass(frozen=True, slots=True)
class StarterModel:
    """`quirks`: where this model differs from others of its provider."""

    public_name: str
    upstream_model: str
    quirks: Mapping[str, Any] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        kind="openai",
        label="OpenAI",
        base_url="https://api.openai.com/v1",
        other_formats=_RESPONSES_TOO,
        price_provider_id="openai",
        key_hint="sk-…",
    ),
    "anthropic": Preset(
        kind="anthropic",
        label="Anthropic",
        base_url="https://api.anthropic.com",
        format="anthropic",
        auth="x-api-key",
        price_provider_id="anthropic",
        models_path="/v1/models?limit=1000",
        listing_headers={"anthropic-version": "2023-06-01"},
        key_hint="sk-ant-…",
    ),
    "gemini": Preset(
        kind="gemini",
        label="Google Gemini",
        base_url="https://generativelanguage.googleapis.com",
        format="gemini",
        auth="x-goog-api-key",
        price_provider_id="google",
        models_path="/v1beta/models?pageSize=1000",
        key_hint="AIza…",
    ),
    "openai_compatible": Preset(
        kind="openai_compatible",
        label="OpenAI-compatible",
        base_url="",
        quirks=_OLD_LIMIT,
        key_hint="The key your server expects, if any",
    ),
    "sandbox": Preset(
        kind="sandbox",
        label="Sandbox (built in)",
        base_url="",
        auth="none",
        quirks={"cancel_stops_billing": True},
    ),
    "mistral": Preset(
        kind="mistral",
        label="Mistral",
        base_url="https://api.mistral.ai/v1",
        quirks={"max_tokens_field": "max_tokens", "no_stream_options": True},
        price_provider_id="mistral",
        key_hint="32 letters and digits",
    ),
    "groq": Preset(
        kind="groq",
        label="Groq",
        base_url="https://api.groq.com/openai/v1",
        other_formats=_RESPONSES_TOO,
        price_provider_id="groq",
        key_hint="gsk_…",
    ),
    "deepseek": Preset(
        kind="deepseek",
        label="DeepSeek",
        base_url="https://api.deepseek.com/v1",
        quirks=_OLD_LIMIT,
        price_provider_id="deepseek",
        key_hint="sk-…",
    ),
    "xai": Preset(
        kind="xai",
        label="xAI",
        base_url="https://api.x.ai/v1",
        other_formats=_RESPONSES_TOO,
        price_provider_id="x-ai",
        key_hint="xai-…",
    ),
    "openrouter": Preset(
        kind="openrouter",
        label="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        other_formats=_RESPONSES_TOO,
        quirks=_OLD_LIMIT,
        price_provider_id="openrouter",
        key_hint="sk-or-…",
    ),
    "together": Preset(
        kind="together",
        label="Together AI",
        base_url="https://api.together.xyz/v1",
        quirks=_OLD_LIMIT,
        price_provider_id="together",
        key_hint="64 letters and digits, or tgp_…",
    ),
    "fireworks": Preset(
        kind="fireworks",
        label="Fireworks AI",
        base_url="https://api.fireworks.ai/inference/v1",
        other_formats=_RESPONSES_TOO,
        quirks=_OLD_LIMIT,
        price_provider_id="fireworks",
        key_hint="fw_…",
    ),
    "cerebras": Preset(
        kind="cerebras",
        label="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        price_provider_id="cerebras",
        key_hint="csk-…",
    ),
    "perplexity": Preset(
        kind="perplexity",
        label="Perplexity",
        base_url="https://api.perplexity.ai",
        quirks={"max_tokens_field": "max_tokens", "no_stream_options": True},
        price_provider_id="perplexity",
        key_hint="pplx-…",
    ),
    "nvidia_nim": Preset(
        kind="nvidia_nim",
        label="NVIDIA NIM",
        base_url="https://integrate.api.nvidia.com/v1",
        quirks=_OLD_LIMIT,
        key_hint="nvapi-…",
    ),
    "ollama": Preset(
        kind="ollama",
        label="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        auth="none",
        quirks=_OWN_SERVER,
        may_be_private=True,
    ),
    "vllm": Preset(
        kind="vllm",
        label="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        quirks=_OWN_SERVER,
        may_be_private=True,
        key_hint="What vllm serve was given as --api-key, if anything",
    ),
    "lm_studio": Preset(
        kind="lm_studio",
        label="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        auth="none",
        quirks=_OWN_SERVER,
        may_be_private=True,
    ),
    "llama_cpp": Preset(
        kind="llama_cpp",
        label="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        quirks=_OWN_SERVER,
        may_be_private=True,
        key_hint="What llama-server was given as --api-key, if anything",
    ),
}


def auth_headers(auth: Auth, secret: str) -> dict[str, str]:
    """The headers that carry a provider's credential; none without a credential."""
    if auth == "none" or not secret:
        return {}
    return {"authorization": f"Bearer {secret}"} if auth == "bearer" else {auth: secret}


def _same(*names: str, **quirks: Any) -> tuple[StarterModel, ...]:
    return tuple(StarterModel(name, name, quirks) for name in names)


#: The models a provider starts with when it is set up from its key alone; each has a price.
STARTER_MODELS: dict[str, tuple[StarterModel, ...]] = {
    "openai": (
        # They always reason, so they take no sampling, and they take tools in Responses only.
        *_same("gpt-6-astra", "gpt-6.1-sol", tools_need_responses=True, drop=["temperature", "top_p"]),
        *_same(
            "gpt-6.1-terra",
            "gpt-6-luna",
            "gpt-5.6-sol",
            "gpt-5.6-terra",
            "gpt-5.6-luna",
            "gpt-5.4-mini",
            "gpt-5.4-nano",
            "gpt-4.1",
            "gpt-4.1-mini",
        ),
    ),
    "anthropic": (
        *_same(
            "claude-fable-5-2",
            "claude-opus-5-5",
            "claude-sonnet-5-5",
            "claude-haiku-5-5",
            "claude-opus-4-8",
            "claude-sonnet-4-6",
        ),
        *_same("claude-haiku-4-5", thinking_style="budget"),  # older than adaptive thinking
    ),
    "gemini": _same(
        "gemini-4-argon",
        "gemini-3.8-flash",
        "gemini-3.6-flash",
        "gemini-3.5-flash-lite",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
    ),
    "mistral": _same("mistral-large-4", "mistral-medium-3-5", "mistral-small-2603", "codestral-latest"),
    "groq": _same("openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b", "llama-3.3-70b-versatile"),
    "deepseek": _same("deepseek-v4-pro", "deepseek-flash"),
    "xai": _same("grok-4.7", "grok-4.3"),
    "cerebras": _same("gpt-oss-120b", "qwen-3.8-27b"),
    "perplexity": _same("sonar", "sonar-pro", "sonar-reasoning-pro"),
    "sandbox": _same("sandbox", "sandbox/fast", "sandbox/chat", "sandbox/reasoning", "sandbox/tools"),
}
