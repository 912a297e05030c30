"""A worker's counters: right, bounded whatever callers name, and read by who may."""

import asyncio
import os
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy_app.metrics import MOST_SERIES, OTHER, Metrics
from proxy_app.metrics_sharing import SILENT_S, MetricsSharing
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


def shared(folder: Path, worker: str) -> tuple[Metrics, MetricsSharing]:
    metrics = Metrics()
    return metrics, MetricsSharing(metrics, folder / "metrics", worker)


async def told(sharing: MetricsSharing) -> None:
    """Let a worker write once."""
    task = asyncio.create_task(sharing.run())
    while not sharing._file.exists():
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_scrape_of_one_worker_tells_what_all_counted(tmp_path: Path) -> None:
    (first, of_first), (second, of_second) = shared(tmp_path, "a"), shared(tmp_path, "b")
    count(first, "gpt", "ok")
    count(second, "gpt", "ok")
    count(second, "claude", "ok")
    second.in_flight, second.refused_before_a_key, second.bodies_dropped = 3, 2, 1
    await told(of_second)
    first.in_flight = 1
    whole = of_first.whole()
    assert {labels[0]: series.calls for labels, series in whole.series.items()} == {"gpt": 2, "claude": 1}
    assert whole.series["gpt", "", "ok"].buckets[0] == 2 and whole.series["gpt", "", "ok"].input_tokens == 4
    assert (whole.in_flight, whole.refused_before_a_key, whole.bodies_dropped) == (4, 2, 1)
    assert first.series["gpt", "", "ok"].calls == 1  # its own stay its own


async def test_no_counter_falls_when_a_worker_ends_and_nothing_of_it_is_in_flight(tmp_path: Path) -> None:
    (_, of_first), (second, of_second) = shared(tmp_path, "a"), shared(tmp_path, "b")
    second.in_flight = 3
    await told(of_second)
    count(second, "gpt", "ok")
    of_second.close()
    assert of_first.whole().series["gpt", "", "ok"].calls == 1 and of_first.whole().in_flight == 0


async def test_a_worker_that_was_killed_holds_nothing_in_flight_for_long(tmp_path: Path) -> None:
    (_, of_first), (second, of_second) = shared(tmp_path, "a"), shared(tmp_path, "b")
    second.in_flight = 3
    count(second, "gpt", "ok")
    await told(of_second)
    long_ago = time.time() - SILENT_S - 1
    os.utime(of_second._file, (long_ago, long_ago))
    assert of_first.whole().in_flight == 0 and of_first.whole().series["gpt", "", "ok"].calls == 1


async def test_what_another_worker_broke_off_is_passed_over(tmp_path: Path) -> None:
    _, of_first = shared(tmp_path, "a")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "b.metrics").write_bytes(b"\x93half")
    assert of_first.whole().in_flight == 0


async def test_a_scrape_is_answered_with_what_all_workers_counted(make_gateway, tmp_path: Path) -> None:
    gate = make_gateway(answering)
    other, of_other = shared(tmp_path, "b")
    count(other, "gpt", "ok")
    await told(of_other)
    gate.services.shared_metrics = MetricsSharing(gate.services.metrics, tmp_path / "metrics", "a")
    await gate.ask(asked())
    body = (await scrape(gate, "127.0.0.1")).body.decode()
    lines = [line for line in body.splitlines() if line.startswith("gatehouse_requests_total{")]
    assert sum(float(line.rpartition(" ")[2]) for line in lines) == 2
