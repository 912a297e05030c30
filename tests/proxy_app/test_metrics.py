"""A worker's counters: right, and bounded whatever callers name."""

from proxy_app.metrics import MOST_SERIES, OTHER, Metrics


def count(metrics: Metrics, model: str, status: str = "refused") -> None:
    metrics.observe(
        (model, "", status), input_tokens=2, output_tokens=1, cost_nanodollars=0, latency_ms=1, overhead_ms=1
    )


def test_names_that_callers_make_up_cannot_fill_the_memory() -> None:
    metrics = Metrics()
    count(metrics, "gpt", "ok")
    for number in range(MOST_SERIES + 500):
        count(metrics, f"made-up-{number}")
    count(metrics, "gpt", "ok")
    assert len(metrics.series) == MOST_SERIES + 1
    assert metrics.series["gpt", "", "ok"].calls == 2
    assert metrics.series[OTHER, "", "refused"].calls == 501
    assert sum(series.calls for series in metrics.series.values()) == MOST_SERIES + 502
