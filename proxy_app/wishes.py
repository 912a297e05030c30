"""What a body that is passed on asks for, as far as its hold must know: how many answers, and how long.

Whatever its provider may read as a number counts: a form's texts, and those of Google's, which takes whole
numbers as texts and floats and fields in either spelling. Of several wishes the largest counts.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from gateway_project.errors import InvalidBody
from proxy_app.formats.reading import as_count, as_object
from proxy_app.multipart import Scan, Scanner, boundary_of
from proxy_app.operations.images import MOST_IMAGES, MOST_SENT
from proxy_app.wire import JSON

MOST_ANSWERS = 128  # that are asked for at once: as many as any provider gives
#: Formats whose `n` is a number of answers; "usage": in an object of its own, as images have it.
_SEVERAL = frozenset({"openai_chat", "openai_completions", "usage"})
_CONFIGS = ("generationConfig", "generation_config")
_COUNTS = ("candidateCount", "candidate_count")
_SAMPLES = ("sampleCount", "sample_count")
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_GEMINI_LIMITS = ("maxOutputTokens", "max_output_tokens")


def answers_wished(body: JSON, format: str) -> int:
    """How many answers a body asks for at once, at least one and bounded.

    `format` is the one that the answer tells its usage in, '' where it tells none.
    """
    wished: list[Any] = [body.get("n")] if format in _SEVERAL else []
    if format in ("gemini", ""):
        wished += _under(body, _CONFIGS, _COUNTS)
        wished += _under(body, ("parameters",), _SAMPLES)  # pictures and films, of `:predict`
    return min(max([1, *map(_whole, wished)]), MOST_ANSWERS)


def longest_wished(body: JSON, format: str) -> int | None:
    """The longest answer a body asks for, in tokens; None where it names none."""
    named = _under(body, _CONFIGS, _GEMINI_LIMITS) if format == "gemini" else map(body.get, _LIMITS)
    return max(map(_whole, named), default=0) or None


def _under(body: JSON, holders: Iterable[str], names: tuple[str, ...]) -> Iterator[Any]:
    for holder in holders:
        told = as_object(body.get(holder))
        yield from map(told.get, names)


def _whole(value: Any) -> int:
    """A number that is wished for; 0 for what is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    return as_count(value) or 0


class FormReading:
    """Reads a form's short fields as it comes in, and counts its files. What is none, or cannot be read, is
    passed on all the same; it then counts as sending and asking for as many images as may be."""

    def __init__(self, content_type: str) -> None:
        self._is_form = content_type.strip().lower().startswith("multipart/")
        self._scanner: Scanner | None = None
        if self._is_form:
            try:
                self._scanner = Scanner(boundary_of(content_type))
            except InvalidBody:
                pass

    def feed(self, piece: bytes) -> None:
        if self._scanner is not None:
            try:
                self._scanner.feed(piece)
            except InvalidBody:
                self._scanner = None

    def fields(self) -> JSON:
        """The last of each name; of `n` the largest, and no model where several are named."""
        if not self._is_form:
            return {}
        scan = self._whole_scan()
        if scan is None:
            return {"n": MOST_IMAGES}
        found = scan.fields
        fields: JSON = {name: values[-1] for name, values in found.items()}
        if "n" in found:
            fields["n"] = max(map(_whole, found["n"]))
        if len(set(found.get("model", ()))) > 1:
            del fields["model"]
        return fields

    def files(self) -> int:
        """How many files it brings, whatever they are called."""
        if not self._is_form:
            return 0
        scan = self._whole_scan()
        return MOST_SENT if scan is None else len(scan.files)

    def _whole_scan(self) -> Scan | None:
        try:
            return self._scanner.finish() if self._scanner is not None else None
        except InvalidBody:
            return None
