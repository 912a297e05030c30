"""Files and cached contents that Google keeps: a body names them by their address or name. Pure.

A Gemini behind another base address (a proxy, a gateway of its own) gives files addresses at that host.
"""

import re
from collections.abc import Collection
from urllib.parse import unquote

import orjson

HOST_WORD = "generativelanguage"
#: Fields of all formats that hold an address which a provider may be sent as it is.
ADDRESSES = frozenset({"fileUri", "file_uri", "url", "image_url", "file_url", "file_data"})
#: Fields of a Gemini body that name what was cached before, in either spelling.
CACHED = ("cachedContent", "cached_content")
_CACHES = "cachedContents"
_FILE = re.compile(r"(?:^|[/\\])files[/\\]", re.IGNORECASE)


def file_name(address: str, hosts: Collection[str] = ()) -> str | None:
    """`files/<id>` of an address at Google's Files, or of the bare name; None for any other address.

    `hosts` are those, in lower case, at which a Gemini stands besides: of them, only files are meant.
    """
    if address[:5].lower() == "data:":
        return None
    whole = unquote(address).strip()
    if HOST_WORD not in (lower := whole.lower()) and not whole.startswith("files/"):
        at_host = any(host in lower for host in hosts)
        if not at_host or _FILE.search(whole) is None:
            return None
    return f"files/{whole.partition('?')[0].partition('#')[0].rstrip('/').rpartition('/')[2]}"


def cache_name(name: str) -> str:
    """`cachedContents/<id>` of a cache's name, which may tell project and location before it."""
    return f"{_CACHES}/{unquote(name).strip().rstrip('/').rpartition('/')[2]}"


def is_upload(method: str, path: str) -> bool:
    """Whether a request to Google's host brings a file, or caches contents."""
    segments = path.partition("?")[0].strip("/").split("/")
    is_file = segments[0] == "upload" and segments[-1] == "files"
    return method == "POST" and (is_file or segments[-1] == _CACHES)


def uploaded_name(raw: bytes) -> str | None:
    """`files/<id>` or `cachedContents/<id>` as the answer tells what was brought."""
    try:
        told = orjson.loads(raw)
        name = told.get("file", told)["name"]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
    if not isinstance(name, str):
        return None
    if f"{_CACHES}/" in name:
        return cache_name(name)
    return name if name.startswith("files/") else None
