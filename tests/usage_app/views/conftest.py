"""The cast with their traffic, and a signed-in browser for each of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from keys_app.models import User
from tests.seeding import People, seed_people

Browse = Callable[[User], Client]


@pytest.fixture(autouse=True)
def static_folder() -> None:
    """As the first start makes it; whitenoise warns where there is none."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def people(db: None) -> People:
    return seed_people()


@pytest.fixture
def browse() -> Browse:
    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in
