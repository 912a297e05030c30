"""Answers that are nested too deeply: JSON is read deeper than it can be written again. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway_project.errors import UpstreamInvalid

#: What orjson says past 254 levels: a bare TypeError, which its words alone tell from a mistake of ours.
_WORDS = "Recursion limit reached"


@contextmanager
def refusing_depth() -> Iterator[None]:
    """While a provider's answer is read and written. Raises UpstreamInvalid for one that is too deep."""
    try:
        yield
    except (TypeError, RecursionError) as error:
        if isinstance(error, TypeError) and str(error) != _WORDS:
            raise
        raise UpstreamInvalid("The provider sent an answer that is nested too deeply.") from error
