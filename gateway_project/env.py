"""The one door to the environment: typed readers that fail loudly with a sentence.

Every variable Gatehouse reads is read through here, so `SETTINGS` in `conf` and the docs can be
checked against reality. Standard library only.
"""

import os
from collections.abc import Mapping
from pathlib import Path

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class BadSetting(ValueError):
    """A variable holds a value that cannot be used; the message says which, why and what would do."""


def environment() -> Mapping[str, str]:
    """The process environment, read only."""
    return os.environ


def set_default(name: str, value: str) -> None:
    """Put a value into the environment for child processes and libraries unless one is there."""
    os.environ.setdefault(name, value)


def env_str(name: str, default: str = "") -> str:
    """The variable's text, stripped; `default` when unset or blank."""
    return os.environ.get(name, "").strip() or default


def env_int(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
    """A whole number within [minimum, maximum]; raises BadSetting otherwise."""
    text = env_str(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise BadSetting(f"{name} is {text!r}; it takes a whole number such as {default}.") from None
    if not minimum <= value <= maximum:
        raise BadSetting(f"{name} is {value}; it takes a number from {minimum} to {maximum}.")
    return value


def env_bool(name: str, default: bool) -> bool:
    """on/off, yes/no, true/false or 1/0; raises BadSetting for anything else."""
    text = env_str(name).lower()
    if not text:
        return default
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadSetting(f"{name} is {text!r}; it takes on or off.")


def env_list(name: str) -> tuple[str, ...]:
    """Comma-separated values, blanks dropped."""
    return tuple(item.strip() for item in env_str(name).split(",") if item.strip())


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of `choices`; raises BadSetting otherwise."""
    value = env_str(name, default)
    if value not in choices:
        raise BadSetting(f"{name} is {value!r}; it takes one of {', '.join(choices)}.")
    return value


def env_path(name: str, default: Path) -> Path:
    """An absolute path; a relative one counts from the working directory."""
    return Path(env_str(name, str(default))).expanduser().absolute()
