"""What the supervisor's keeper does with real processes: restart, stop in order, leave nothing."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway_project.keeping import Kept, is_alive

Keep = Callable[..., Kept]


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Keep]:
    made: list[Kept] = []

    def start(server: str = "obedient", ledger: str = "obedient", folder: str = "diary") -> Kept:
        made.append(Kept(tmp_path / folder, server, ledger))
        return made[-1]

    yield start
    for kept in made:
        kept.close()


def test_a_program_that_ends_is_started_again(keep: Keep) -> None:
    kept = keep(server="fragile")
    kept.until_started("server", times=2)
    kept.until_started("ledger")
    os.kill(kept.pids("ledger")[0], signal.SIGKILL)
    kept.until_started("ledger", times=2)
    kept.process.terminate()
    status, said = kept.end()
    assert status == 0
    assert "The server ended with status 7; starting it again." in said
    assert "The ledger was ended by SIGKILL; starting it again." in said


def test_the_server_drains_before_the_ledger_is_asked(keep: Keep) -> None:
    kept = keep()
    kept.until_started("server", "ledger")
    kept.until(lambda: "ready" in kept.diary)
    kept.process.send_signal(signal.SIGINT)
    assert kept.end()[0] == 0
    assert kept.diary[-4:] == ["server asked to stop", "server ended", "ledger asked to stop", "ledger ended"]


def test_a_ledger_that_dies_while_the_server_drains_is_started_again(keep: Keep) -> None:
    kept = keep(server="stubborn")
    kept.until_started("server", "ledger")
    kept.until(lambda: "ready" in kept.diary)
    kept.process.terminate()
    os.kill(kept.pids("ledger")[0], signal.SIGKILL)
    kept.until_started("ledger", times=2)
    kept.end()
    assert kept.diary[-1] == "ledger ended"


def test_a_program_that_will_not_stop_is_ended_at_its_bound(keep: Keep) -> None:
    kept = keep(server="stubborn")
    kept.until_started("server", "ledger")
    kept.process.terminate()
    status, said = kept.end()
    assert status == 1
    assert "The server did not stop in 1 s and is ended." in said
    assert not is_alive(kept.pids("server")[0])


def test_a_second_signal_ends_everything_at_once(keep: Keep) -> None:
    kept = keep(server="stubborn", ledger="stubborn")
    kept.until_started("server", "ledger")
    kept.process.send_signal(signal.SIGINT)
    assert kept.process.stderr is not None
    assert kept.process.stderr.readline().startswith("gatehouse: Stopping")
    kept.process.send_signal(signal.SIGINT)
    assert kept.end()[0] == 130
    assert not any(is_alive(pid) for pid in kept.pids("server") + kept.pids("ledger"))


def test_a_program_that_never_starts_ends_the_start_with_a_sentence(keep: Keep) -> None:
    kept = keep(ledger="broken", folder="never ready")
    status, said = kept.end()
    assert status == 1
    assert "The ledger could not be started in 5 attempts" in said
    assert len(kept.pids("ledger")) == 5
    assert not is_alive(kept.pids("server")[0])


def test_a_keeper_that_is_killed_leaves_no_process(keep: Keep) -> None:
    kept = keep(server="parent", ledger="stubborn")
    kept.until_started("server", "ledger", "child")
    everyone = kept.pids("server") + kept.pids("ledger") + kept.pids("child")
    kept.process.kill()
    kept.until(lambda: not any(is_alive(pid) for pid in everyone))


def test_what_a_dead_leader_leaves_behind_is_asked_to_end(keep: Keep) -> None:
    kept = keep(server="parent")
    kept.until_started("server", "child")
    os.kill(kept.pids("server")[0], signal.SIGKILL)
    kept.until_started("server", times=2)
    kept.until(lambda: "child ended" in kept.diary)
    kept.until(lambda: not is_alive(kept.pids("child")[0]))
    kept.process.terminate()
    assert kept.end()[0] == 0
