"""A new person gets no password from an admin, but a link to set one."""

import pytest
from django.test import Client

from keys_app.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    root = User.objects.create_superuser("root", password="not for signing in", role=User.Role.ADMIN)
    client = Client()
    client.force_login(root)
    return client


def test_the_form_asks_for_no_password_and_leads_to_the_link(client: Client) -> None:
    assert b"password1" not in client.get("/admin/keys_app/user/add/").content
    form = {"username": "dora", "email": "dora@example.com", "role": "manager"}
    answer = client.post("/admin/keys_app/user/add/", form)
    dora = User.objects.get(username="dora")
    assert not dora.has_usable_password()
    assert (dora.role, dora.email) == (User.Role.MANAGER, "dora@example.com")
    assert answer.status_code == 302
    page = client.get(answer["Location"])
    assert page.status_code == 200
    made = client.post(answer["Location"]).content.decode()
    link = made.split("/ui/password/")[1].split("/")[0]
    words = {"password": "a long enough one 7", "again": "a long enough one 7"}
    stranger = Client()
    assert stranger.get(f"/ui/password/{link}/").status_code == 200
    stranger.post(f"/ui/password/{link}/", words)
    dora.refresh_from_db()
    assert dora.check_password(words["password"])


def test_one_after_another_stays_on_the_form(client: Client) -> None:
    form = {"username": "dora", "role": "member", "_addanother": "1"}
    assert client.post("/admin/keys_app/user/add/", form)["Location"].endswith("/user/add/")
