"""Starts, watches and ends what one Gatehouse is made of: the server and the ledger process.

`python -m gateway_project.supervisor` checks the settings, makes the secrets, runs `manage.py prepare`
and then owns both programs. It imports no Django. On the first Ctrl-C the server drains, then the
ledger reads to the end; on the second everything ends at once. When it dies, so do they (lifeline).
"""

import errno
import fcntl
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway_project import banner, conf, firstrun
from gateway_project.env import BadSetting, environment
from gateway_project.lifeline import LIFELINE_VARIABLE
from gateway_project.programs import Keeper, Program

BAD_SETTING, FAILED, INTERRUPTED = 2, 1, 130
LEDGER_STOP_S = 30.0
SERVER_END_S = 12.0  # past the drain: longer than gunicorn's own bound, which is longer than uvicorn's
OPEN_FILES = 65_536
READY_WITHIN_S = 5.0  # a database that is away must not keep the banner back for ever
#: Settings of gunicorn and others that would silently change ours.
NOT_PASSED_ON = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "PORT")


def main() -> int:
    """Run until told to stop; the exit status of the whole."""
    try:
        config = conf.load()
        firstrun.prepare_data_folder(config)
        config = conf.load()
        firstrun.check_secrets(config)
        with only_one(config.data):
            check_port(config.host, config.port)
            return start(config)
    except BadSetting as error:
        print(f"gatehouse does not start: {error}", file=sys.stderr)
        return BAD_SETTING
    except KeyboardInterrupt:
        return INTERRUPTED


def start(config: conf.Config) -> int:
    """Prepare the database, then keep the programs until they are told to end."""
    raise_open_files()
    shutil.rmtree(config.metrics_dir, ignore_errors=True)  # of workers that are no more
    reading, writing = os.pipe()
    children = child_environment(config, reading)
    prepared = prepare(children)
    if prepared is None:
        return FAILED
    keeper = Keeper(
        programs(config),
        environment=children,
        folder=conf.BASE_DIR,
        inherited=(reading,),
        is_ready=Readiness(config.host, config.port),
        on_ready=lambda: show(banner.render(config, prepared)),
        drain_s=config.drain_s,
    )
    try:
        return keeper.run()
    finally:
        os.close(writing)
        os.close(reading)


def show(text: str) -> None:
    """Print; a reader of our output that went away must not end the gateway."""
    with suppress(OSError):
        print(text, flush=True)


def programs(config: conf.Config) -> tuple[Program, ...]:
    """What is kept running, in the order in which it is stopped."""
    python = sys.executable
    return (
        Program(
            "server",
            (python, "-m", "gunicorn", "-c", "python:gateway_project.gunicorn"),
            stop_within_s=config.drain_s + SERVER_END_S,
        ),
        Program("ledger", (python, "manage.py", "run_ledger"), stop_within_s=LEDGER_STOP_S),
    )


def child_environment(config: conf.Config, lifeline: int) -> dict[str, str]:
    """Ours, with absolute paths (children start in the project's folder) and the lifeline."""
    children = {name: value for name, value in environment().items() if name not in NOT_PASSED_ON}
    children["GATEHOUSE_DATA"] = str(config.data)
    if config.config_file is not None:
        children["GATEHOUSE_CONFIG"] = str(config.config_file)
    children[LIFELINE_VARIABLE] = str(lifeline)
    return children


def prepare(children: dict[str, str]) -> dict[str, Any] | None:
    """Run `manage.py prepare`: what it made, or None (it has said why on standard error)."""
    command = (sys.executable, "manage.py", "prepare")
    # No lifeline: a migration that is cut half-way is worse than one that ends by itself.
    own = {name: value for name, value in children.items() if name != LIFELINE_VARIABLE}
    done = subprocess.run(
        command,
        cwd=conf.BASE_DIR,
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    try:
        made: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        print(f"gatehouse: the preparation said something unexpected: {done.stdout[:200]!r}", file=sys.stderr)
        return None
    return made


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Hold the data folder's lock: two gateways over one SQLite file and journal would fight."""
    descriptor = os.open(data / "gatehouse.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadSetting(
                f"Gatehouse is already running from {data}; stop it first, "
                "or start another one with its own GATEHOUSE_DATA."
            ) from None
        yield
    finally:
        os.close(descriptor)


def check_port(host: str, port: int) -> None:
    """Raises BadSetting, with the way out, when the server could not listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise BadSetting(f"GATEHOUSE_HOST is {host!r}, which is no address of this machine.") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except PermissionError:
            raise BadSetting(f"Port {port} needs root's rights: GATEHOUSE_PORT=4000 make run") from None
        except OSError as error:
            raise BadSetting(_why_no_port(host, port, error)) from None


def _why_no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65_535 else port - 1
        return (
            f"Port {port} on {host} is in use by another program; stop it, "
            f"or choose another port: GATEHOUSE_PORT={other} make run"
        )
    return f"The server cannot listen on {host}, port {port}: {error.strerror}; set GATEHOUSE_HOST."


class Readiness:
    """Is it time to say that the gateway runs? When it is ready; or live, and not ready for long."""

    def __init__(self, host: str, port: int, patience_s: float = READY_WITHIN_S) -> None:
        self._target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104
        self._patience_s = patience_s
        self._live_since: float | None = None

    def __call__(self) -> bool:
        if self._live_since is None:
            if not self._answers("/health/live"):
                return False
            self._live_since = time.monotonic()
        late = time.monotonic() - self._live_since > self._patience_s
        return late or self._answers("/health/ready")

    def _answers(self, path: str) -> bool:
        request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        try:
            with socket.create_connection(self._target, timeout=1.0) as connection:
                connection.sendall(request.encode("ascii"))
                return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


def raise_open_files() -> None:
    """A stream holds two sockets; the usual limit of 1,024 files would end at 500 of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            print(f"gatehouse: only {soft} files may be open; ulimit -n raises that.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
