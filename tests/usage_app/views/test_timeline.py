"""A call's way to scale, from the marks that the data plane stamps."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from proxy_app.providers.presets import PRESETS
from usage_app.figures import THIN_SPACE, duration
from usage_app.models import Attempt, Request
from usage_app.timeline import draw, usual_marks
from usage_app.verdict import Usual
from usage_app.views.getting_started import PROVIDER_KINDS

STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)


def way(*marks: tuple[str, float], latency_ms: float = 1000.0) -> Request:
    timeline = [{"name": name, "at_ms": at} for name, at in marks]
    return Request(started_at=STARTED, latency_ms=latency_ms, timeline=timeline)


def test_phases_follow_each_other_without_gap_and_fill_the_drawing() -> None:
    row = way(
        ("parsed", 1.0),
        ("admitted", 2.0),
        ("attempt", 5.0),
        ("headers", 300.0),
        ("first_content", 400.0),
        ("settled", 1000.0),
    )
    phases = draw(row, ()).phases
    assert next((phase.start_ms, phase.end_ms) for phase in phases) == (0.0, 1.0)
    assert all(a.end_ms == b.start_ms for a, b in itertools.pairwise(phases))
    assert phases[-1].end_ms == 1000.0
    assert [phase.kind for phase in phases] == ["gateway", "gateway", "gateway", "wait", "wait", "stream"]


def test_what_lies_between_two_attempts_is_a_failed_one() -> None:
    row = way(
        ("attempt", 2.0),
        ("headers", 300.0),
        ("attempt", 500.0),
        ("headers", 700.0),
        ("read", 900.0),
        ("settled", 1000.0),
    )
    assert [phase.kind for phase in draw(row, ()).phases] == [
        "gateway",
        "wait",
        "failed",
        "wait",
        "stream",
        "gateway",
    ]


def test_attempts_are_lanes_that_begin_where_they_began() -> None:
    first = Attempt(started_at=STARTED, status="error", duration_ms=250.0, number=1)
    second = Attempt(
        started_at=STARTED + timedelta(milliseconds=500),
        status="ok",
        connect_ms=50.0,
        first_content_ms=200.0,
        duration_ms=500.0,
        number=2,
    )
    lanes = draw(way(("settled", 1000.0)), (first, second)).lanes
    assert [span.kind for span in lanes[0].spans] == ["failed"]
    assert [(span.kind, span.left, span.width) for span in lanes[1].spans] == [
        ("connect", 50.0, 5.0),
        ("wait", 55.0, 15.0),
        ("stream", 70.0, 30.0),
    ]


def test_a_call_without_marks_or_with_broken_ones_still_draws() -> None:
    assert draw(way(), ()).phases == ()
    row = Request(started_at=STARTED, latency_ms=None, timeline=["x", {"name": "only a name"}])
    assert draw(row, ()).total_ms == 1.0


def test_what_is_usual_is_marked_to_the_same_scale_and_told_where_the_drawing_ends_before() -> None:
    timeline = draw(way(("settled", 1000.0)), ())
    usual = Usual(latency_p50_ms=400.0, latency_p95_ms=3000.0, calls=20)
    assert [(mark.at_ms, mark.left) for mark in usual_marks(timeline, usual)] == [
        (400.0, 40.0),
        (3000.0, None),
    ]
    assert usual_marks(timeline, replace(usual, calls=19)) == ()
    assert usual_marks(timeline, Usual(calls=50)) == ()


def test_every_provider_that_can_be_connected_is_one_the_gateway_knows() -> None:
    for kind, _label, _hint, needs_address in PROVIDER_KINDS:
        assert needs_address is not bool(PRESETS[kind].base_url)


@pytest.mark.parametrize(
    ("latency_ms", "told"),
    [
        (0.13, ["0.1 ms"]),
        (0.7, ["0.2 ms", "0.4 ms", "0.6 ms"]),
        (2006.0, ["500 ms", "1.0 s", "1.5 s", "2.0 s"]),
        (1000.0, ["200 ms", "400 ms", "600 ms", "800 ms", "1.0 s"]),
        (61_000.0, ["20 s", "40 s", "1 min"]),
        (190_000.0, ["1 min", "2 min", "3 min"]),
    ],
)
def test_the_axis_is_marked_at_round_times(latency_ms: float, told: list[str]) -> None:
    ticks = draw(way(latency_ms=latency_ms), ()).ticks
    assert ticks[0].label_ms == ticks[0].left == 0
    assert [duration(tick.label_ms).replace(THIN_SPACE, " ") for tick in ticks[1:]] == told
    assert all(abs(tick.left - 100 * tick.label_ms / latency_ms) < 1e-6 for tick in ticks)
    assert ticks[-1].left <= 100 + 1e-6
