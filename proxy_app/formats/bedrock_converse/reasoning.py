"""What is known of a model on Bedrock by its name, and the thoughts that were signed there."""

from proxy_app.formats.bedrock_converse.blocks import build_blocks
from proxy_app.formats.families import ANTHROPIC, family_of
from proxy_app.wire import Target, Thinking, ToolCall, ToolResult, Turn


def is_claude(target: Target) -> bool:
    """Told by the model's name, by the ARN of a profile that holds it, or by the quirk `family`."""
    return family_of(target) == ANTHROPIC


def has_lost_thoughts(turns: list[Turn]) -> bool:
    """A tool loop goes on whose assistant turn has no thought that was signed here."""
    if len(turns) < 2 or not any(isinstance(part, ToolResult) for part in turns[-1].parts):
        return False
    parts = turns[-2].parts
    signed = any(isinstance(part, Thinking) and build_blocks([part]) for part in parts)
    return any(isinstance(part, ToolCall) for part in parts) and not signed
