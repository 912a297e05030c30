"""Who is calling, behind proxies that are trusted and proxies that are not."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.forwarded import client_address, client_scheme, is_within, plain_address

INSIDE = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def a_scope(peer: str | None, *forwarded: str, scheme: str = "") -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    if scheme:
        headers.append((b"x-forwarded-proto", scheme.encode()))
    return {"client": (peer, 1234) if peer else None, "headers": headers, "scheme": "http"}


def test_without_trusted_proxies_the_header_means_nothing() -> None:
    assert client_address(a_scope("10.0.0.1", "203.0.113.9"), ()) == "10.0.0.1"


def test_a_stranger_cannot_choose_an_address() -> None:
    assert client_address(a_scope("198.51.100.7", "203.0.113.9"), INSIDE) == "198.51.100.7"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (("203.0.113.9",), "203.0.113.9"),
        (("6.6.6.6, 203.0.113.9",), "203.0.113.9"),  # what the client claimed stands on the left
        (("203.0.113.9, 10.2.0.1, fd00::1",), "203.0.113.9"),
        (("6.6.6.6", "203.0.113.9, 10.2.0.1"), "203.0.113.9"),
        (("10.3.0.1, 10.2.0.1",), "10.3.0.1"),
        (("203.0.113.9:5123",), "203.0.113.9"),
        (("[2001:db8::9]:443",), "2001:db8::9"),
        (("203.0.113.9, nonsense",), "10.0.0.1"),
        (("",), "10.0.0.1"),
        ((), "10.0.0.1"),
    ],
)
def test_the_header_is_read_from_the_right(forwarded: tuple[str, ...], address: str) -> None:
    assert client_address(a_scope("10.0.0.1", *forwarded), INSIDE) == address


def test_a_connection_without_an_address_has_none() -> None:
    assert client_address(a_scope(None, "203.0.113.9"), INSIDE) == ""


def test_a_wrapped_ipv4_peer_is_the_ipv4_one() -> None:
    assert client_address(a_scope("::ffff:10.0.0.1", "203.0.113.9"), INSIDE) == "203.0.113.9"


@given(st.text(max_size=60))
def test_no_header_can_raise(text: str) -> None:
    value = text.encode("utf-8", "surrogatepass")
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", value)]}
    address = client_address(scope, INSIDE)
    assert plain_address(address) == address


def test_the_scheme_counts_from_a_trusted_proxy_only() -> None:
    assert client_scheme(a_scope("10.0.0.1", scheme="https"), INSIDE) == "https"
    assert client_scheme(a_scope("198.51.100.7", scheme="https"), INSIDE) == "http"
    assert client_scheme(a_scope("10.0.0.1", scheme="gopher"), INSIDE) == "http"


def test_a_text_that_is_no_address_lies_nowhere() -> None:
    assert not is_within("unix", INSIDE)
