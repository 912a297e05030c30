"""A call's way drawn to scale: phases from the marks, attempts as lanes. Pure arithmetic.

Positions are percent of the whole, so that a drawing needs no inline style: SVG attributes take them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from usage_app.charts import round_step
from usage_app.models import Attempt, Request
from usage_app.verdict import Usual

#: mark that ends a phase -> (what the phase is called, which colour it has)
PHASES: dict[str, tuple[Any, str]] = {
    "received": (_("Receive"), "gateway"),
    "parsed": (_("Parse"), "gateway"),
    "authenticated": (_("Authenticate"), "gateway"),
    "authorised": (_("Authorise"), "gateway"),
    "admitted": (_("Admit"), "gateway"),
    "routed": (_("Route"), "gateway"),
    "journaled": (_("Journal"), "gateway"),
    "sent": (_("Send"), "connect"),
    "connected": (_("Connect"), "connect"),
    "headers": (_("Wait for the answer"), "wait"),
    "first_content": (_("Wait for the first token"), "wait"),
    "read": (_("Read the answer"), "stream"),
    "client_gone": (_("Write the answer"), "stream"),
    "done": (_("Write the answer"), "stream"),
    "refused": (_("Refuse"), "gateway"),
    "attempt": (_("Prepare"), "gateway"),
    "settled": (_("Settle"), "gateway"),
}
#: (mark, the one before it) -> what lies between them, where the first alone does not tell
BETWEEN: dict[tuple[str, str], tuple[Any, str]] = {
    ("settled", "first_content"): (_("Write the answer"), "stream"),
    ("settled", "headers"): (_("Read the answer"), "stream"),
    ("settled", "attempt"): (_("Wait for the answer"), "wait"),
    ("attempt", "attempt"): (_("Failed attempt"), "failed"),
    ("attempt", "headers"): (_("Failed attempt"), "failed"),
    ("attempt", "read"): (_("Failed attempt"), "failed"),
}

#: So many recent calls say what is usual.
ENOUGH_CALLS = 20
#: Marks of the axis, at most so many after 0; of calls of minutes at these distances in ms.
TICKS = 5
_LONG_STEPS = (15_000, 30_000, 60_000, 120_000, 300_000, 600_000)
#: Times are told to a tenth of a millisecond.
_SHORTEST_STEP = 0.1


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of time on a lane, in milliseconds since arrival and in percent of the drawing."""

    label: Any
    kind: str
    start_ms: float
    end_ms: float
    left: float
    width: float

    @property
    def length_ms(self) -> float:
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class Lane:
    """One attempt."""

    attempt: Attempt
    spans: tuple[Span, ...]
    end: float  # percent


@dataclass(frozen=True, slots=True)
class Tick:
    label_ms: float
    left: float
    anchor: str


@dataclass(frozen=True, slots=True)
class UsualMark:
    """What calls of this model take; `left` is None where the drawing ends before."""

    word: Any
    at_ms: float
    left: float | None
    dashes: str  # of its line


@dataclass(frozen=True, slots=True)
class Timeline:
    total_ms: float
    phases: tuple[Span, ...]
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]


def draw(row: Request, attempts: Sequence[Attempt]) -> Timeline:
    """Lay a call out; its latency is the scale, or its last mark where that came later."""
    marks: list[Mapping[str, Any]] = sorted(
        (mark for mark in row.timeline if isinstance(mark, dict) and "at_ms" in mark),
        key=lambda mark: float(mark["at_ms"]),
    )
    lanes_end = max((_offset_ms(row, each) + (each.duration_ms or 0.0) for each in attempts), default=0.0)
    last_mark = float(marks[-1]["at_ms"]) if marks else 0.0
    total = max(row.latency_ms or 0.0, last_mark, lanes_end) or 1.0
    phases, start, before = [], 0.0, ""
    for mark in marks:
        name, end = str(mark["name"]), float(mark["at_ms"])
        plain = PHASES.get(name, (name.replace("_", " ").capitalize(), "gateway"))
        label, kind = BETWEEN.get((name, before), plain)
        before = name
        if end > start:
            phases.append(_span(label, kind, start, end, total))
        start = max(start, end)
    lanes = tuple(_lane(row, attempt, total) for attempt in attempts)
    return Timeline(total, tuple(phases), lanes, _ticks(total))


def usual_marks(timeline: Timeline, usual: Usual) -> tuple[UsualMark, ...]:
    """Half and 95 % of this model's recent calls ended by these; none where too few are known."""
    if usual.calls < ENOUGH_CALLS:
        return ()
    marks = (
        (_("half of this model's calls took up to"), usual.latency_p50_ms, "6 3"),
        (_("95 % of them up to"), usual.latency_p95_ms, "2 2"),
    )
    return tuple(
        UsualMark(word, at_ms, _within(at_ms, timeline.total_ms), dashes)
        for word, at_ms, dashes in marks
        if at_ms is not None
    )


def _within(at_ms: float, total: float) -> float | None:
    return round(100 * at_ms / total, 3) if at_ms <= total else None


def _lane(row: Request, attempt: Attempt, total: float) -> Lane:
    start = _offset_ms(row, attempt)
    end = start + (attempt.duration_ms or 0.0)
    cuts: list[tuple[Any, str, float | None]] = [
        (_("Connect"), "connect", attempt.connect_ms),
        (_("Wait for the answer"), "wait", attempt.headers_ms),
        (_("Wait for the first token"), "wait", attempt.first_content_ms),
    ]
    spans, at = [], start
    for label, kind, offset in cuts:
        if offset is not None and start + offset > at:
            until = min(start + offset, end)
            spans.append(_span(label, kind, at, until, total))
            at = until
    if end > at:
        answered = attempt.first_content_ms is not None
        label, kind = (_("Write the answer"), "stream") if answered else (_("Wait for the answer"), "wait")
        spans.append(_span(label, kind if attempt.status != "error" else "failed", at, end, total))
    return Lane(attempt, tuple(spans), round(100 * end / total, 3))


def _offset_ms(row: Request, attempt: Attempt) -> float:
    return max(0.0, (attempt.started_at - row.started_at).total_seconds() * 1000)


def _span(label: Any, kind: str, start: float, end: float, total: float) -> Span:
    # Too short to see is drawn as a sliver: that a phase happened matters more than its exact width.
    width = max(100 * (end - start) / total, 0.15)
    left = min(100 * start / total, 99.85)
    return Span(label, kind, start, end, round(left, 3), round(min(width, 100 - left), 3))


def _ticks(total: float) -> tuple[Tick, ...]:
    """From 0 on, at round times; the call's own end stands beside its bar."""
    step = max(round_step(total, TICKS), _SHORTEST_STEP)
    if total > _LONG_STEPS[0] * TICKS:
        step = next((each for each in _LONG_STEPS if each * TICKS >= total), step)
    ticks = []
    for number in range(int(total / step + 1e-9) + 1):
        left = 100 * number * step / total
        anchor = "start" if not number else "end" if left > 95 else "middle"
        ticks.append(Tick(number * step, left, anchor))
    return tuple(ticks)
