"""Every address of the admin and the management API, by every role: deny by default."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from keys_app.issuing import issue_key
from keys_app.models import User
from tests.keys_app.cast import person, signed_in, with_key

pytestmark = pytest.mark.django_db

NOBODY = UUID(int=7)
PREFIXES = ("admin/", "api/", "key/")
#: what anyone may ask: where the sign-in is, and a key about itself (which needs that key)
OPEN = {"admin/login/", "admin/logout/", "admin/jsi18n/"}


def addresses(patterns: list, start: str = "") -> Iterator[str]:
    for pattern in patterns:
        path = start + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path


def filled(path: str) -> str:
    for kind in (
        "<path:object_id>",
        "<str:pk>",
        "<uuid:request_id>",
        "<uuid:pk>",
        "<uuid:id>",
        "<str:object_id>",
    ):
        path = path.replace(kind, str(NOBODY))
    return path.replace("^", "").replace(".*$", "anything").replace("$", "")


ALL = sorted(
    {filled(path) for path in addresses(get_resolver().url_patterns) if path.startswith(PREFIXES)} - OPEN
)
PLAIN = [path for path in ALL if "<" not in path and "(" not in path]


def test_the_walk_finds_the_addresses():
    assert len(PLAIN) > 60
    assert {"api/v1/keys/", "key/generate", "admin/keys_app/virtualkey/add/"} <= set(PLAIN)


def test_strangers_are_kept_out():
    client = Client()
    for path in PLAIN:
        for answer in (client.get(f"/{path}"), client.post(f"/{path}", {}, content_type="application/json")):
            if path.startswith("admin/"):
                assert answer.status_code == 302, path
                assert answer["Location"].startswith(("/admin/login/", "/ui/sign-in/")), path
            else:
                assert answer.status_code == 401, path


@pytest.mark.parametrize("role", ["manager", "member", "viewer"])
def test_only_admins_see_the_admin_and_the_management_api(role: str):
    client = signed_in(person("bob", role))
    for path in PLAIN:
        if path.startswith("api/v1/") and ("requests" in path or "usage" in path):
            continue  # their own figures: usage_app's tests say whose
        answer = client.get(f"/{path}")
        if path.startswith("admin/"):
            assert answer.status_code == 302, path
            assert client.get(answer["Location"]).status_code == 403, path
        else:
            assert answer.status_code in (401, 403), path


def test_a_virtual_key_opens_neither():
    _key, secret = issue_key(name="x", user=person("alice", User.Role.ADMIN))
    client = with_key(secret)
    for path in PLAIN:
        if path == "api/v1/key" or (path.startswith("api/v1/") and ("requests" in path or "usage" in path)):
            continue
        assert client.get(f"/{path}").status_code in (302, 401, 403), path


def test_an_admin_reaches_every_list(alice: User):
    client = signed_in(alice)
    for path in PLAIN:
        if path.endswith("/") and str(NOBODY) not in path and path.startswith("admin/"):
            assert client.get(f"/{path}").status_code in (200, 302, 403, 404), path
    for name in ("virtualkey", "user", "service", "budget", "ratelimit"):
        assert client.get(f"/admin/keys_app/{name}/").status_code == 200


def test_an_admin_who_was_demoted_is_out_at_once():
    alice = person("alice", User.Role.ADMIN)
    client = signed_in(alice)
    assert client.get("/api/v1/keys/").status_code == 200
    User.objects.filter(pk=alice.pk).update(role="member", is_staff=False, is_superuser=False)
    assert client.get("/api/v1/keys/").status_code == 403
    assert client.get("/admin/keys_app/virtualkey/").status_code == 302


def test_signing_in_to_the_admin_is_signing_in_to_the_window():
    answer = Client().get("/admin/keys_app/virtualkey/", follow=False)
    assert answer["Location"].startswith("/admin/login/?next=")
    onward = Client().get(answer["Location"])
    assert onward["Location"] == "/ui/sign-in/?next=%2Fadmin%2Fkeys_app%2Fvirtualkey%2F"
    foreign = Client().get("/admin/login/?next=https://evil.example/")
    assert "evil" not in foreign["Location"]
