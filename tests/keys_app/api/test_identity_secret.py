"""The secret that proves for whom a key calls: written, never read, and in the workers' picture."""

import pytest
from django.test import Client

from keys_app import snapshot_rows
from keys_app.models import AuditEntry, User, VirtualKey
from tests.keys_app.admin.test_keys import form as filled
from tests.keys_app.cast import person, signed_in
from tests.keys_app.people import make_key

pytestmark = pytest.mark.django_db
SECRET = "shared with the chat application only"


@pytest.fixture
def admin() -> Client:
    return signed_in(person("root", User.Role.ADMIN))


def entry(key: VirtualKey) -> str:
    return snapshot_rows.entries_of(VirtualKey.objects.get(pk=key.pk))[0].identity_secret


def test_a_secret_is_set_kept_and_forgotten(admin: Client) -> None:
    key, _ = make_key()
    address = f"/api/v1/keys/{key.pk}/"

    def change(body: dict[str, object]) -> dict[str, object]:
        answer = admin.patch(address, body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        assert SECRET.encode() not in answer.content
        return answer.json()

    assert change({"identity_secret": SECRET, "trusts_identity_headers": True})["proves_identity"] is True
    assert entry(key) == SECRET
    key.refresh_from_db()
    assert SECRET not in key.identity_secret_encrypted
    assert change({"name": "renamed"})["proves_identity"] is True
    assert SECRET not in str(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert change({"identity_secret": ""})["proves_identity"] is False
    assert entry(key) == ""


def test_a_short_secret_is_refused(admin: Client) -> None:
    key, _ = make_key()
    answer = admin.patch(
        f"/api/v1/keys/{key.pk}/", {"identity_secret": "x" * 31}, content_type="application/json"
    )
    assert answer.status_code == 400
    assert "32" in answer.content.decode()


def test_a_secret_that_cannot_be_read_proves_nothing() -> None:
    """Copied from another row it is not this key's: what is signed with it does not count."""
    key, _ = make_key()
    VirtualKey.objects.filter(pk=key.pk).update(identity_secret_encrypted="v1.00000000.gone")
    assert len(entry(key)) == 64
    assert entry(key) != entry(key)


def test_the_form_asks_for_what_makes_a_claim_more_than_a_claim(admin: Client) -> None:
    key, _ = make_key()
    address = f"/admin/keys_app/virtualkey/{key.pk}/change/"
    fields = {"user": str(key.user_id or ""), "service": str(key.service_id or "")}
    form = filled(**fields, trusts_identity_headers="on")
    page = admin.post(address, form)
    assert page.status_code == 200
    assert "Needs an identity secret" in page.content.decode()
    page = admin.post(address, {**form, "identity_secret": SECRET})
    assert page.status_code == 302, page.content.decode()[:2000]
    assert entry(key) == SECRET
    assert SECRET not in admin.get(address).content.decode()
    assert admin.post(address, {**form, "name": "renamed"}).status_code == 302
    assert entry(key) == SECRET
    admin.post(address, {**form, "networks": "10.0.0.0/8", "forget_identity_secret": "on"})
    assert entry(key) == ""
