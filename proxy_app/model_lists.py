"""The list of models in every shape that clients read it: OpenAI's, Anthropic's, Gemini's, Codex's. Pure.

Each API pages in its own way; Codex, which asks with `client_version`, wants a catalogue of its own.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway_project.errors import BadRequest
from proxy_app.paging import gemini_page_size, span_of
from proxy_app.wire import JSON

ANTHROPIC_PAGE, ANTHROPIC_LONGEST = 20, 1000
GEMINI_PAGE, GEMINI_LONGEST = 50, 1000
#: LiteLLM's names of `Listed.costs`, each in dollars a token.
_LITELLM_COSTS = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
)
_PER_DOLLAR = 10**15  # nanodollars a million tokens in a dollar a token
#: Words that are not written as names are, in a name made from an id.
_ACRONYMS = {"gpt": "GPT", "ai": "AI", "glm": "GLM", "oss": "OSS", "vl": "VL"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One callable name. `context_window` in tokens, `costs` in nanodollars a million tokens (of input,
    output, cache reads and writes): of several deployments the least and the most; None where unknown."""

    name: str
    created_s: int
    owner: str
    description: str = ""
    context_window: int | None = None
    costs: tuple[int, int, int, int] | None = None

    @property
    def display_name(self) -> str:
        """'claude-sonnet-5' as 'Claude Sonnet 5'."""
        words = re.split(r"[-_ ]+", self.name.rpartition("/")[2]) if self.name else []
        return " ".join(_ACRONYMS.get(word) or word[:1].upper() + word[1:] for word in words) or self.name


def openai_model(model: Listed) -> JSON:
    return {"id": model.name, "object": "model", "created": model.created_s, "owned_by": model.owner}


def openai_list(models: Sequence[Listed]) -> JSON:
    return {"object": "list", "data": [openai_model(model) for model in models]}


def anthropic_model(model: Listed) -> JSON:
    created = datetime.fromtimestamp(model.created_s, UTC).isoformat().replace("+00:00", "Z")
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.display_name,
        "created_at": created,
        "lifecycle": "active",
        "max_input_tokens": model.context_window,
        "max_tokens": None,
        "capabilities": None,
    }


def anthropic_list(models: Sequence[Listed], query: Mapping[str, str]) -> JSON:
    """A page of the models (sorted by name): `limit`, after `after_id` or before `before_id`. Raises
    BadRequest for a model that is not among them."""
    limit = _count(query, "limit", ANTHROPIC_PAGE, ANTHROPIC_LONGEST)
    span = span_of([model.name for model in models], query, limit)
    page = models[span.start : span.end]
    return {
        "data": [anthropic_model(model) for model in page],
        "has_more": span.has_more,
        "first_id": page[0].name if page else None,
        "last_id": page[-1].name if page else None,
    }


def gemini_model(model: Listed) -> JSON:
    told: JSON = {
        "name": f"models/{model.name}",
        "version": "1",
        "displayName": model.display_name,
        "description": model.description or f"Served by {model.owner}.",
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    }
    if model.context_window is not None:
        told["inputTokenLimit"] = model.context_window
    return told


def gemini_list(models: Sequence[Listed], query: Mapping[str, str]) -> JSON:
    """A page of the models (sorted by name): `pageSize`, from where `pageToken` says."""
    size = gemini_page_size(query, GEMINI_PAGE, GEMINI_LONGEST)
    start = 0
    if token := query.get("pageToken"):
        try:
            start = bisect_right([model.name for model in models], urlsafe_b64decode(token).decode())
        except (NotBase64, ValueError):
            raise BadRequest("'pageToken' is not one that this list gave.", param="pageToken") from None
    page = models[start : start + size]
    told: JSON = {"models": [gemini_model(model) for model in page]}
    if page and start + size < len(models):
        told["nextPageToken"] = urlsafe_b64encode(page[-1].name.encode()).decode()
    return told


def litellm_list(models: Sequence[Listed]) -> JSON:
    """As LiteLLM tells it at /model/info, where Cline, Roo Code and Kilo Code look for what a model takes."""
    return {"data": [_litellm_model(model) for model in models]}


def _litellm_model(model: Listed) -> JSON:
    costs = [rate / _PER_DOLLAR for rate in model.costs] if model.costs else [None] * len(_LITELLM_COSTS)
    return {
        "model_name": model.name,
        "litellm_params": {"model": model.name},
        "model_info": {
            "id": model.name,
            "max_tokens": None,
            "max_input_tokens": model.context_window,
            "max_output_tokens": None,
            **dict(zip(_LITELLM_COSTS, costs, strict=True)),
            "supports_function_calling": True,
            "supports_vision": True,  # as Codex is told: who cannot see says so when asked to
            "supports_prompt_caching": bool(model.costs and model.costs[2] != model.costs[0]),
        },
    }


def _count(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= most:
        raise BadRequest(f"'{name}' must be a number from 1 to {most}.", param=name)
    return int(text)


# ---------------------------------------------------------------- Codex

#: What Codex tells a model that it knows nothing of. A catalogue entry without it is refused, and what
#: Codex itself would say is not ours to repeat.
CODEX_INSTRUCTIONS = """\
You are a coding agent that works in the user's folder through the tools you are given.
Be precise, safe and helpful.

- Read before you write: the files a task touches, and the instructions that AGENTS.md files give.
- Make the smallest change that does what was asked, in the style of the code around it. Do not mend
  what you were not asked to mend.
- Run the tests or the build that cover your change where you can; say truly what you ran and what
  came of it.
- Never undo work that is not yours. Do nothing that cannot be undone without being asked to.
- Say in a short sentence what you are about to do before a group of commands; end with a short
  account of what changed and where.
"""
_EFFORTS = (
    ("low", "Answers fast, thinks little"),
    ("medium", "Thinks as much as most tasks need"),
    ("high", "Thinks long, for what is hard"),
)


def codex_model(model: Listed, priority: int) -> JSON:
    """One entry of Codex's catalogue: what any model behind the gateway can be trusted to do
    (codex-rs/protocol/src/openai_models.rs, ModelInfo)."""
    window = model.context_window
    return {
        "slug": model.name,
        "display_name": model.display_name,
        "description": model.description or f"Served by {model.owner}.",
        "default_reasoning_level": "medium",
        "supported_reasoning_levels": [
            {"effort": effort, "description": description} for effort, description in _EFFORTS
        ],
        "shell_type": "default",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "upgrade": None,
        "base_instructions": CODEX_INSTRUCTIONS,
        "supports_reasoning_summaries": False,
        "default_reasoning_summary": "none",
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "web_search_tool_type": "text",
        "truncation_policy": {"mode": "bytes", "limit": 10_000},
        "supports_parallel_tool_calls": True,
        "context_window": window,
        "max_context_window": window,
        "experimental_supported_tools": [],
        "input_modalities": ["text", "image"],
    }


def codex_catalogue(models: Sequence[Listed]) -> JSON:
    return {"models": [codex_model(model, place) for place, model in enumerate(models, 1)]}
