"""What a caller claims of itself in an OpenAI-shaped body: recorded, never trusted, never sent on."""

from typing import Any

from proxy_app.formats.reading import Fields

MAX_TAGS = 8


def claimed_end_user(fields: Fields) -> str | None:
    """Who the caller says is behind the call: `safety_identifier`, `user` or `metadata.user_id`."""
    claim = fields.maybe_text("safety_identifier") or fields.maybe_text("user")
    if claim:
        return claim
    metadata = fields.get("metadata")
    user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
    return user_id if isinstance(user_id, str) and user_id else None


def claimed_tags(metadata: Any) -> tuple[str, ...]:
    """`metadata.tags`: an array of strings, or strings parted by commas; at most eight, no repeats."""
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    if isinstance(tags, str):
        tags = tags.split(",")
    if not isinstance(tags, list):
        return ()
    named = dict.fromkeys(tag.strip() for tag in tags if isinstance(tag, str) and tag.strip())
    return tuple(named)[:MAX_TAGS]
