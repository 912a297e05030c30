"""Files that Google keeps: a body names them by their address, whatever its format. Pure."""

from urllib.parse import unquote

import orjson

HOST_WORD = "generativelanguage"
#: Fields of all formats that hold an address which a provider may be sent as it is.
ADDRESSES = frozenset({"fileUri", "file_uri", "url", "image_url", "file_url", "file_data"})


def file_name(address: str) -> str | None:
    """`files/<id>` of an address at Google's Files, or of the bare name; None for any other address."""
    if address[:5].lower() == "data:":
        return None
    whole = unquote(address).strip()
    if HOST_WORD not in whole.lower() and not whole.startswith("files/"):
        return None
    return f"files/{whole.partition('?')[0].partition('#')[0].rstrip('/').rpartition('/')[2]}"


def is_upload(method: str, path: str) -> bool:
    """Whether a request to Google's host brings a file."""
    segments = path.partition("?")[0].strip("/").split("/")
    return method == "POST" and segments[0] == "upload" and segments[-1] == "files"


def uploaded_name(raw: bytes) -> str | None:
    """`files/<id>` as an upload's answer tells it."""
    try:
        file = orjson.loads(raw)["file"]
        name = file["name"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and name.startswith("files/") else None
