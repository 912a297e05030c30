"""Takes out of what is kept of a call what nobody may read there: credentials, and media in bulk. Pure."""

import re

HIDDEN = "[hidden]"

#: Secrets by their looks: keys of providers and of ours, tokens, private keys, passwords in addresses.
_SECRETS = re.compile(
    r"""
      (?:sk|pk|rk|mk|xoxb|xoxp|xapp|ghp|gho|ghs|github_pat|glpat|hf|AIza|gsk|xai)[-_][A-Za-z0-9_\-]{16,}
    | AIza[A-Za-z0-9_\-]{30,}
    | (?:AKIA|ASIA)[A-Z0-9]{16}
    | eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | (?<=Bearer\ )[A-Za-z0-9._~+/\-]{16,}=*
    | (?<=://)[^/\s:@"]{1,100}:[^/\s@"]{1,100}(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)
_DATA_URL = re.compile(r"data:([\w.+/-]{1,80});base64,([A-Za-z0-9+/=_-]{256,})")
#: Long data by itself: base64 of an image, a sound, a file.
_LONG_DATA = re.compile(r'"([A-Za-z0-9+/_-]{1024,}={0,2})"')

#: Headers of a request and of an answer that tell of the call and of no secret.
SHOWN_HEADERS = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-encoding",
        "content-type",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "retry-after",
        "traceparent",
        "user-agent",
        "x-goog-api-client",
        "x-request-id",
        "request-id",
    }
)
SHOWN_STARTS = (
    "x-gatehouse-",
    "x-stainless-",
    "x-ratelimit-",
    "anthropic-ratelimit-",
    "x-session",
    "x-openwebui-",
)


def masked(text: str) -> str:
    """The text without what looks like a secret, media by their size alone."""
    text = _DATA_URL.sub(lambda found: f"data:{found[1]};base64,[{_size(found[2])}]", text)
    text = _LONG_DATA.sub(lambda found: f'"[{_size(found[1])} of data]"', text)
    return _SECRETS.sub(HIDDEN, text)


def shown_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers that may be shown, masked as texts are."""
    return {
        name: masked(value)[:500]
        for name, value in headers.items()
        if name in SHOWN_HEADERS or name.startswith(SHOWN_STARTS)
    }


def _size(encoded: str) -> str:
    size = len(encoded) * 3 // 4
    return f"{size // 1024} KB" if size >= 1024 else f"{size} bytes"
