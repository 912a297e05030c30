"""Who stands behind a call, as the caller claims it, and which secret it shows. Pure.

Claims are recorded, never sent upstream, and prove nothing unless the key trusts them.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qs, unquote

import msgspec

from proxy_app.wire import CallFacts

MAX_TAGS = 8
MAX_CLAIM = 200  # characters kept of a claim

_END_USER = (
    b"x-gatehouse-end-user",
    b"x-openwebui-user-email",
    b"x-openwebui-user-id",
    b"x-openwebui-user-name",
    b"x-litellm-customer-id",
    b"x-litellm-end-user-id",
)
_SESSION = (
    b"x-gatehouse-session",
    b"x-claude-code-session-id",
    b"session-id",
    b"session_id",
    b"x-openwebui-chat-id",
    b"x-litellm-session-id",
    b"x-litellm-trace-id",
)
_TAGS = (b"x-gatehouse-tags", b"x-litellm-tags")
_CLAIMS = frozenset((*_END_USER, *_SESSION, *_TAGS))
_TOKEN = b"x-gatehouse-identity"
_SIGNATURE = b"x-gatehouse-end-user-signature"
_OURS = b"x-litellm-api-key"  # for a gateway alone, whatever else is shown for a provider
_KEYS = (b"x-api-key", b"x-goog-api-key", b"api-key")
#: What is the gateway's to know, and no provider's.
CLAIMING = frozenset(name.decode() for name in _CLAIMS)
#: First product of a User-Agent -> how the client is called on pages.
_CLIENTS = {
    "openai": "OpenAI SDK",
    "asyncopenai": "OpenAI SDK",
    "anthropic": "Anthropic SDK",
    "asyncanthropic": "Anthropic SDK",
    "google-genai-sdk": "Google GenAI SDK",
    "claude-cli": "Claude Code",
    "codex_cli_rs": "Codex CLI",
    "codex_exec": "Codex CLI",
    "curl": "curl",
    "python-requests": "requests",
    "python-httpx": "httpx",
    "cursor": "Cursor",
    "open webui": "Open WebUI",
}


class Claims(msgspec.Struct, frozen=True):
    """What is recorded of them."""

    end_user: str = ""
    session: str = ""
    client: str = ""
    tags: tuple[str, ...] = ()


def shown_secret(headers: Mapping[bytes, bytes], query_string: bytes) -> str:
    """The API key a caller shows, '' if none: what is meant for a gateway alone, then Bearer, the other
    headers and ?key=. A header without one hides no other."""
    if _OURS in headers and (value := _bare(headers[_OURS])):
        return value.decode("latin-1")
    authorization = headers.get(b"authorization", b"")
    if authorization[:7].lower() == b"bearer " and (value := authorization[7:].strip()):
        return value.decode("latin-1")
    for name in _KEYS:
        if value := _bare(headers.get(name, b"")):
            return value.decode("latin-1")
    if b"key=" in query_string:
        return parse_qs(query_string.decode("latin-1")).get("key", [""])[-1]
    return ""


def _bare(header: bytes) -> bytes:
    value = header.strip()
    return value[7:].strip() if value[:7].lower() in (b"bearer ", b"bearer") else value


def read_claims(headers: Mapping[bytes, bytes], facts: CallFacts | None) -> Claims:
    """Claims from the headers first, then from the body."""
    end_user = session = ""
    tags: tuple[str, ...] = ()
    if not _CLAIMS.isdisjoint(headers):
        end_user, session, tags = _first(headers, _END_USER), _first(headers, _SESSION), _tags(headers)
    if facts is not None:
        end_user, session = end_user or facts.end_user or "", session or facts.session or ""
        tags = tags or facts.tags
    return Claims(
        end_user=end_user[:MAX_CLAIM],
        session=session[:MAX_CLAIM],
        client=client_name(headers.get(b"user-agent", b"")),
        tags=tuple(tag[:MAX_CLAIM] for tag in tags[:MAX_TAGS]),
    )


def shown_proof(headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """The signed identity a caller shows: a JWT, and a signature of the end user; '' for none."""
    token, signature = headers.get(_TOKEN, b""), headers.get(_SIGNATURE, b"")
    return token.decode("latin-1").strip(), signature.decode("latin-1").strip()


@lru_cache(maxsize=1024)
def client_name(user_agent: bytes) -> str:
    """'OpenAI/Python 3.54.0' -> 'OpenAI SDK 3.54.0'; an unknown agent keeps its first product."""
    if not user_agent:
        return ""
    text = user_agent.decode("latin-1")
    product, _, rest = text.partition("/")
    known = _CLIENTS.get(product.strip().lower())
    if known is None:
        return text.split(" ", 1)[0][:60]
    words = rest.replace("/", " ").split()
    version = next((word for word in words if word[:1].isdigit()), "")
    return f"{known} {version}".strip()[:60]


def _first(headers: Mapping[bytes, bytes], names: tuple[bytes, ...]) -> str:
    for name in names:
        if value := headers.get(name):
            return unquote(value.decode("latin-1")).strip()
    return ""


def _tags(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    text = _first(headers, _TAGS)
    return tuple(tag.strip() for tag in text.split(",") if tag.strip()) if text else ()
