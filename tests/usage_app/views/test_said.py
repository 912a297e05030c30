"""What was said in a call, on its page: for who may read it, and each reading is in the audit log."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from gateway_project import clock
from keys_app.models import AuditEntry, User
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app import captured
from usage_app.captured import BodyWriter, Said
from usage_app.models import CapturedBody, Request

HTMX = {"HX-Request": "true"}


@pytest.fixture
def row(people: People, tmp_path: Path) -> Request:
    """A call of checkout's, kept."""
    row = make_request(people.keys["checkout-prod"], clock.now() - timedelta(minutes=1))
    save([row])
    writer = BodyWriter(tmp_path, "worker-1")
    said = Said('{"ask":"<b>why</b>"}', "data: whereupon\n\n", {"user-agent": "tests/1"})
    assert writer.write(str(row.pk), str(people.checkout.pk), clock.now_ms(), 7, said)
    writer.hand_over()
    assert captured.take_in(tmp_path) == 1
    return row


def read(client: Client, row: Request) -> tuple[int, str]:
    answer = client.get(f"/ui/requests/{row.pk}/?fragment=said", headers=HTMX)
    return answer.status_code, answer.content.decode()


def grant(user: User) -> None:
    user.user_permissions.add(Permission.objects.get(codename="read_bodies"))


def test_an_admin_reads_it_and_the_log_says_so(people: People, browse: Browse, row: Request) -> None:
    client = browse(people.root)
    page = client.get(f"/ui/requests/{row.pk}/").content.decode()
    assert "fragment=said" in page
    assert "whereupon" not in page  # nobody reads in passing
    assert not AuditEntry.objects.filter(verb="read").exists()
    status, text = read(client, row)
    assert status == 200
    assert "whereupon" in text
    assert "&lt;b&gt;why&lt;/b&gt;" in text
    assert "tests/1" in text
    entry = AuditEntry.objects.get(verb="read")
    assert (entry.actor, entry.object_id) == ("root", str(row.pk))


def test_others_need_the_right_and_only_for_what_they_see(
    people: People, browse: Browse, row: Request
) -> None:
    client = browse(people.alice)  # manages checkout
    assert "fragment=said" not in client.get(f"/ui/requests/{row.pk}/").content.decode()
    assert read(client, row)[0] == 403
    grant(people.alice)
    assert read(browse(people.alice), row)[0] == 200
    grant(people.charlie)
    assert read(browse(people.charlie), row) == (204, "")  # as for a call that never was
    assert AuditEntry.objects.filter(verb="read").count() == 1


def test_what_is_past_its_time_is_gone(people: People, browse: Browse, row: Request) -> None:
    CapturedBody.objects.update(expires_at=clock.now())
    client = browse(people.root)
    assert "fragment=said" not in client.get(f"/ui/requests/{row.pk}/").content.decode()
    assert read(client, row)[0] == 404


def test_what_cannot_be_decrypted_says_why(people: People, browse: Browse, row: Request) -> None:
    CapturedBody.objects.update(data="v1.00000000.xx")
    status, text = read(browse(people.root), row)
    assert status == 200
    assert "GATEHOUSE_SECRET_KEYS" in text


def test_tries_of_one_request_are_told_from_calls_that_only_look_alike(
    people: People, browse: Browse
) -> None:
    def made(seconds: int, body: str, retry: int = 0) -> Request:
        at = clock.now() - timedelta(seconds=seconds)
        made = make_request(people.keys["checkout-prod"], at)
        made.decision = {"candidates": [], "body": body} | ({"retry": retry} if retry else {})
        return made

    first, second, third = made(60, "aa"), made(50, "aa", 1), made(40, "aa", 2)
    other, twin = made(55, "bb"), made(45, "bb")
    save([first, second, third, other, twin])
    client = browse(people.root)
    shown = client.get(f"/ui/requests/{second.pk}/")
    assert [each.pk for each in shown.context["tries"]] == [first.pk, second.pk, third.pk]
    assert "Retry of the client" in shown.content.decode()
    assert client.get(f"/ui/requests/{twin.pk}/").context["tries"] == []
