"""gunicorn's settings and its worker class: `python -m gunicorn -c python:gateway_project.gunicorn`.

The worker is uvicorn's with uvloop, httptools and our front door. gunicorn's own ASGI worker loses
the next request of a kept-alive connection when the application awaits after its last send.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import Any

from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from gateway_project import conf, lifeline
from gateway_project.frontdoor import Limits, front_door
from gateway_project.handshake import HandshakeProtocol

_settings = conf.config()

END_S = 8  # after the drain: time for open calls to be settled and for everything to be closed
HEARTBEAT_S = 5
SHARED_MEMORY = "/dev/shm"  # noqa: S108  a heartbeat must not wait for a disk


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# gunicorn reads every name below that is one of its settings.
bind = _address(_settings.host, _settings.port)
workers = _settings.workers
worker_class = "gateway_project.gunicorn.Worker"
wsgi_app = "gateway_project.asgi:application"
chdir = str(conf.BASE_DIR)
preload_app = False
backlog = 2048
keepalive = 95  # longer than any load balancer's: a connection is closed by the one who knows of it
timeout = 60
graceful_timeout = _settings.drain_s + END_S
worker_tmp_dir = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = "gatehouse"


def on_starting(arbiter: Any) -> None:
    """In the arbiter, before it listens. Its thread only ever waits in read(): forking is safe."""
    lifeline.watch()


def post_fork(arbiter: Any, worker: Any) -> None:
    """In each worker, before it loads the application."""
    lifeline.watch()
    # One busy control thread beside the loop: 100 ms between a stream's chunks at the default 5 ms.
    sys.setswitchinterval(0.0005)


class _Server(Server):
    """uvicorn's server, which begins the drain and settles the heap."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What was imported and loaded lives as long as the worker: a collection need not walk it.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        lifeline.begin_drain()
        await super().shutdown(sockets)

    def end_now(self) -> None:
        """Close without waiting for open calls; their tasks are cancelled and end their records."""
        self.force_exit = True
        self.should_exit = True


class Worker(UvicornWorker):  # type: ignore[misc]
    """One worker process: its event loop, its server and its heartbeat."""

    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "uvloop",
        "http": front_door(Limits(), _settings.trusted_networks),
        "ws": HandshakeProtocol,
        "ws_max_size": 65_536,
        "ws_per_message_deflate": False,  # frames are small; compressing them would stall streams
        "lifespan": "on",
        "proxy_headers": False,  # uvicorn would trust any client on loopback
        "server_header": False,
        "access_log": False,
        "timeout_graceful_shutdown": _settings.drain_s,
    }

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = _Server(self.config)
        # gunicorn's second Ctrl-C; the stock worker only takes note of it and waits on.
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, server.end_now)
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            try:
                await server.serve(self.sockets)
            finally:
                beating.cancel()
        if not server.started:
            sys.exit(BOOT_FAILED)

    async def _beat(self) -> None:
        """Tell the arbiter that the loop is alive, from before the start until after the drain."""
        while True:
            self.notify()
            await asyncio.sleep(HEARTBEAT_S)


BOOT_FAILED = 3  # gunicorn's WORKER_BOOT_ERROR
