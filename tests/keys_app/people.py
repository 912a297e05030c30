"""Rows for tests: alice owns, bob belongs, a service called search."""

from typing import Any

from keys_app.models import Service, User, VirtualKey
from keys_app.secrets import mint


def make_user(name: str = "alice", **values: Any) -> User:
    return User.objects.create(username=name, **values)


def make_service(name: str = "search", **values: Any) -> Service:
    return Service.objects.create(name=name, **values)


def make_key(name: str = "key", **values: Any) -> tuple[VirtualKey, str]:
    """A key and its secret."""
    minted = mint()
    key = VirtualKey.objects.create(
        name=name,
        secret_hash=minted.secret_hash,
        prefix=minted.prefix,
        last_four=minted.last_four,
        **values,
    )
    return key, minted.secret
