"""Which format an answer speaks before a body has told, and how rate limits are told in it. Pure.

The path decides first; where several APIs share one (`/v1/models`, `/v1/nothing`), their own headers do.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

_GEMINI_VERB = re.compile(
    r":[A-Za-z]+Content$|:countTokens$|:batch[A-Z]\w+$|:predict\w*$|/files/[^/]+:download$"
)
_LIMIT = "x-ratelimit-"


def dialect_of(path: str, headers: Mapping[bytes, bytes], query_string: bytes = b"") -> str:
    """The format in which a request to this path expects to be answered, errors included."""
    path = path.removeprefix("/v1beta") if path.startswith("/v1beta/openai/") else path
    first = path.lstrip("/").partition("/")[0]
    if first in ("gemini", "upload") or first.startswith(("v1beta", "v1alpha")) or _GEMINI_VERB.search(path):
        return "gemini"
    if first == "anthropic" or "/messages" in path:
        return "anthropic"
    if "/responses" in path:
        return "openai_responses"
    if first == "openai":
        return "openai_chat"
    if b"anthropic-version" in headers:
        return "anthropic"
    if b"x-goog-api-key" in headers or b"x-goog-api-client" in headers or "key" in query_of(query_string):
        return "gemini"
    return "openai_chat"


def query_of(query_string: bytes) -> dict[str, str]:
    """A query string's parameters, the last of each name; text that cannot be read is left out."""
    if not query_string:
        return {}
    try:
        return dict(parse_qsl(query_string.decode("latin-1"), max_num_fields=50))
    except ValueError:
        return {}


def limits_in(format: str, headers: Mapping[str, str], now_ms: int) -> Mapping[str, str]:
    """Headers with their x-ratelimit-* as the format names them: Anthropic's own names, with an instant
    in place of a duration; Gemini has none. Other headers stay as they are."""
    if format not in ("anthropic", "gemini"):
        return headers
    told: dict[str, str] = {}
    for name, value in headers.items():
        if not name.startswith(_LIMIT):
            told[name] = value
        elif format == "anthropic":
            what, _, kind = name.removeprefix(_LIMIT).partition("-")
            told[f"anthropic-ratelimit-{kind}-{what}"] = _instant(value, now_ms) if what == "reset" else value
    return told


def _instant(duration: str, now_ms: int) -> str:
    """'12.5s' from now, as RFC 3339 to the second."""
    seconds = now_ms / 1000 + float(duration.removesuffix("s"))
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
