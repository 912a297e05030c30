"""What every operation reads alike of a caller's request."""

from gateway_project.errors import InvalidBody
from proxy_app.formats.reading import Fields
from proxy_app.wire import Address

MOST_NAME = 200


def model_of(fields: Fields, address: Address) -> str:
    """The model asked for: in the address, else in the body. Raises InvalidBody."""
    model = address.model or fields.maybe_text("model")
    if model is None or not model.strip():
        raise InvalidBody("'model' is missing.", param="model")
    return model


def required_text(fields: Fields, name: str) -> str:
    value = fields.maybe_text(name)
    if value is None or not value:
        raise InvalidBody(f"'{name}' is missing.", param=name)
    return value


def bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def likely_tokens(size: int) -> int:
    """A fair guess at the tokens of a text of so many bytes."""
    return -(-size // 4)
