"""Media in messages: data URLs and the media types formats call by other names."""

import binascii
import re
from base64 import b64decode
from urllib.parse import unquote_to_bytes, urlsplit

from gateway_project.errors import InvalidBody
from proxy_app.wire import Image

_DATA_URL = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?P<params>(?:;[\w.+-]+=[^;,]*)*)(?P<b64>;base64)?,", re.I
)
_BY_SUFFIX = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
}
AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mp3"}
AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}


def split_data_url(url: str, param: str) -> tuple[str, str]:
    """(media type, base64 text) of a data URL. Raises InvalidBody when it is not base64."""
    found = _DATA_URL.match(url)
    if found is None or not found["b64"]:
        raise InvalidBody(f"'{param}' must be a data URL of the form data:<type>;base64,<data>.", param=param)
    return found["type"] or "text/plain", url[found.end() :]


def is_data_url(url: str) -> bool:
    return url[:5].lower() == "data:"


def is_web_url(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def guess_type(name: str | None) -> str | None:
    """The media type a file name or address ends in; None when it does not tell."""
    if not name:
        return None
    path = urlsplit(name).path if is_web_url(name) else name
    _, dot, suffix = path.rpartition(".")
    return _BY_SUFFIX.get(suffix.lower()) if dot else None


def decode_text(data: str, param: str) -> str:
    """The text inside base64 data. Raises InvalidBody when it is not UTF-8 text in base64."""
    try:
        return b64decode(unquote_to_bytes(data), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidBody(f"'{param}' must be UTF-8 text in base64.", param=param) from error


def image_address(image: Image) -> str:
    """Where an image is, or the image itself as a data URL."""
    return image.url or f"data:{image.media_type or 'image/png'};base64,{image.data or ''}"
