"""Counters of one worker, for /metrics. Adding to them is a dictionary update."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_LABELS = ["model", "provider", "status"]
MOST_SERIES = 2_000  # callers name models: what comes beyond is counted together
OTHER = "other"


@dataclass(slots=True)
class Series:
    """Sums of one model, provider and status."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanodollars: int = 0
    latency_s: float = 0.0
    overhead_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))


@dataclass(slots=True, eq=False)  # a registry knows its collectors by identity
class Metrics(Collector):
    """Everything counted since the worker started."""

    series: dict[tuple[str, str, str], Series] = field(default_factory=dict)
    in_flight: int = 0
    refused_before_a_key: int = 0
    bodies_dropped: int = 0

    def observe(
        self,
        labels: tuple[str, str, str],
        *,
        input_tokens: int,
        output_tokens: int,
        cost_nanodollars: int,
        latency_ms: float,
        overhead_ms: float,
    ) -> None:
        """Count one ended call; `labels` are model, provider, status."""
        entry = self.series.get(labels)
        if entry is None:
            if len(self.series) >= MOST_SERIES:
                labels = (OTHER, *labels[1:])
            entry = self.series.setdefault(labels, Series())
        entry.calls += 1
        entry.input_tokens += input_tokens
        entry.output_tokens += output_tokens
        entry.cost_nanodollars += cost_nanodollars
        seconds = latency_ms / 1000
        entry.latency_s += seconds
        entry.overhead_s += overhead_ms / 1000
        entry.buckets[bisect_left(BUCKETS_S, seconds)] += 1

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("gatehouse_requests", "Calls that ended.", labels=_LABELS)
        inputs = CounterMetricFamily("gatehouse_input_tokens", "Input tokens.", labels=_LABELS)
        outputs = CounterMetricFamily("gatehouse_output_tokens", "Output tokens.", labels=_LABELS)
        cost = CounterMetricFamily("gatehouse_cost_dollars", "Cost in US dollars.", labels=_LABELS)
        overhead = CounterMetricFamily(
            "gatehouse_overhead_seconds", "Time spent in the gateway itself.", labels=_LABELS
        )
        latency = HistogramMetricFamily(
            "gatehouse_request_duration_seconds", "From arrival to the end.", labels=_LABELS
        )
        for labels, entry in self.series.items():
            calls.add_metric(labels, entry.calls)
            inputs.add_metric(labels, entry.input_tokens)
            outputs.add_metric(labels, entry.output_tokens)
            cost.add_metric(labels, entry.cost_nanodollars / 1e9)
            overhead.add_metric(labels, entry.overhead_s)
            latency.add_metric(labels, _cumulative(entry.buckets), entry.latency_s)
        yield from (calls, inputs, outputs, cost, overhead, latency)
        yield GaugeMetricFamily("gatehouse_in_flight", "Calls in flight.", value=self.in_flight)
        yield CounterMetricFamily(
            "gatehouse_unauthenticated",
            "Requests refused without a known key.",
            value=self.refused_before_a_key,
        )
        yield CounterMetricFamily(
            "gatehouse_bodies_dropped",
            "Calls whose bodies were to be kept and found no room.",
            value=self.bodies_dropped,
        )


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total = 0
    rows: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, BUCKETS_S), "+Inf"], buckets, strict=True):
        total += count
        rows.append((bound, total))
    return rows
