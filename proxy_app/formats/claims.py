"""What a body claims about a call besides its question: recorded, never trusted, never sent on."""

from typing import Any, Final

MAX_TAGS: Final = 8


def read_tags(metadata: Any) -> tuple[str, ...]:
    """`metadata.tags`: an array of strings, or strings parted by commas; at most eight, no repeats."""
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    if isinstance(tags, str):
        tags = tags.split(",")
    if not isinstance(tags, list):
        return ()
    named = dict.fromkeys(tag.strip() for tag in tags if isinstance(tag, str) and tag.strip())
    return tuple(named)[:MAX_TAGS]
