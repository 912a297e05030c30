"""Unfold's decorators with types: `column` for list columns, `doing` for actions."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from unfold.decorators import action, display

F = TypeVar("F", bound=Callable[..., Any])


def column(**options: Any) -> Callable[[F], F]:
    """A method that shows a value of a row; options as `unfold.decorators.display` takes them."""
    return cast(Callable[[F], F], display(**options))


def doing(**options: Any) -> Callable[[F], F]:
    """A method that does something to rows; options as `unfold.decorators.action` takes them."""
    return cast(Callable[[F], F], action(**options))
