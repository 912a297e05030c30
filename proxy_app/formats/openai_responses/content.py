"""Parts of Responses messages and tool results, read into ours. Every part is carried or refused by name."""

from gateway_project.errors import InvalidBody, UnsupportedContent
from proxy_app.formats.media import AUDIO_TYPES, guess_type, is_data_url, is_web_url, split_data_url
from proxy_app.formats.reading import Fields, cache_mark, wrong_type
from proxy_app.wire import Audio, File, Image, Part, Refusal, Role, Text

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text"})


def parse_content(owner: Fields, key: str, role: Role) -> list[Part]:
    """The parts of a field that is a string or an array of parts."""
    value = owner.get(key)
    if isinstance(value, str):
        return [Text(value)]
    if value is None:
        raise InvalidBody(f"'{owner.at(key)}' is missing.", param=owner.at(key))
    if not isinstance(value, list):
        raise wrong_type(owner.at(key), "a string or an array of parts")
    return [_part(part, role) for part in owner.objects(key)]


def unsupported(path: str, what: str) -> UnsupportedContent:
    return UnsupportedContent(f"'{path}': {what} cannot be carried to this model.", param=path)


def _part(part: Fields, role: Role) -> Part:
    kind = part.text("type")
    if kind in _TEXTS:
        return Text(part.text("text"), cache_mark(part))
    if kind == "refusal" and role == "assistant":
        return Refusal(part.text("refusal"))
    if role == "user":
        match kind:
            case "input_image":
                return _image(part)
            case "input_file":
                return _file(part)
            case "input_audio":
                return _audio(part)
    raise unsupported(part.path, f"parts of the type '{kind[:60]}' in a message of the role '{role}'")


def _image(part: Fields) -> Image:
    url, detail = part.maybe_text("image_url"), part.maybe_text("detail")
    cache_control = cache_mark(part)
    if url is None:
        if part.maybe_text("file_id") is not None:
            raise unsupported(part.at("file_id"), "an image kept by another provider")
        raise InvalidBody(f"'{part.path}' needs 'image_url'.", param=part.path)
    if is_data_url(url):
        media_type, data = split_data_url(url, part.at("image_url"))
        return Image(None, data, media_type, detail, cache_control, part.path)
    if not is_web_url(url):
        raise wrong_type(part.at("image_url"), "a data URL or an http(s) URL")
    return Image(url, None, None, detail, cache_control, part.path)


def _file(part: Fields) -> File | Image:
    """`file_data` is a data URL; bare base64 counts when the file name tells what it is."""
    data, name = part.maybe_text("file_data"), part.maybe_text("filename")
    url, cache_control = part.maybe_text("file_url"), cache_mark(part)
    if data is None:
        file_id = part.maybe_text("file_id")
        if url is None and file_id is None:
            raise InvalidBody(f"'{part.path}' needs 'file_data', 'file_url' or 'file_id'.", param=part.path)
        if url is not None and not is_web_url(url):
            raise wrong_type(part.at("file_url"), "an http(s) URL")
        media_type = guess_type(name) or guess_type(url)
        return File(url, None, media_type, name, None if url else file_id, cache_control, part.path)
    if is_data_url(data):
        media_type, data = split_data_url(data, part.at("file_data"))
    else:
        media_type = guess_type(name) or "application/pdf"
    if media_type.startswith("image/"):
        return Image(None, data, media_type, None, cache_control, part.path)
    return File(None, data, media_type, name, None, cache_control, part.path)


def _audio(part: Fields) -> Audio:
    audio = part.object("input_audio")
    form = audio.text("format")
    if form not in AUDIO_TYPES:
        raise wrong_type(audio.at("format"), "wav or mp3")
    return Audio(audio.text("data"), AUDIO_TYPES[form], path=part.path)
