"""Figures of the roll-ups added up: what one line of a report says. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from usage_app.histograms import BUCKETS, joined_bounds, percentile
from usage_app.rollups import FAILURES, FIGURES, SPEED_COLUMNS

Ids = tuple[str, ...]


def _of(column: str, *statuses: str, but: bool = False) -> str:
    named = ", ".join(f"'{status}'" for status in statuses)
    return f"CASE WHEN status {'NOT ' * but}IN ({named}) THEN {column} ELSE 0 END"


#: What a line says -> what of the roll-ups is summed for it: a figure, or that of some statuses alone.
FIELDS: dict[str, str] = {
    **{name: name for name in FIGURES},
    "failed_attempts": "failed_attempts",
    "errors": _of("requests", *FAILURES),
    "refused": _of("requests", "refused"),
    "cancelled": _of("requests", "cancelled"),
    "interrupted_cost_nanodollars": _of("cost_nanodollars", "interrupted"),
    "estimated_finished_nanodollars": _of("estimated_cost_nanodollars", "interrupted", but=True),
}
#: Where the histograms of durations and their bounds begin, if those were asked for.
_LATENCY = len(FIELDS) + len(SPEED_COLUMNS)
_TTFT = _LATENCY + BUCKETS
_BOUNDS = _TTFT + BUCKETS


@dataclass(frozen=True)
class Totals:
    """Sums over some calls. Money is what is known; `unpriced_requests` says of how many it is not.

    Latencies are of calls that were not refused; None where there are none.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    cancelled: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanodollars: int = 0
    unpriced_requests: int = 0
    estimated_cost_nanodollars: int = 0
    interrupted_cost_nanodollars: int = 0
    estimated_finished_nanodollars: int = 0  # of the estimated, what is not of interrupted calls
    failed_attempts: int = 0  # beside `errors`: their calls went on
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    ttft_p50_ms: float | None = None
    ttft_p95_ms: float | None = None
    timed_output_tokens: int = 0  # of the calls of `timed_us`
    timed_us: int = 0  # how long calls with output took, all together

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def attempts(self) -> int:
        """Tries of which it is known how they ended: calls that were not refused, and what failed before."""
        return self.requests - self.refused + self.failed_attempts

    @property
    def answered(self) -> int:
        return self.requests - self.refused - self.errors

    @property
    def tokens_per_s(self) -> float | None:
        """Output tokens by the whole time of their calls: an answer that is not streamed has no other."""
        return 1_000_000 * self.timed_output_tokens / self.timed_us if self.timed_us else None

    @property
    def is_attempts_alone(self) -> bool:
        """Whether others served every call that was tried here."""
        return bool(self.failed_attempts) and not self.requests

    @property
    def reported_cost_nanodollars(self) -> int:
        """Costs of tokens that providers counted themselves."""
        return self.cost_nanodollars - self.estimated_finished_nanodollars - self.interrupted_cost_nanodollars

    @property
    def is_unpriced(self) -> bool:
        """Whether its cost is not 0, but unknown: calls without a price, and none that cost anything."""
        return bool(self.unpriced_requests) and not self.cost_nanodollars


class Sums:
    """Figures of one line, from rows of FIELDS, and of the histograms if they were asked for."""

    __slots__ = ("columns",)

    def __init__(self) -> None:
        self.columns: list[Any] = []

    def add(self, figures: Sequence[Any]) -> None:
        known = self.columns
        if len(known) == len(figures):
            self.columns = _joined(known, figures)
        elif not known:
            self.columns = [*map(int, figures[:_BOUNDS]), *map(float, figures[_BOUNDS:])]
        else:
            raise ValueError("rows of different questions")

    def totals(self) -> Totals:
        if not self.columns:
            return Totals()
        named = dict(zip((*FIELDS, *SPEED_COLUMNS), self.columns, strict=False))
        if len(self.columns) == len(FIELDS):
            return Totals(**named)
        latency, ttft = self.columns[_LATENCY:_TTFT], self.columns[_TTFT:_BOUNDS]
        of_latency, of_ttft = self.columns[_BOUNDS : _BOUNDS + 2], self.columns[_BOUNDS + 2 :]
        return Totals(
            **named,
            latency_p50_ms=percentile(latency, 0.5, *of_latency),
            latency_p95_ms=percentile(latency, 0.95, *of_latency),
            ttft_p50_ms=percentile(ttft, 0.5, *of_ttft),
            ttft_p95_ms=percentile(ttft, 0.95, *of_ttft),
        )


def _joined(some: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    added: list[Any] = [a + int(b) for a, b in zip(some[:_BOUNDS], others[:_BOUNDS], strict=True)]
    if len(some) > _BOUNDS:
        added += joined_bounds(some[_BOUNDS:], others[_BOUNDS:])
    return added


def folded(groups: dict[Ids, Sums], places: list[int]) -> list[tuple[Ids, Totals]]:
    """Sums by some of the dimensions that they are known by, in the order of the ids."""
    found: dict[Ids, Sums] = {}
    for ids, sums in groups.items():
        found.setdefault(tuple(ids[at] for at in places), Sums()).add(sums.columns)
    return [(ids, sums.totals()) for ids, sums in sorted(found.items(), key=lambda pair: pair[0])]


def added(parts: Iterable[Sums]) -> Totals:
    """The sums of several lines."""
    whole = Sums()
    for part in parts:
        whole.add(part.columns)
    return whole.totals()
