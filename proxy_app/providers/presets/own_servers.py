"""Servers an organisation runs itself, and the sandbox, which needs none. Nobody bills for their tokens."""

from collections.abc import Mapping
from typing import Any

from proxy_app.providers.presets.contract import Preset
from proxy_app.providers.presets.hosted import OLD_LIMIT

#: What is cancelled is not computed.
_QUIRKS: Mapping[str, Any] = {"max_tokens_field": "max_tokens", "cancel_stops_billing": True}
_FREE = "Runs on the organisation's own machines."

OWN_SERVERS = (
    Preset(
        kind="openai_compatible",
        label="OpenAI-compatible",
        base_url="",
        quirks=OLD_LIMIT,
        key_is_optional=True,
        unpriced="Whose models these are is not known.",
        key_hint="The key your server expects, if any",
    ),
    Preset(
        kind="sandbox",
        label="Sandbox (built in)",
        base_url="",
        auth="none",
        quirks={"cancel_stops_billing": True, "files": True, "batches": 50, "message_batches": 50},
        unpriced="Has its own prices.",
    ),
    Preset(
        kind="ollama",
        label="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        other_formats=("anthropic",),
        key_is_optional=True,
        quirks={**_QUIRKS, "completions": True},
        may_be_private=True,
        unpriced=_FREE,
        key_hint="None, or a key of ollama.com",
    ),
    Preset(
        kind="vllm",
        label="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        other_formats=("openai_responses", "anthropic"),
        key_is_optional=True,
        quirks={**_QUIRKS, "completions": True},
        may_be_private=True,
        unpriced=_FREE,
        key_hint="What vllm serve was given as --api-key, if anything",
    ),
    Preset(
        kind="lm_studio",
        label="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        other_formats=("openai_responses", "anthropic"),
        key_is_optional=True,
        quirks={**_QUIRKS, "completions": True},
        may_be_private=True,
        unpriced=_FREE,
        key_hint="None, or a token where authentication is required",
    ),
    Preset(
        kind="llama_cpp",
        label="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        other_formats=("anthropic",),
        key_is_optional=True,
        quirks={**_QUIRKS, "completions": True, "schemas_need_chat": True, "no_named_tools": True},
        may_be_private=True,
        unpriced=_FREE,
        key_hint="What llama-server was given as --api-key, if anything",
    ),
    Preset(
        kind="tgi",
        label="Hugging Face TGI",
        base_url="http://127.0.0.1:3000/v1",
        key_is_optional=True,
        quirks=_QUIRKS,
        may_be_private=True,
        unpriced=_FREE,
        key_hint="What the server was given as --api-key, or a token of Hugging Face, if anything",
    ),
    Preset(
        kind="litellm",
        label="LiteLLM (proxy)",
        base_url="http://127.0.0.1:4000/v1",
        other_formats=("openai_responses", "anthropic"),
        key_is_optional=True,
        may_be_private=True,
        unpriced="Prices depend on the providers behind it.",
        key_hint="sk-…, a virtual key of that proxy",
    ),
)
