"""The verdict's truth table: each ending and each culprit has its sentence."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import translation

from gateway_project.errors import BudgetExceeded, CallStopped, Draining, GatehouseError
from usage_app.models import Attempt, Request
from usage_app.verdict import Usual, Verdict, judge

USUAL = Usual(latency_p50_ms=2000.0, ttft_p50_ms=800.0)
STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)


def row(**fields: Any) -> Request:
    values: dict[str, Any] = {
        "started_at": STARTED,
        "status": "ok",
        "http_status": 200,
        "stream": True,
        "provider": "anthropic",
        "latency_ms": 2000.0,
        "ttft_ms": 800.0,
        "overhead_ms": 3.0,
        "output_tokens": 100,
    }
    return Request(**(values | fields))


def attempt(**fields: Any) -> Attempt:
    return Attempt(**({"started_at": STARTED, "status": "ok", "duration_ms": 1990.0} | fields))


def judged(call: Request, *attempts: Attempt, usual: Usual = USUAL) -> Verdict:
    with translation.override("en"):
        return judge(call, attempts or (attempt(),), usual)


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("fields", "phase", "words"),
    [
        (
            {"ttft_ms": 4203.0, "latency_ms": 5400.0},
            "wait",
            "anthropic took 4.2 s to the first token (its p50 here is 800 ms)",
        ),
        (
            {"latency_ms": 30800.0, "output_tokens": 812},
            "stream",
            "anthropic wrote 812 tokens in 30 s (27 tokens a second)",
        ),
        (
            {"overhead_ms": 4000.0, "ttft_ms": 4800.0, "latency_ms": 6000.0},
            "gateway",
            "the gateway itself took 4.0 s",
        ),
        (
            {"stream": False, "ttft_ms": None, "latency_ms": 9000.0},
            "wait",
            "anthropic took 9.0 s to answer (its p50 here is 2.0 s)",
        ),
    ],
)
def test_a_slow_call_names_the_phase_that_made_it_slow(
    fields: dict[str, Any], phase: str, words: str
) -> None:
    verdict = judged(row(**fields))
    assert verdict.tone == "slow"
    assert verdict.phase == phase
    assert words in plain(verdict.sentence)
    told = "its p50 here is" if phase == "wait" else "; half of this model's calls take up to 2.0 s."
    assert told in plain(verdict.sentence)


def test_a_retry_that_cost_the_most_is_the_reason_and_otherwise_a_remark() -> None:
    lost = attempt(status="error", duration_ms=5000.0)
    verdict = judged(row(latency_ms=7000.0, ttft_ms=5800.0), lost, attempt())
    assert verdict.phase == "retry"
    assert "failed attempts before it took 5.0 s" in plain(verdict.sentence)
    small = attempt(status="error", duration_ms=100.0)
    verdict = judged(row(latency_ms=9000.0, ttft_ms=7000.0), small, attempt())
    assert verdict.phase == "wait"
    assert "One retry cost 100 ms." in plain(verdict.text)


def test_an_ordinary_call_is_called_so() -> None:
    verdict = judged(row())
    assert verdict.tone == "ok"
    assert plain(verdict.sentence) == (
        "As usual: it took 2.0 s, 1.2 s of it writing the answer; "
        "half of this model's calls take up to 2.0 s."
    )
    assert "The gateway added 3.0 ms." in plain(verdict.text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ttft_ms": 1500.0}, "1.5 s of it waiting for the first token"),
        ({"ttft_ms": 1950.0}, "nearly all of it waiting for the first token"),
        ({"stream": False, "ttft_ms": None}, "nearly all of it waiting for the answer"),
        ({"overhead_ms": 1200.0, "ttft_ms": 1300.0}, "1.2 s of it the gateway's own work"),
    ],
)
def test_an_ordinary_call_tells_where_most_of_its_time_went(fields: dict[str, Any], words: str) -> None:
    assert words in plain(judged(row(**fields)).sentence)


def test_without_percentiles_the_longest_phase_is_told_and_nothing_is_compared() -> None:
    verdict = judged(row(), usual=Usual())
    assert verdict.tone == "ok"
    assert "Too few recent calls to compare" in verdict.sentence


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"stream": False, "ttft_ms": None, "latency_ms": 2.0, "overhead_ms": 1.1},
            "It took 2.0 ms, most of it because the gateway itself took 1.1 ms.",
        ),
        (
            {"latency_ms": 10.0, "ttft_ms": 6.0, "overhead_ms": 2.5},
            "It took 10 ms; anthropic wrote 100 tokens in 4.0 ms (25 000 tokens a second).",
        ),
    ],
)
def test_most_of_it_is_more_than_half(fields: dict[str, Any], sentence: str) -> None:
    told = judged(row(**fields), attempt(duration_ms=None), usual=Usual()).sentence
    assert plain(told) == f"{sentence} Too few recent calls to compare."


@pytest.mark.parametrize(
    ("fields", "tone", "words"),
    [
        (
            {"status": "refused", "http_status": 429, "error_detail": "Too fast."},
            "stopped",
            "Refused before any provider was asked: Too fast.",
        ),
        (
            {"status": "cancelled"},
            "stopped",
            "The client went away after 2.0 s; 100 tokens had been written.",
        ),
        (
            {"status": "cancelled", "error_code": "client_gone"},
            "stopped",
            "The client went away after 2.0 s; 100 tokens had been written.",
        ),
        (
            {"status": "truncated", "error_detail": "cut"},
            "error",
            "anthropic broke off after 2.0 s and 100 tokens: cut",
        ),
        ({"status": "interrupted"}, "error", "tokens and cost are estimates"),
        (
            {"status": "error", "http_status": 504, "error_code": "upstream_timeout"},
            "error",
            "upstream_timeout",
        ),
    ],
)
def test_every_other_ending_says_what_happened(fields: dict[str, Any], tone: str, words: str) -> None:
    verdict = judged(row(**fields))
    assert verdict.tone == tone
    assert words in plain(verdict.text)


@pytest.mark.parametrize("error", [BudgetExceeded, CallStopped, Draining])
def test_a_call_that_the_gateway_ended_does_not_blame_its_client(error: type[GatehouseError]) -> None:
    detail = error.default_detail
    verdict = judged(row(status="cancelled", error_code=error.code, error_detail=detail))
    assert verdict.tone == "stopped"
    assert plain(verdict.sentence) == f"Ended after 2.0 s; 100 tokens had been written: {detail}"


@pytest.mark.parametrize(("usual_ms", "words"), [(5.0, "less than 5 ms"), (10**9, "more than 8 min 20 s")])
def test_a_usual_time_at_the_edge_of_what_is_told_apart_is_a_bound(usual_ms: float, words: str) -> None:
    quick = row(latency_ms=4.0, ttft_ms=2.0, overhead_ms=1.0)
    sentence = plain(judged(quick, attempt(duration_ms=3.0), usual=Usual(latency_p50_ms=usual_ms)).sentence)
    assert sentence.endswith(f"; half of this model's calls take {words}.")


def test_a_providers_status_is_named_when_it_answered() -> None:
    failed = attempt(status="error", http_status=529)
    verdict = judged(row(status="error", http_status=502, error_detail="Overloaded"), failed)
    assert "anthropic answered 529: Overloaded" in verdict.sentence


def test_a_call_without_any_figure_still_has_a_verdict() -> None:
    bare = row(latency_ms=None, ttft_ms=None, overhead_ms=None, provider="", output_tokens=None)
    assert judge(bare, (), Usual()).sentence
