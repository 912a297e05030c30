"""Unfold's decorators with types: `column` for list columns, `doing` for actions."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from unfold.decorators import action, display

F = TypeVar("F", bound=Callable[..., Any])


def column(**options: Any) -> Callable[[F], F]:
    """A method that shows a value of a row; options as `unfold.decorators.display` takes them."""
    return cast(Callable[[F], F], display(**options))


def shown_field(name: str, description: Any, empty: Any) -> Callable[[Any, Any], Any]:
    """A column of a field that may be empty, with the word for that: Django takes one for a whole list."""

    @column(description=description, ordering=name, empty_value=empty)
    def shown(page: Any, row: Any) -> Any:
        value = getattr(row, name)
        return None if value == "" else value

    return shown


def doing(**options: Any) -> Callable[[F], F]:
    """A method that does something to rows; options as `unfold.decorators.action` takes them."""
    return cast(Callable[[F], F], action(**options))
