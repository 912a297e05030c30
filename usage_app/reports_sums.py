"""Figures of the roll-ups added up: what one line of a report says. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from usage_app.histograms import BUCKETS, percentile
from usage_app.rollups import FIGURES

_COST, _ESTIMATED = FIGURES.index("cost_nanodollars"), FIGURES.index("estimated_cost_nanodollars")
FAILED = frozenset({"error", "truncated", "interrupted"})


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
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    ttft_p50_ms: float | None = None
    ttft_p95_ms: float | None = None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def reported_cost_nanodollars(self) -> int:
        """Costs of tokens that providers counted themselves."""
        return self.cost_nanodollars - self.estimated_finished_nanodollars - self.interrupted_cost_nanodollars


class Sums:
    """Figures of one line, from rows of (status, SUM_COLUMNS…)."""

    __slots__ = ("columns", "estimated_finished", "interrupted_cost", "of_status")

    def __init__(self) -> None:
        self.columns = [0] * len(FIGURES)
        self.of_status: dict[str, int] = {}
        self.interrupted_cost = 0
        self.estimated_finished = 0

    def add(self, status: str, figures: Sequence[Any]) -> None:
        if len(self.columns) < len(figures):
            self.columns += [0] * (len(figures) - len(self.columns))
        self.columns = [a + int(b) for a, b in zip(self.columns, figures, strict=True)]
        self.of_status[status] = self.of_status.get(status, 0) + int(figures[0])
        if status == "interrupted":
            self.interrupted_cost += int(figures[_COST])
        else:
            self.estimated_finished += int(figures[_ESTIMATED])

    def totals(self) -> Totals:
        named = dict(zip(FIGURES, self.columns, strict=False))
        latency = self.columns[len(FIGURES) : len(FIGURES) + BUCKETS]
        ttft = self.columns[len(FIGURES) + BUCKETS :]
        return Totals(
            **named,
            errors=sum(count for status, count in self.of_status.items() if status in FAILED),
            refused=self.of_status.get("refused", 0),
            cancelled=self.of_status.get("cancelled", 0),
            interrupted_cost_nanodollars=self.interrupted_cost,
            estimated_finished_nanodollars=self.estimated_finished,
            latency_p50_ms=percentile(latency, 0.5),
            latency_p95_ms=percentile(latency, 0.95),
            ttft_p50_ms=percentile(ttft, 0.5),
            ttft_p95_ms=percentile(ttft, 0.95),
        )
