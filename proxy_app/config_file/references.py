"""Values of a configuration file: `os.environ/NAME` references, numbers and lists, read forgivingly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway_project.env import env_str

_PREFIX = "os.environ/"


@dataclass(frozen=True, slots=True)
class Reference:
    """A text that stands for itself or names a variable. `value` None: that variable is not set."""

    value: str | None = field(repr=False)
    variable: str = ""

    @classmethod
    def of(cls, text: str | None) -> "Reference":
        if text is None:
            return cls("")
        if not text.startswith(_PREFIX):
            return cls(text)
        name = text.removeprefix(_PREFIX).strip()
        return cls(env_str(name) or None, name)


def text_or_none(value: Any) -> str | None:
    """A scalar as stripped text; None for null, a list or a mapping."""
    if value is None or isinstance(value, Mapping | list | bool):
        return None
    return str(value).strip()


def whole_number(value: Any) -> int | None:
    """A count of 0 or more; None for anything else."""
    number = decimal_number(value)
    if number is None or number < 0 or number != number.to_integral_value():
        return None
    return int(number)


def decimal_number(value: Any) -> Decimal | None:
    """A finite number exactly as it is written: 1.5e-07 stays fifteen hundred-millionths."""
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def seconds(value: Any) -> float | None:
    """A positive duration in seconds."""
    number = decimal_number(value)
    return float(number) if number is not None and number > 0 else None


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; one text alone counts as a list of it."""
    if isinstance(value, list):
        return tuple(text for item in value if (text := text_or_none(item)))
    text = text_or_none(value)
    return (text,) if text else ()


def mapping(value: Any) -> Mapping[str, Any]:
    """A section, or the empty one where something else stands."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
