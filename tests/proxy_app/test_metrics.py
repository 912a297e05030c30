"""A worker's counters: right, bounded whatever callers name, and read by who may."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy_app.metrics import MOST_SERIES, OTHER, Metrics
from tests.proxy_app.harness import MASTER, SECRET, Answer, Gateway, asked, completion


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


async def answering(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=completion())


async def scrape(gate: Gateway, address: str, key: str | None = None, **headers: str) -> Answer:
    return await gate.ask(path="/metrics", method="GET", key=key, address=address, headers=headers)


async def test_a_scraper_reads_what_was_called_and_what_it_cost(make_gateway) -> None:
    gate = make_gateway(answering)
    for _ in range(3):
        await gate.ask(asked())
    await gate.ask(asked(), key="sk-gh-unknown")
    answer = await scrape(gate, "127.0.0.1")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    found = {
        sample.name: sample.value
        for family in families.values()
        for sample in family.samples
        if sample.labels.get("status", "ok") == "ok" and not sample.name.endswith("_bucket")
    }
    assert found["gatehouse_requests_total"] == 3
    assert found["gatehouse_input_tokens_total"] == 36
    assert found["gatehouse_cost_dollars_total"] == pytest.approx(3 * (12 * 1000 + 5 * 4000) / 1e9)
    assert found["gatehouse_request_duration_seconds_count"] == 3
    assert found["gatehouse_unauthenticated_total"] == 1
    assert found["gatehouse_in_flight"] == 0
    assert (await scrape(gate, "127.0.0.1")).status == 200  # again and again


@pytest.mark.parametrize(
    ("address", "key", "forwarded", "status"),
    [
        ("127.0.0.1", None, False, 200),
        ("::1", None, False, 200),
        ("127.0.0.1", None, True, 401),  # a proxy of this machine speaks for somebody else
        ("203.0.113.7", None, False, 401),
        ("203.0.113.7", SECRET, False, 401),
        ("203.0.113.7", MASTER, False, 200),
    ],
)
async def test_from_elsewhere_only_the_master_key_reads_them(
    make_gateway, address: str, key: str | None, forwarded: bool, status: int
) -> None:
    gate = make_gateway(answering)
    headers = {"x-forwarded-for": "203.0.113.9"} if forwarded else {}
    assert (await scrape(gate, address, key, **headers)).status == status
