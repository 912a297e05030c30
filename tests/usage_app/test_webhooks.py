import hashlib
import hmac
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from usage_app import webhooks
from usage_app.webhooks import NotDelivered, post, signature, signed_headers


class Receiver(BaseHTTPRequestHandler):
    """Keeps what arrives; answers what the path says."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(int(self.path.strip("/") or 204))
        if self.path == "/302":
            self.send_header("location", "/204")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.got = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(server: HTTPServer, path: str = "/") -> str:
    return f"http://localhost:{server.server_port}{path}"


def test_what_arrives_can_be_checked_with_the_secret_alone(server: HTTPServer):
    body = b'{"kind":"budget"}'
    post(address(server), body, signed_headers("s" * 32, 1_800_000_000, body, "d1"), allow_private=True)
    ((path, headers, got),) = server.got  # type: ignore[attr-defined]
    assert (path, got) == ("/", body)
    stamp = headers["x-gatehouse-timestamp"]
    digest = hmac.new(b"s" * 32, stamp.encode() + b"." + got, hashlib.sha256).hexdigest()
    assert headers["x-gatehouse-signature"] == f"v1={digest}"
    assert headers["x-gatehouse-delivery"] == "d1"
    assert signature("s" * 32, 1_800_000_001, body) != f"v1={digest}"


def test_without_a_secret_nothing_is_signed():
    assert "x-gatehouse-signature" not in signed_headers("", 1, b"", "d1")


@pytest.mark.parametrize("status", [302, 400, 500])
def test_anything_but_success_is_not_delivered_and_no_redirect_is_followed(server: HTTPServer, status: int):
    with pytest.raises(NotDelivered, match=str(status)):
        post(address(server, f"/{status}"), b"{}", {}, allow_private=True)
    assert len(server.got) == 1  # type: ignore[attr-defined]


def test_a_private_address_is_not_called_unless_it_may_be(server: HTTPServer):
    with pytest.raises(NotDelivered, match="must not call"):
        post(address(server), b"{}", {}, allow_private=False)
    assert server.got == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "place", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254"]
)
def test_a_name_of_a_metadata_service_is_never_called(monkeypatch: pytest.MonkeyPatch, place: str):
    family = socket.AF_INET6 if ":" in place else socket.AF_INET
    monkeypatch.setattr(
        webhooks.socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", (place, 443))]
    )
    with pytest.raises(NotDelivered, match="must not call"):
        post("https://innocent.example/", b"{}", {}, allow_private=True)


def test_the_address_that_was_judged_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch, server: HTTPServer
):
    """A name that answers otherwise the second time gains nothing: it is asked once."""
    asked = []

    def once(host: str, port: int, **_: object) -> list:
        asked.append(host)
        assert len(asked) == 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    real = socket.create_connection
    monkeypatch.setattr(webhooks.socket, "getaddrinfo", once)
    called = []

    def create(place: tuple[str, int], **options: object) -> socket.socket:
        called.append(place[0])
        sock = socket.socket()
        sock.connect(place)
        return sock

    monkeypatch.setattr(webhooks.socket, "create_connection", create)
    post(f"http://rebinding.example:{server.server_port}/", b"{}", {}, allow_private=True)
    assert called == ["127.0.0.1"]
    assert real is not create


def test_a_refused_connection_says_so_without_the_address():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotDelivered) as told:
        post(f"http://127.0.0.1:{port}/T0/secret", b"{}", {}, allow_private=True)
    assert "secret" not in str(told.value)
