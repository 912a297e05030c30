"""Living processes, and the one that may admit."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway_project.clock import now
from gateway_project.conf import config
from gateway_project.env import BadSetting
from keys_app.heartbeat import WATCH_S, Heartbeat, refuse_second_admitter
from keys_app.models import WorkerProcess

pytestmark = pytest.mark.django_db

ALONE = replace(config(), redis_url="", role="all")


def process(**values: Any) -> WorkerProcess:
    plain: dict[str, Any] = {
        "host": "elsewhere", "pid": 7, "role": "all", "admits": True, "shares_limits": False,
        "started_at": now(), "seen_at": now(),
    }  # fmt: skip
    return WorkerProcess.objects.create(**{**plain, **values})


class Watch:
    """A clock that goes on by waiting, and what happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], Any] = lambda: None) -> None:
        self.now_s = 100.0
        self.meanwhile = meanwhile

    def wait(self, pause_s: float) -> None:
        self.now_s += pause_s
        self.meanwhile()

    def monotonic(self) -> float:
        return self.now_s


def start(watch: Watch, **settings: Any) -> None:
    refuse_second_admitter(replace(ALONE, **settings), wait=watch.wait, monotonic=watch.monotonic)


def beats() -> None:
    WorkerProcess.objects.update(seen_at=now() + timedelta(seconds=1))


def test_a_second_living_admitter_is_refused_with_the_way_out() -> None:
    process()
    with pytest.raises(BadSetting) as refused:
        start(Watch(beats))
    assert "pid 7 on elsewhere" in str(refused.value)
    assert "REDIS_URL" in str(refused.value)


def test_a_row_that_does_not_beat_any_more_is_waited_out() -> None:
    process()
    watch = Watch()
    start(watch)
    assert WATCH_S <= watch.now_s - 100 <= WATCH_S + 1


@pytest.mark.parametrize(
    "row",
    [
        {"seen_at": now() - timedelta(minutes=1)},
        {"admits": False},
        {"host": socket.gethostname(), "pid": 2**22 + 1},  # above any number Linux gives
        {"host": socket.gethostname(), "pid": os.getpid()},
    ],
)
def test_the_dead_and_those_who_do_not_admit_cost_no_time(row: dict[str, Any]) -> None:
    process(**row)
    watch = Watch(beats)
    start(watch)
    assert watch.now_s == 100


@pytest.mark.parametrize("settings", [{"redis_url": "redis://here"}, {"role": "dashboard"}])
def test_shared_limits_and_processes_without_calls_may_be_many(settings: dict[str, Any]) -> None:
    process()
    start(Watch(beats), **settings)


def test_a_process_that_ends_while_it_is_watched_does_not_refuse() -> None:
    process()
    start(Watch(lambda: WorkerProcess.objects.all().delete()))


def test_beating_makes_the_row_touches_it_and_makes_it_again() -> None:
    heartbeat = Heartbeat(ALONE, "journal-1")
    heartbeat.beat()
    row = WorkerProcess.objects.get()
    assert (row.pid, row.admits, row.shares_limits, row.journal) == (os.getpid(), True, False, "journal-1")
    heartbeat.beat()
    assert WorkerProcess.objects.get().seen_at > row.seen_at
    WorkerProcess.objects.all().delete()
    heartbeat.beat()
    assert WorkerProcess.objects.count() == 1
    heartbeat.unregister()
    assert not WorkerProcess.objects.exists()


def test_long_gone_processes_are_forgotten() -> None:
    process(seen_at=now() - timedelta(days=2))
    Heartbeat(ALONE, "").beat()
    assert WorkerProcess.objects.filter(host="elsewhere").count() == 0
