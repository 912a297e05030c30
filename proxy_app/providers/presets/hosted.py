"""Providers reached with a key alone, each at one public address."""

from collections.abc import Mapping
from typing import Any

from proxy_app.providers.presets.contract import Preset, WireFormat

#: Servers that know only the older name of the output limit.
OLD_LIMIT: Mapping[str, Any] = {"max_tokens_field": "max_tokens"}
#: Servers of Chat Completions that serve `/responses` beside it.
RESPONSES_TOO: tuple[WireFormat, ...] = ("openai_responses",)
#: Files, and batches of calls at half the price, as OpenAI has them.
BATCHES: Mapping[str, Any] = {"files": True, "batches": 50}

HOSTED = (
    Preset(
        kind="openai",
        label="OpenAI",
        base_url="https://api.openai.com/v1",
        other_formats=RESPONSES_TOO,
        quirks={
            **BATCHES,
            "family": "openai",
            "completions": ("gpt-3.5-turbo-instruct", "davinci-", "babbage-"),
        },
        price_provider_id="openai",
        key_hint="sk-…",
    ),
    Preset(
        kind="anthropic",
        label="Anthropic",
        base_url="https://api.anthropic.com",
        format="anthropic",
        auth="x-api-key",
        quirks={"family": "anthropic", "message_batches": 50, "files": "anthropic"},
        price_provider_id="anthropic",
        models_paths=("/v1/models?limit=1000",),
        listing_headers={"anthropic-version": "2023-06-01"},
        key_hint="sk-ant-…",
    ),
    Preset(
        kind="gemini",
        label="Google Gemini",
        base_url="https://generativelanguage.googleapis.com",
        format="gemini",
        auth="x-goog-api-key",
        quirks={"family": "gemini", "files": "gemini"},
        price_provider_id="google",
        models_paths=("/v1beta/models?pageSize=1000",),
        key_hint="AIza…",
    ),
    Preset(
        kind="mistral",
        label="Mistral",
        base_url="https://api.mistral.ai/v1",
        quirks={
            **OLD_LIMIT,
            "seed_field": "random_seed",
            "no_stream_options": True,
            "short_call_ids": True,
            "files": True,
            "drop": ("service_tier", "verbosity"),  # it refuses fields it does not know
            "efforts": ("none", "high"),
        },
        price_provider_id="mistral",
        key_hint="32 letters and digits",
    ),
    Preset(
        kind="groq",
        label="Groq",
        base_url="https://api.groq.com/openai/v1",
        other_formats=RESPONSES_TOO,
        quirks={**BATCHES, "family": "groq"},
        price_provider_id="groq",
        key_hint="gsk_…",
    ),
    Preset(
        kind="deepseek",
        label="DeepSeek",
        base_url="https://api.deepseek.com/v1",
        other_formats=("anthropic",),
        quirks={
            **OLD_LIMIT,
            "family": "deepseek",
            "anthropic_root": "/anthropic",
            "thoughts_field": "reasoning_content",  # it refuses a tool's result without what led to the call
            "no_schemas": True,  # "This response_format type is unavailable now"
            "thinking_switch": True,  # "Thinking mode does not support this tool_choice"
            "efforts": ("none", "low", "medium", "high", "xhigh", "max"),
            # They change nothing while it thinks (api-docs.deepseek.com, "Thinking Mode").
            "drop_when_reasoning": ("temperature", "frequency_penalty", "presence_penalty"),
        },
        price_provider_id="deepseek",
        key_hint="sk-…",
    ),
    Preset(
        kind="xai",
        label="xAI",
        base_url="https://api.x.ai/v1",
        other_formats=RESPONSES_TOO,
        # None of its models takes penalties since grok-4, even 0, nor `stop`, which Claude Code sends.
        quirks={"family": "xai", "drop": ("frequency_penalty", "presence_penalty", "stop")},
        price_provider_id="x-ai",
        key_hint="xai-…",
    ),
    Preset(
        kind="openrouter",
        label="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        other_formats=("openai_responses", "anthropic"),
        quirks={**OLD_LIMIT, "completions": True},
        price_provider_id="openrouter",
        key_hint="sk-or-…",
    ),
    Preset(
        kind="together",
        label="Together AI",
        base_url="https://api.together.xyz/v1",
        quirks={**OLD_LIMIT, "completions": True},
        price_provider_id="together",
        key_hint="64 letters and digits, or tgp_…",
    ),
    Preset(
        kind="fireworks",
        label="Fireworks AI",
        base_url="https://api.fireworks.ai/inference/v1",
        other_formats=("openai_responses", "anthropic"),
        quirks={**OLD_LIMIT, "family": "fireworks", "completions": True},
        price_provider_id="fireworks",
        key_hint="fw_…",
    ),
    Preset(
        kind="cerebras",
        label="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        price_provider_id="cerebras",
        key_hint="csk-…",
    ),
    Preset(
        kind="perplexity",
        label="Perplexity",
        # Its Chat Completions ended in September 2026: "Sonar is now the Agent API". That is Responses,
        # refuses fields it does not know, and searches only where it is given the tool.
        base_url="https://api.perplexity.ai/v1",
        format="openai_responses",
        quirks={
            "family": "perplexity",
            "form_field": "response_format",
            "own_tools": ("web_search",),
            "drop": ("service_tier", "verbosity"),
        },
        price_provider_id="perplexity",
        key_hint="pplx-…",
    ),
    Preset(
        kind="nvidia_nim",
        label="NVIDIA NIM",
        base_url="https://integrate.api.nvidia.com/v1",
        quirks=OLD_LIMIT,
        unpriced="NVIDIA bills by credits and by GPU, not by tokens.",
        key_hint="nvapi-…",
    ),
    # Callers of Chat Completions are relayed to Cohere's compatibility endpoint; all others are asked at its
    # own chat, which stands beside that and tells thoughts, plans and citations.
    Preset(
        kind="cohere",
        label="Cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        format="cohere",
        other_formats=("openai_chat",),
        quirks={**OLD_LIMIT, "no_stream_options": True, "rerank_path": "/v2/rerank"},
        price_provider_id="cohere",
        models_paths=("/v1/models?endpoint=chat&page_size=1000",),
        lists_from_origin=True,
        key_hint="40 letters and digits",
    ),
)
