"""Offers of another protocol that are not taken up: the request is read on as if it had made none.

Java's own HttpClient offers HTTP/2 (`Upgrade: h2c`) with every request to an http:// address, its body
included, and llhttp takes whatever follows such a head for the other protocol. RFC 9110, 7.8 lets a server
ignore the offer.
"""

from collections.abc import Sequence

_OFFERS = (b"upgrade", b"http2-settings")


def without_offer(method: bytes, url: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of a request, as it was read (names in lower case), without what offers another protocol."""
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode())]
    for name, value in headers:
        if name == b"connection":
            kept = [word for word in value.split(b",") if word.strip().lower() not in _OFFERS]
            value = b",".join(kept)
        if name not in _OFFERS and (value or name != b"connection"):
            lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join([*lines, b"", b""])
