"""How hard a model on Bedrock is to think: the service's own effort, and what Claude models need besides."""

import re

from proxy_app.formats.bedrock_converse.blocks import build_blocks
from proxy_app.formats.efforts import BUDGETS, effort_of_budget
from proxy_app.wire import JSON, Conversation, Reasoning, Target, Thinking, ToolCall, ToolResult, Turn

MIN_BUDGET_TOKENS = 1024
DEFAULT_MAX_TOKENS_THINKING = 32000
_CLAUDE = re.compile(r"(^|[./:])anthropic\.claude|claude")


def is_claude(target: Target) -> bool:
    """Told by the model's name, or by the ARN of a profile that holds it."""
    return _CLAUDE.search(target.upstream_model) is not None


def effort_of(reasoning: Reasoning | None) -> str | None:
    """The effort asked for, in words; `none` when nothing was, None when that is the model's to decide."""
    if reasoning is None:
        return "none"
    if reasoning.effort is not None or reasoning.budget_tokens is None:
        return reasoning.effort
    return effort_of_budget(reasoning.budget_tokens)


def has_lost_thoughts(turns: list[Turn]) -> bool:
    """A tool loop goes on whose assistant turn has no thought that was signed here."""
    if len(turns) < 2 or not any(isinstance(part, ToolResult) for part in turns[-1].parts):
        return False
    parts = turns[-2].parts
    signed = any(isinstance(part, Thinking) and build_blocks([part]) for part in parts)
    return any(isinstance(part, ToolCall) for part in parts) and not signed


def claude_thinking(conversation: Conversation, turns: list[Turn], target: Target) -> JSON:
    """`thinking` as Claude models take it. Off where the service would refuse it: with a forced tool, or
    when the signed thoughts of a tool call that goes on are lost."""
    reasoning = conversation.reasoning
    effort = effort_of(reasoning)
    forced = conversation.tool_choice is not None and conversation.tool_choice.mode == "required"
    if reasoning is None or effort == "none" or forced or has_lost_thoughts(turns):
        return {"type": "disabled"}
    if target.quirks.get("thinking_style") != "budget":
        return {"type": "adaptive"}
    room = (conversation.max_output_tokens or DEFAULT_MAX_TOKENS_THINKING) * 3 // 4
    if room < MIN_BUDGET_TOKENS:
        return {"type": "disabled"}
    asked = reasoning.budget_tokens or -1
    budget = asked if asked > 0 else BUDGETS[effort or "medium"]
    return {"type": "enabled", "budget_tokens": max(MIN_BUDGET_TOKENS, min(budget, room))}
