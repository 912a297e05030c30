"""Runs a whole Gatehouse for a test: its own port, its own data folder, ended by process id."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_S = 60.0
MASTER_KEY = "sk-gh-master-for-serving-tests-0123456789"
PASSWORD = "correct horse battery"


def free_port() -> int:
    """A port that was free a moment ago on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Serving:
    """One running Gatehouse. `with Serving(config_yaml=…) as server: server.url …`"""

    config_yaml: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    data: Path | None = None
    port: int = 0
    command: tuple[str, ...] = (sys.executable, "-m", "gateway_project.supervisor")
    process: "subprocess.Popen[bytes] | None" = None
    _folder: Path | None = None  # made by us, so removed by us

    def __enter__(self) -> "Serving":
        if self.data is None:
            self._folder = Path(tempfile.mkdtemp(prefix="gatehouse-serving-"))
            self.data = self._folder / "data"
        self.port = self.port or free_port()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        assert self.data is not None
        return self.data.parent / f"{self.data.name}.log"

    def settings(self) -> dict[str, str]:
        """The environment of this Gatehouse, for its supervisor and for its management commands."""
        assert self.data is not None
        env = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
        for name in ("DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
            env.pop(name, None)
        env |= {
            "GATEHOUSE_PORT": str(self.port),
            "GATEHOUSE_DATA": str(self.data),
            "GATEHOUSE_MASTER_KEY": MASTER_KEY,
            "GATEHOUSE_ADMIN_PASSWORD": PASSWORD,
            "GATEHOUSE_TIME_ZONE": "UTC",
            **self.environment,
        }
        if self.config_yaml:
            file = self.data.parent / f"{self.data.name}.yaml"
            file.write_text(self.config_yaml, "utf-8")
            env["GATEHOUSE_CONFIG"] = str(file)
        return env

    def start(self, wait: bool = True) -> None:
        """Start the supervisor and wait until the server is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.settings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()

    def manage(self, *arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        """`manage.py …` over this Gatehouse's data; `text` is its standard input."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.settings(),
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def wait_ready(self, patience_s: float = START_S) -> None:
        """Until /health/ready says 200; fails with the log's end."""
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            if self.process is not None and self.process.poll() is not None:
                break
            try:
                if self.call("GET", "/health/ready", key="")[0] == 200:
                    return
            except (OSError, HTTPException):  # a port that nobody listens on yet may connect to itself
                pass
            time.sleep(0.05)
        raise AssertionError("Gatehouse did not start:\n" + self.log.read_text("utf-8", "replace")[-4000:])

    def stop(self, patience_s: float = 40.0) -> int:
        """Ctrl-C; the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # its children end themselves without it
            raise

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = MASTER_KEY,
        headers: dict[str, str] | None = None,
        timeout_s: float = 30.0,
    ) -> tuple[int, dict[str, str], Any]:
        """One request: status, headers (lower case), the body as JSON or text."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("content-type", "application/json")
        if key:
            request.add_header("authorization", f"Bearer {key}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return answer.status, _lower(answer.headers), _body(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers), _body(error.read())

    def new_key(self, **fields: Any) -> str:
        """A fresh virtual key's secret."""
        status, _, body = self.call("POST", "/api/v1/keys/", {"name": "test", **fields})
        assert status == 201, body
        return str(body["key"])

    def row(self, request_id: str, patience_s: float = 20.0) -> dict[str, Any]:
        """The ledger's row of one call, with its attempts, once it is there."""
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            status, _, body = self.call("GET", f"/api/v1/requests/{request_id}/")
            if status == 200:
                return dict(body)
            assert status == 404, body
            time.sleep(0.05)
        raise AssertionError(f"the ledger has no row for {request_id}")

    def ledger(self, wanted: int, patience_s: float = 20.0, **filters: str) -> list[dict[str, Any]]:
        """Ledger rows, newest first, once there are `wanted` of them."""
        query = "&".join(f"{name}={value}" for name, value in {"limit": "500", **filters}.items())
        give_up = time.monotonic() + patience_s
        rows: list[dict[str, Any]] = []
        while time.monotonic() < give_up:
            status, _, body = self.call("GET", f"/api/v1/requests/?{query}")
            assert status == 200, body
            rows = body["results"]
            if len(rows) >= wanted:
                return rows
            time.sleep(0.05)
        raise AssertionError(f"the ledger has {len(rows)} rows, not {wanted}")


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _body(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
