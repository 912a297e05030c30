"""The requests of one of Anthropic's batches: what each asks for, what it may cost, and the same for its
provider."""

from dataclasses import dataclass

import msgspec
import orjson

from gateway_project.errors import (
    BadRequest,
    ForbiddenParameter,
    GatehouseError,
    UnsupportedParameter,
)
from proxy_app.batch_lines import LINE_LIMIT
from proxy_app.formats import exchange
from proxy_app.reading import is_too_deep, refuse_forbidden
from proxy_app.wire import JSON, NOWHERE
from usage_app.usage import estimate_input_tokens

FORMAT = "anthropic"
#: What a key must be allowed besides the batch itself: each request is such a call.
ENDPOINT = "messages"
MOST_REQUESTS = 100_000
BODY_LIMIT = 256 * 1024 * 1024  # as Anthropic takes them
REQUEST_LIMIT = LINE_LIMIT
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class MessageRequest:
    number: int  # from 1
    custom_id: str
    params: JSON
    fields: dict[str, msgspec.Raw]
    max_tokens: int

    @property
    def model(self) -> str:
        return str(self.params["model"])

    def with_model(self, name: str) -> bytes:
        """The request with another model in its params, and nothing else changed."""
        params = _fields(self.fields["params"])
        params["model"] = msgspec.Raw(msgspec.json.encode(name))
        return msgspec.json.encode({**self.fields, "params": msgspec.Raw(msgspec.json.encode(params))})

    def most(self) -> tuple[int, int]:
        """(input, output) tokens that it is held for."""
        return estimate_input_tokens(len(self.fields["params"])), self.max_tokens


def read_request(number: int, raw: bytes) -> MessageRequest:
    """Raises BadRequest and its kin, naming the request."""
    where = f"Request {number}"
    try:
        whole = orjson.loads(raw)
        if is_too_deep(raw, whole):
            raise BadRequest(f"{where} is nested too deeply.", param="requests")
        fields = _fields(raw)
    except (orjson.JSONDecodeError, msgspec.DecodeError):
        raise BadRequest(f"{where} is not a JSON object.", param="requests") from None
    if not isinstance(whole.get("custom_id"), str) or not whole["custom_id"]:
        raise BadRequest(f"{where}: 'custom_id' is missing.", param="custom_id")
    params = whole.get("params")
    if not isinstance(params, dict):
        raise BadRequest(f"{where}: 'params' is not an object.", param="params")
    try:
        refuse_forbidden(whole)
        facts = exchange.read_call(FORMAT, params, NOWHERE)
    except (BadRequest, ForbiddenParameter) as error:
        raise named(where, error) from None
    if facts.stream:
        raise UnsupportedParameter(f"{where}: 'stream' cannot be asked for in a batch.", param="stream")
    return MessageRequest(number, whole["custom_id"], params, fields, facts.max_output_tokens or 0)


def named(where: str, error: GatehouseError) -> GatehouseError:
    """The same refusal, with the request named that it is of."""
    return type(error)(f"{where}: {error.detail}", param=error.param)
