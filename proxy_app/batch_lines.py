"""The lines of a batch's file: what each asks for, what it may cost, and the same for its provider."""

from collections.abc import AsyncIterator, Container
from dataclasses import dataclass, field

import msgspec
import orjson

from gateway_project.errors import BadRequest, ForbiddenParameter, UnsupportedParameter
from keys_app.limits.estimate import SLICE_TOKENS
from proxy_app.reading import is_too_deep, refuse_forbidden
from proxy_app.wire import JSON
from usage_app.usage import estimate_input_tokens

LINE_LIMIT = 16 * 1024 * 1024  # bytes, as of a call by itself
#: What a line may ask for, by its address, and what a key must be allowed for it.
ENDPOINTS = {
    "/v1/chat/completions": "chat.completions",
    "/v1/responses": "responses",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}
ADDRESSES = {endpoint: address for address, endpoint in ENDPOINTS.items()}
#: OpenAI takes half as many, Azure as many.
MOST_LINES = 100_000
_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
#: What a provider keeps for somebody: a line cannot prove whose it is.
_OF_OTHERS = ("previous_response_id", "conversation")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Line:
    number: int  # from 1
    custom_id: str
    endpoint: str  # as keys name it
    body: JSON
    fields: dict[str, msgspec.Raw]

    @property
    def model(self) -> str:
        return str(self.body["model"])

    def with_model(self, name: str) -> bytes:
        """The line with another model in its body, and nothing else changed."""
        body = _fields(self.fields["body"])
        body["model"] = msgspec.Raw(msgspec.json.encode(name))
        changed = {**self.fields, "body": msgspec.Raw(msgspec.json.encode(body))}
        return msgspec.json.encode(changed) + b"\n"

    def most(self) -> tuple[int, int]:
        """(input, output) tokens that it is held for; where it names no limit, a usual answer."""
        input_tokens = estimate_input_tokens(len(self.fields["body"]))
        if self.endpoint == "embeddings":
            return input_tokens, 0
        named = [self.body[name] for name in _LIMITS if _is_count(self.body.get(name))]
        many = self.body["n"] if _is_count(self.body.get("n")) else 1
        return input_tokens, max(named, default=SLICE_TOKENS) * many


def endpoint_of(url: object, where: str) -> str:
    """What a key must be allowed to ask for an address in a batch. Raises BadRequest."""
    text = url if isinstance(url, str) else ""
    path = text if text.startswith("/v1/") else f"/v1{text}"
    if path not in ENDPOINTS:
        raise BadRequest(f"{where}: a batch may ask for {', '.join(ENDPOINTS)}, not for '{text[:80]}'.")
    return ENDPOINTS[path]


def read_line(number: int, raw: bytes) -> Line:
    """Raises BadRequest and its kin, naming the line."""
    where = f"Line {number}"
    try:
        whole = orjson.loads(raw)
        if is_too_deep(raw, whole):
            raise BadRequest(f"{where} is nested too deeply.")
        fields = _fields(raw)
    except (orjson.JSONDecodeError, msgspec.DecodeError):
        raise BadRequest(f"{where} is not a JSON object.") from None
    custom_id, body = whole.get("custom_id"), whole.get("body")
    if not isinstance(body, dict):
        raise BadRequest(f"{where}: 'body' is not an object.")
    if not isinstance(custom_id, str) or not custom_id:
        raise BadRequest(f"{where}: 'custom_id' is missing.")
    if whole.get("method", "POST") != "POST":
        raise BadRequest(f"{where}: 'method' must be POST.")
    endpoint = endpoint_of(whole.get("url"), where)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise BadRequest(f"{where}: 'body.model' names no model.")
    for name in _OF_OTHERS:
        if body.get(name):
            raise UnsupportedParameter(f"{where}: '{name}' cannot be asked for in a batch.", param=name)
    try:
        refuse_forbidden(body)
    except ForbiddenParameter as error:
        raise ForbiddenParameter(f"{where}: {error.detail}", param=error.param) from None
    return Line(number, custom_id, endpoint, body, fields)


@dataclass(slots=True)
class Likeness:
    """What the lines of one batch must share, and what no two of them may."""

    first: Line | None = None
    seen: set[str] = field(default_factory=set)

    def check(self, line: Line) -> None:
        """Raises BadRequest that names the line."""
        first = self.first = self.first or line
        if line.model != first.model:
            raise _unlike(line.number, line.model, first.model, "model", "model")
        if line.endpoint != first.endpoint:
            url, firsts = ADDRESSES[line.endpoint], ADDRESSES[first.endpoint]
            raise _unlike(line.number, url, firsts, "address", "url")
        if len(self.seen) == MOST_LINES:
            raise BadRequest(f"Line {line.number}: a batch may have {MOST_LINES} lines.", param="file")
        self.seen.add(once(line.custom_id, self.seen, f"Line {line.number}"))


def once(custom_id: str, seen: Container[str], where: str) -> str:
    """An id that no other line of its batch has. Raises BadRequest."""
    if custom_id in seen:
        raise BadRequest(
            f"{where}: the 'custom_id' '{custom_id[:80]}' stands in an earlier one already.",
            param="custom_id",
        )
    return custom_id


def _unlike(number: int, one: str, other: str, what: str, param: str) -> BadRequest:
    return BadRequest(
        f"Line {number} asks for '{one[:200]}', those before it for '{other[:200]}':"
        f" the lines of one batch ask for one {what}.",
        param=param,
    )


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """(number, line) of a file that comes in pieces, blank lines left out. Raises BadRequest for one that is
    longer than a call may be."""
    number, rest = 0, bytearray()
    async for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            number += 1
            line = bytes(rest) + piece[start:end]
            rest.clear()
            start = end + 1
            if line.strip():
                yield number, line
        rest += piece[start:]
        if len(rest) > LINE_LIMIT:
            raise BadRequest(f"Line {number + 1} is longer than {LINE_LIMIT} bytes.")
    if rest.strip():
        yield number + 1, bytes(rest)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
