"""Compressed request bodies, unpacked within the endpoint's limit: a small body cannot become a large one.

gzip and deflate by the standard library; zstd where the running Python or an installed package knows it.
"""

import zlib
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from typing import Any

from gateway_project.errors import BodyTooLarge, InvalidBody, UnsupportedEncoding

_ANY_HEADER = 47  # zlib's word for: gzip's or zlib's header, whichever comes
_ZSTD_WINDOW = 32 * 1024 * 1024  # bytes of memory that a zstd frame may claim


def unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """What unpacks bodies under a Content-Encoding: (body, limit in bytes) -> body. Raises
    UnsupportedEncoding; what it gives raises BodyTooLarge past the limit, InvalidBody for damaged data."""
    name = encoding.strip().lower()
    unpack = _UNPACKERS.get(name)
    if unpack is None:
        raise UnsupportedEncoding(
            f"Bodies under the content encoding '{name[:40]}' are not read here: send {_readable()}, "
            "or the JSON as it is."
        )

    def within(raw: bytes, limit: int) -> bytes:
        try:
            body = unpack(raw, limit + 1)
        except (zlib.error, EOFError, ValueError):
            raise InvalidBody(f"The body is not valid {name} data, or breaks off before its end.") from None
        if len(body) > limit:
            raise BodyTooLarge(f"The request body may have {limit} bytes once it is unpacked.")
        return body

    return within


def _readable() -> str:
    return ", ".join(name for name in ("gzip", "deflate", "zstd") if name in _UNPACKERS)


def _inflate(raw: bytes, most: int) -> bytes:
    """gzip (of one member or more) or deflate, of which some senders leave out zlib's header."""
    try:
        return _inflate_as(_ANY_HEADER, raw, most)
    except zlib.error:
        return _inflate_as(-zlib.MAX_WBITS, raw, most)


def _inflate_as(header: int, raw: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    left = most
    while raw and left > 0:
        unpacker = zlib.decompressobj(header)
        parts.append(unpacker.decompress(raw, left))
        left -= len(parts[-1])
        if left > 0 and not unpacker.eof:
            raise EOFError
        raw = unpacker.unused_data
    return b"".join(parts)


def _standard_zstd(module: Any) -> Callable[[bytes, int], bytes]:
    def unpack_zstd(raw: bytes, most: int) -> bytes:
        window = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW.bit_length() - 1}
        try:
            with module.ZstdFile(BytesIO(raw), options=window) as opened:
                return bytes(opened.read(most))
        except module.ZstdError as error:
            raise ValueError from error

    return unpack_zstd


def _installed_zstd(module: Any) -> Callable[[bytes, int], bytes]:
    def unpack_zstd(raw: bytes, most: int) -> bytes:
        unpacker = module.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        try:
            body = bytes(unpacker.stream_reader(BytesIO(raw), read_across_frames=True).read(most))
            if len(body) < most:
                check_ends(raw)
        except module.ZstdError as error:
            raise ValueError from error
        return body

    def check_ends(raw: bytes) -> None:
        """The reader passes over a frame that breaks off; what it gave is known to be small by now."""
        while raw:
            frame = module.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
            frame.decompress(raw)
            if not frame.eof:
                raise EOFError
            raw = frame.unused_data

    return unpack_zstd


def _zstd() -> dict[str, Callable[[bytes, int], bytes]]:
    for name, adapt in (("compression.zstd", _standard_zstd), ("zstandard", _installed_zstd)):
        try:
            return {"zstd": adapt(import_module(name))}
        except ImportError:
            continue
    return {}


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "": lambda raw, _most: raw,
    "identity": lambda raw, _most: raw,
    "gzip": _inflate,
    "x-gzip": _inflate,
    "deflate": _inflate,
    **_zstd(),
}
