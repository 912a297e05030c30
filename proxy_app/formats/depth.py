"""Answers that are nested too deeply: JSON is read deeper than it can be written again. Pure."""

from types import TracebackType

from gateway_project.errors import UpstreamInvalid

#: What orjson says past 254 levels: a bare TypeError, which its words alone tell from a mistake of ours.
_WORDS = "Recursion limit reached"


class RefusingDepth:
    """While a provider's answer is read and written. Raises UpstreamInvalid for one that is too deep."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RecursionError) or (isinstance(error, TypeError) and str(error) == _WORDS):
            raise UpstreamInvalid("The provider sent an answer that is nested too deeply.") from error


refusing_depth = RefusingDepth()
