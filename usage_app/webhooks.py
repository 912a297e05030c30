"""POSTs alerts to addresses that an admin set: judged when the connection is made, signed, not redirected.

A name is resolved once, every address it gives is judged, and the connection goes to one that was
judged. Whoever receives checks the signature: HMAC-SHA256 over "<timestamp>.<body>" with the target's
secret, hex, in x-gatehouse-signature after "v1=".
"""

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway_project.addresses import AddressRefused, may_call

TIMEOUT_S = 10.0


class NotDelivered(Exception):
    """The other side did not take it; the message says why, without the address or the secret."""


def signature(secret: str, timestamp_s: int, body: bytes) -> str:
    """'v1=' and the hex digest."""
    digest = hmac.new(secret.encode(), f"{timestamp_s}.".encode() + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


def signed_headers(secret: str, timestamp_s: int, body: bytes, delivery_id: str) -> dict[str, str]:
    """What goes with a body: an id to recognise repeats by, and the signature where there is a secret."""
    headers = {
        "content-type": "application/json",
        "user-agent": "gatehouse",
        "x-gatehouse-delivery": delivery_id,
        "x-gatehouse-timestamp": str(timestamp_s),
    }
    if secret:
        headers["x-gatehouse-signature"] = signature(secret, timestamp_s, body)
    return headers


def post(address: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> None:
    """Deliver, or raise NotDelivered. Blocks for ten seconds a step at most; follows no redirect."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        connection = _connect(parts.scheme, host, parts.port, allow_private=allow_private)
        try:
            path = parts.path or "/"
            target = f"{path}?{parts.query}" if parts.query else path
            connection.request("POST", target, body, {**headers, "host": parts.netloc})
            status = connection.getresponse().status
        finally:
            connection.close()
    except AddressRefused:
        raise NotDelivered("The address is one the gateway must not call.") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotDelivered(f"The connection failed: {type(error).__name__}.") from None
    if not 200 <= status < 300:
        raise NotDelivered(f"The other side answered {status}.")


def _connect(scheme: str, host: str, port: int | None, *, allow_private: bool) -> http.client.HTTPConnection:
    port = port or (443 if scheme == "https" else 80)
    sock = _open(host, port, allow_private=allow_private)
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    if scheme == "https":
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    connection.sock = sock
    return connection


def _open(host: str, port: int, *, allow_private: bool) -> socket.socket:
    """A connection to the first of the host's addresses that may be called and answers."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places = [place for *_rest, place in found]
    allowed = [place for place in places if _is_allowed(str(place[0]), allow_private=allow_private)]
    if not allowed:
        raise AddressRefused(host)
    problem: OSError = ConnectionError(host)
    for place in allowed:
        try:
            return socket.create_connection((str(place[0]), port), timeout=TIMEOUT_S)
        except OSError as error:
            problem = error
    raise problem


def _is_allowed(text: str, *, allow_private: bool) -> bool:
    return may_call(ipaddress.ip_address(text.split("%", 1)[0]), allow_private=allow_private)
