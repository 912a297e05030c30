"""The plan's sentences in the reader's language: every one that a plan can say is known."""

import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import RequestFactory
from django.utils import translation

from gateway_project.errors import UpstreamFailed
from proxy_app import planning
from proxy_app.health import FAILURES_BEFORE_COOLDOWN, Health
from proxy_app.providers.readiness import PROBLEMS
from usage_app import decisions
from usage_app.decisions import candidates_of, cause_words, reason_words, strategy_of
from usage_app.worker_health import WorkerHealth

SAID = (
    planning.NO_ENDPOINT,
    planning.ELSEWHERE,
    *(f"its provider {problem}" for problem in PROBLEMS.values()),
    *("the only deployment that can be used", "order 2", "weight 3 of 4"),
    *("weight 0: only when nothing else is left", "cooling down for 12 s more after 429"),
    *("named in the address", "its file lies there"),
)


@pytest.mark.parametrize("said", SAID)
def test_every_reason_has_korean_words(said: str) -> None:
    assert reason_words(said) == said  # in English as the plan says it
    with translation.override("ko"):
        told = reason_words(said)
    assert re.search("[가-힣]", told)
    for number in re.findall(r"\d+", said):
        assert number in told


@pytest.mark.parametrize("said", ["weighted", "in_order", "passed on", "the provider of its file"])
def test_every_strategy_has_korean_words(said: str) -> None:
    with translation.override("ko"):
        assert re.search("[가-힣]", strategy_of({"strategy": said}))


def test_a_plan_says_nothing_that_is_not_tested_here() -> None:
    """Sentences in the plan's source, with their figures left out."""
    source = Path(planning.__file__).read_text("utf-8")
    found = re.findall(r'f?"((?:order|weight|cooling|the only|its provider|another)[^"]*)"', source)
    shapes = [re.sub(r"\{[^}]*\}", "*", each) for each in found]
    for shape in shapes:
        pattern = re.escape(shape).replace(r"\*", ".+")
        assert any(re.fullmatch(pattern, said) for said in SAID), shape
    assert len(shapes) >= 7


def test_what_is_not_known_is_shown_as_it_is_and_odd_decisions_are_empty() -> None:
    assert reason_words("because") == "because"
    assert strategy_of(None) == strategy_of({}) == ""
    assert candidates_of(None) == candidates_of({"candidates": ["x"]}) == []
    assert candidates_of({"candidates": [{"deployment": "d"}]}) == [
        {"deployment": "d", "reason": "", "chosen": False, "failure": ""}
    ]


def test_chosen_is_who_answered_and_who_failed_says_with_what() -> None:
    plan = [{"deployment": "a", "chosen": True}, {"deployment": "b", "chosen": False}, {"deployment": "c"}]

    def told(*tried: tuple[str, str]) -> list[tuple[bool, str]]:
        return [
            (each["chosen"], each["failure"]) for each in candidates_of({"candidates": plan}, list(tried))
        ]

    assert told() == [(True, ""), (False, ""), (False, "")]
    assert told(("a", "503"), ("b", "")) == [(False, "503"), (True, ""), (False, "")]
    assert told(("a", "503"), ("a", "")) == [(True, ""), (False, ""), (False, "")]
    assert told(("a", "503"), ("b", "timeout")) == [(False, "503"), (False, "timeout"), (False, "")]


def test_what_a_deployment_cools_down_after_is_told_in_words_of_the_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As health says it: of a plan that is kept, and of the Models page."""
    health = Health()
    for _ in range(FAILURES_BEFORE_COOLDOWN):
        health.failed("d", UpstreamFailed("down", upstream_status=503), time.monotonic())
    cause = health.cooling["d"].cause
    assert (cause_words(cause), cause_words("429")) == (cause, "429")
    monkeypatch.setattr(decisions, "gettext", "<{}>".format)
    assert cause_words(cause) == "<3 failures in a row (503)>"
    assert reason_words(f"cooling down for 2 s more after {cause}") == (
        "<cooling down for 2 s more after <3 failures in a row (503)>>"
    )
    request = RequestFactory().get("/ui/models/")
    request.scope = {"state": {"services": SimpleNamespace(health=health)}}
    assert WorkerHealth(request).of("d").reason == "<3 failures in a row (503)>"
