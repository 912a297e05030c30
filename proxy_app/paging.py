"""Pages of a list of ids: where one begins and ends, by the ids that the caller has seen. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway_project.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    end: int
    has_more: bool


def span_of(ids: Sequence[str], query: Mapping[str, str], most: int) -> Span:
    """The page behind `after_id`, or the one that ends before `before_id`. Raises BadRequest for an id that
    is in no list of the caller's."""
    after, before = query.get("after_id"), query.get("before_id")
    for name, value in (("after_id", after), ("before_id", before)):
        if value and value not in ids:
            raise BadRequest(f"'{name}' names nothing of this list.", param=name)
    first = ids.index(after) + 1 if after else 0
    last = ids.index(before) if before else len(ids)
    if before:
        return Span(max(last - most, first), last, last - most > first)
    return Span(first, min(first + most, last), first + most < last)


def page_size(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    """How many are asked for. Raises BadRequest."""
    text = query.get(name)
    if text is None:
        return usual
    if not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        raise BadRequest(f"'{name}' must be a whole number from 1 to {most}.", param=name)
    return int(text[:9])


def gemini_page_size(query: Mapping[str, str], usual: int, most: int) -> int:
    """Google's way: 0 is as good as none, and more than there may be is as many as there may be (AIP-158).
    Raises BadRequest."""
    text = query.get("pageSize") or query.get("page_size") or "0"
    if not text.isdecimal():
        raise BadRequest("'pageSize' must be a whole number.", param="pageSize")
    return min(int(text[:9]), most) or usual
