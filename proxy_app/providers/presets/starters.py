"""The models a provider starts with when it is set up from its key alone; each has a price."""

from typing import Any

from proxy_app.providers.presets.contract import StarterModel

#: No sampling is taken while a model reasons; GPT-5.4 does so only when asked, later ones unless told not to.
_NO_SAMPLING = ["temperature", "top_p", "logprobs", "top_logprobs"]
#: What gpt-oss knows at Groq, which refuses other words.
_OPEN_EFFORTS = ["low", "medium", "high"]


def _same(*names: str, **quirks: Any) -> tuple[StarterModel, ...]:
    return tuple(StarterModel(name, name, quirks) for name in names)


STARTER_MODELS: dict[str, tuple[StarterModel, ...]] = {
    "openai": (
        # They always reason, so they take no sampling, and they take tools in Responses only.
        *_same("gpt-6-astra", "gpt-6.1-sol", tools_need_responses=True, drop=_NO_SAMPLING),
        *_same(
            "gpt-6.1-terra",
            "gpt-6-luna",
            "gpt-5.6-sol",
            "gpt-5.6-terra",
            "gpt-5.6-luna",
            tools_need_responses="unless_effort_none",
            drop_when_reasoning=_NO_SAMPLING,
        ),
        *_same("gpt-5.4-mini", "gpt-5.4-nano"),
        *_same("gpt-4.1", "gpt-4.1-mini", no_reasoning=True),
    ),
    # What each of them takes is told by its name.
    "anthropic": _same(
        "claude-fable-5-2",
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-opus-4-8",
        "claude-sonnet-4-6",
        "claude-haiku-4-5",
    ),
    "gemini": _same(
        "gemini-4-argon",
        "gemini-3.8-flash",
        "gemini-3.6-flash",
        "gemini-3.5-flash-lite",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
    ),
    "mistral": (
        *_same("mistral-large-4", "mistral-medium-3-5", "mistral-small-2603"),
        *_same("codestral-latest", no_reasoning=True),
    ),
    "groq": (
        *_same("openai/gpt-oss-120b", "openai/gpt-oss-20b", efforts=_OPEN_EFFORTS),
        *_same("qwen/qwen3.8-27b"),
        *_same("llama-3.3-70b-versatile", no_reasoning=True),
    ),
    "deepseek": _same("deepseek-v4-pro", "deepseek-flash"),
    "xai": _same("grok-4.7", "grok-4.3"),
    "cerebras": _same("gpt-oss-120b", "qwen-3.8-27b"),
    "perplexity": (StarterModel("sonar", "perplexity/sonar", {"no_reasoning": True}),),
    "cohere": _same("command-a", "command-r7b"),
    "sandbox": _same("sandbox", "sandbox/fast", "sandbox/chat", "sandbox/reasoning", "sandbox/tools"),
}
