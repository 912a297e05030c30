"""The people of the control plane's tests, and clients that speak for them."""

import pytest
from django.conf import settings
from django.test import Client

from gateway_project.conf import config
from keys_app.models import User
from keys_app.roles import apply_role

JSON = {"content_type": "application/json"}


def person(name: str, role: str) -> User:
    """Somebody with a role, able to sign in."""
    user = User(username=name, role=role)
    apply_role(user)
    user.set_unusable_password()
    user.save()
    return user


def signed_in(user: User, **options: bool) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def with_key(secret: str) -> Client:
    """A client that sends a bearer token."""
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def master(db: None) -> Client:
    return with_key(config().master_key)


@pytest.fixture
def alice(db: None) -> User:
    """An admin."""
    return person("alice", User.Role.ADMIN)


@pytest.fixture
def admin_client(alice: User) -> Client:
    return signed_in(alice)


CSRF_COOKIE = settings.CSRF_COOKIE_NAME
