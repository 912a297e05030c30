"""Usage that arrives in instalments: a later report overwrites an earlier one figure by figure."""

from dataclasses import fields, replace

from proxy_app.wire import Usage

_NAMES = tuple(field.name for field in fields(Usage))


def merge_usage(known: Usage | None, later: Usage) -> Usage:
    """A new usage; figures the later report does not tell stay as known."""
    if known is None:
        return later
    told = {name: value for name in _NAMES if (value := getattr(later, name)) is not None}
    return replace(known, **told)
