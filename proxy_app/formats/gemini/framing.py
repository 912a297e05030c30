"""How the pieces of a Gemini stream are told apart: server-sent events, or the elements of one JSON array."""

#: Ends of a line to the official SDKs' line readers, though neither to JSON nor to server-sent events.
_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


class Framing:
    """Frames one stream's pieces, each the bytes of a JSON object in one line."""

    __slots__ = ("_begun", "_is_array")

    def __init__(self, framing: str) -> None:
        self._is_array = framing == "array"
        self._begun = False

    def piece(self, body: bytes) -> bytes:
        if not body.isascii():
            for raw, escaped in _LINE_ENDS:
                if raw in body:
                    body = body.replace(raw, escaped)
        if not self._is_array:
            return b"data: %b\n\n" % body
        head = b"," if self._begun else b"["
        self._begun = True
        return b"%b%b\r\n" % (head, body)

    def end(self) -> bytes:
        """Server-sent events of this format have no terminator; an array has its bracket, which is not
        the sign of a whole answer: that is the reason in its last element."""
        if not self._is_array:
            return b""
        return b"]" if self._begun else b"[]"
