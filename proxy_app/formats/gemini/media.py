"""Media in Gemini parts, both directions: `inlineData` in base64 and `fileData` by address.

SDKs write base64 in the URL-safe alphabet; other providers read only the standard one. Addresses: Files API,
Cloud Storage and YouTube are the provider's own; public https addresses are fetched by Gemini 2.5 and later
(Google's announcement of January 2026 and its page on file input methods). The gateway fetches none.
"""

from gateway_project.errors import UnsupportedContent
from proxy_app.formats.carrying import cannot_carry
from proxy_app.formats.gemini.request import generation
from proxy_app.formats.gemini.spelling import CamelFields
from proxy_app.formats.media import guess_type, is_web_url
from proxy_app.formats.reading import wrong_type
from proxy_app.google_files import file_name
from proxy_app.wire import JSON, Audio, File, Image, Target

_FIRST_WITH_ADDRESSES = (2, 5)
_YOUTUBE = ("https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/")
_FILES_API = "https://generativelanguage.googleapis.com/"


def parse_media(part: CamelFields) -> Image | File | Audio:
    """An image, a document or a sound. Raises UnsupportedContent for videos and what only this provider
    can reach."""
    inline = part.maybe_object("inlineData")
    if inline is not None:
        return _inline(inline, part.path)
    file = part.object("fileData")
    address, name = file.text("fileUri"), file.maybe_text("displayName")
    media_type = file.maybe_text("mimeType") or guess_type(address) or ""
    if not is_web_url(address) or _is_own(address):
        return File(file_id=address, media_type=media_type or None, filename=name, path=part.path)
    if media_type.startswith("image/"):
        return Image(url=address, media_type=media_type, path=part.path)
    _refuse_moving(media_type, part.path, ("audio/", "video/"))
    return File(url=address, media_type=media_type or None, filename=name, path=part.path)


def _inline(inline: CamelFields, path: str) -> Image | File | Audio:
    media_type, data = inline.text("mimeType").lower(), _standard(inline.text("data"))
    if "/" not in media_type:
        raise wrong_type(inline.at("mimeType"), "a media type")
    kind = media_type.partition("/")[0]
    if kind == "image":
        return Image(data=data, media_type=media_type, path=path)
    if kind == "audio":
        return Audio(data, media_type, path=path)
    _refuse_moving(media_type, path, ("video/",))
    return File(data=data, media_type=media_type, filename=inline.maybe_text("displayName"), path=path)


def _refuse_moving(media_type: str, path: str, kinds: tuple[str, ...]) -> None:
    if media_type.startswith(kinds):
        raise UnsupportedContent(
            f"'{path}': media of the type '{media_type[:60]}' cannot be carried to this model.", param=path
        )


def _standard(data: str) -> str:
    """Base64 in the standard alphabet, with its padding."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)


def _is_own(address: str) -> bool:
    return address.startswith((_FILES_API, *_YOUTUBE))


def build_media(part: Image | File | Audio, target: Target) -> JSON:
    """Raises UnsupportedContent for addresses the model does not take and files of other providers."""
    if isinstance(part, Audio):
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    if part.url is not None:
        _check_address(part, part.url, target)
        file: JSON = {"fileUri": part.url}
        if media_type := part.media_type or guess_type(part.url):
            file["mimeType"] = media_type
        return {"fileData": file}
    if part.data is None:
        raise cannot_carry(part, "a file known to another provider cannot be carried to this model.")
    default = "image/png" if isinstance(part, Image) else "application/pdf"
    return {"inlineData": {"mimeType": part.media_type or default, "data": part.data}}


def _check_address(part: Image | File, url: str, target: Target) -> None:
    """Quirk `web_media` says whether a model takes public addresses, else its generation does."""
    taken = target.quirks.get("web_media")
    if taken is None:
        taken = (generation(target) or (0, 0)) >= _FIRST_WITH_ADDRESSES
    is_disguised = file_name(url) is not None  # else it would be looked at as nobody's
    if _is_own(url) or (taken and url[:8].lower() == "https://" and not is_disguised):
        return
    raise cannot_carry(part, "media by web address cannot be carried to this model: send it in base64.")
