"""What stands between `make run` and a running gateway: every refusal is one sentence."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gateway_project import conf, supervisor
from gateway_project.env import BadSetting


def run(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GATEHOUSE_DATA": str(tmp_path / "data"), **settings}
    command = (sys.executable, "-m", "gateway_project.supervisor")
    return subprocess.run(
        command, cwd=conf.BASE_DIR, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == supervisor.BAD_SETTING
    assert done.stdout == ""
    assert done.stderr.startswith("gatehouse does not start: ")
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEHOUSE_PORT", "many"),
        ("GATEHOUSE_PORT", "70000"),
        ("GATEHOUSE_HOST", "no.such.host.invalid"),
        ("GATEHOUSE_WORKERS", "4"),
        ("GATEHOUSE_ROLE", "everything"),
        ("GATEHOUSE_CONFIG", "/no/such/file.yaml"),
        ("GATEHOUSE_TRUSTED_PROXIES", "my-proxy"),
        ("GATEHOUSE_DEBUG", "perhaps"),
        ("GATEHOUSE_MASTER_KEY", "changeme"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_the_variable(tmp_path: Path, name: str, value: str) -> None:
    assert_one_sentence(run(tmp_path, **{name: value}), name)


def test_a_used_port_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, GATEHOUSE_PORT=str(port))
    assert_one_sentence(done, f"Port {port} on 127.0.0.1", f"GATEHOUSE_PORT={port + 1} make run")


def test_a_used_data_folder_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with supervisor.only_one(folder):
        done = run(tmp_path, GATEHOUSE_PORT="1")
    assert_one_sentence(done, "already running", str(folder))


def test_a_port_that_was_free_again_is_accepted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    supervisor.check_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(BadSetting, match="GATEHOUSE_HOST"):
        supervisor.check_port("203.0.113.1", 4000)


def test_children_get_absolute_paths_and_no_foreign_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--bind 0.0.0.0:1")
    config = dataclasses.replace(conf.load(), data=tmp_path)
    children = supervisor.child_environment(config, 7)
    assert children["GATEHOUSE_DATA"] == str(tmp_path)
    assert children["GATEHOUSE_LIFELINE_FD"] == "7"
    assert "GUNICORN_CMD_ARGS" not in children


def test_the_supervisor_imports_no_django() -> None:
    code = "import sys, gateway_project.supervisor; print('django' in sys.modules, 'asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=conf.BASE_DIR)
    assert done.stdout.split() == ["False", "False"]


def test_a_watched_process_ends_when_the_pipe_closes() -> None:
    reading, writing = os.pipe()
    code = (
        "import signal, sys; from gateway_project import lifeline\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); lifeline.watch(grace_s=0.05)\n"
        "print('here', flush=True)\nwhile True: signal.pause()"
    )
    watched = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=conf.BASE_DIR,
        env={**os.environ, "GATEHOUSE_LIFELINE_FD": str(reading)},
        pass_fds=(reading,),
        stdout=subprocess.PIPE,
    )
    assert watched.stdout is not None
    assert watched.stdout.readline() == b"here\n"
    assert watched.poll() is None
    closed_at = time.monotonic()
    os.close(writing)
    assert watched.wait(timeout=10) == 70  # it would not end on SIGTERM, so it was cut
    assert time.monotonic() - closed_at < 2
    watched.stdout.close()
    os.close(reading)


def test_an_unwatched_process_has_no_lifeline(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway_project import lifeline

    monkeypatch.delenv(lifeline.LIFELINE_VARIABLE, raising=False)
    assert lifeline.watch() is None
    monkeypatch.setenv(lifeline.LIFELINE_VARIABLE, "not a number")
    assert lifeline.watch() is None


def test_a_drain_runs_every_callback_once_and_late_ones_at_once() -> None:
    from gateway_project.lifeline import Drain

    drain, heard = Drain(), []

    def fail() -> None:
        raise RuntimeError

    drain.on_drain(fail)
    drain.on_drain(lambda: heard.append("first"))
    drain.begin_drain()
    drain.begin_drain()
    drain.on_drain(lambda: heard.append("late"))
    assert heard == ["first", "late"]
    assert drain.begun


def test_every_stop_signal_has_a_name() -> None:
    from gateway_project.programs import how_it_ended

    assert how_it_ended(-signal.SIGKILL) == "was ended by SIGKILL"
    assert how_it_ended(3) == "ended with status 3"


class Health:
    """A server that answers health checks with the statuses it is given."""

    def __init__(self, **statuses: int) -> None:
        self.statuses = statuses
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                path = connection.recv(1024).split(b" ")[1].decode()
                status = self.statuses[path.rsplit("/", 1)[1]]
                connection.sendall(f"HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n".encode())


def test_the_banner_waits_until_calls_are_answered() -> None:
    health = Health(live=200, ready=503)
    is_ready = supervisor.Readiness("0.0.0.0", health.port, patience_s=600)
    assert not is_ready()
    health.statuses["ready"] = 200
    assert is_ready()
    health.listener.close()


def test_the_banner_does_not_wait_for_a_database_that_is_away() -> None:
    health = Health(live=503, ready=503)
    is_ready = supervisor.Readiness("127.0.0.1", health.port, patience_s=0.0)
    assert not is_ready()
    health.statuses["live"] = 200
    assert is_ready()
    health.listener.close()
    assert not supervisor.Readiness("127.0.0.1", health.port)()
