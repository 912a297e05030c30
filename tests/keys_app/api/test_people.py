from datetime import timedelta

import pytest
from django.test import Client

from gateway_project.clock import now
from keys_app.issuing import issue_key
from keys_app.models import AccessLink, AuditEntry, Service, User, VirtualKey
from tests.keys_app.cast import JSON, person, signed_in, with_key

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def path_of(link: str) -> str:
    return "/" + link.split("/", 3)[3]


def test_an_invited_person_sets_a_password_once_and_signs_in(master: Client):
    made = master.post("/api/v1/users/", {"username": "bob"}, **JSON).json()
    answer = master.post(f"/api/v1/users/{made['id']}/link/", {}, **JSON)
    link = path_of(answer.json()["link"])
    assert answer["Cache-Control"] == "no-store"
    assert "bob" in Client().get(link).content.decode()
    body = {"password": PASSWORD, "again": PASSWORD}
    assert Client().post(link, body)["Location"] == "/ui/sign-in/"
    assert Client().post(link, body).status_code == 404
    signed = Client().post("/ui/sign-in/", {"username": "bob", "password": PASSWORD})
    assert signed.status_code == 302
    told = str(list(AuditEntry.objects.values())) + str(list(AccessLink.objects.values()))
    assert link.rstrip("/").rpartition("/")[2] not in told


@pytest.mark.parametrize("ending", ["time", "newer", "deactivated"])
def test_a_link_ends(master: Client, ending: str):
    bob = person("bob", "member")
    link = path_of(master.post(f"/api/v1/users/{bob.pk}/link/", {}, **JSON).json()["link"])
    if ending == "time":
        AccessLink.objects.update(expires_at=now() - timedelta(seconds=1))
    elif ending == "newer":
        master.post(f"/api/v1/users/{bob.pk}/link/", {}, **JSON)
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert Client().get(link).status_code == 404
    assert Client().post(link, {"password": PASSWORD, "again": PASSWORD}).status_code == 404


@pytest.mark.parametrize(
    ("one", "two"), [("short", "short"), (PASSWORD, "another one"), ("password123", "password123")]
)
def test_a_weak_or_mistyped_password_is_not_set(master: Client, one: str, two: str):
    bob = person("bob", "member")
    link = path_of(master.post(f"/api/v1/users/{bob.pk}/link/", {}, **JSON).json()["link"])
    assert Client().post(link, {"password": one, "again": two}).status_code == 400
    assert not User.objects.get(pk=bob.pk).has_usable_password()


def test_who_leaves_is_signed_out_and_each_key_goes_or_stops(master: Client):
    bob, carol = person("bob", "member"), person("carol", "member")
    client = signed_in(bob)
    kept, kept_secret = issue_key(name="kept", user=bob)
    _left, left_secret = issue_key(name="left", user=bob)
    listed = master.get(f"/api/v1/users/{bob.pk}/offboarding/").json()["results"]
    assert {row["name"] for row in listed} == {"kept", "left"}
    body = {"keys": [str(kept.pk)], "to_user": "carol"}
    done = master.post(f"/api/v1/users/{bob.pk}/offboarding/", body, **JSON).json()
    assert done == {"handed_over": 1, "blocked": 1, "sessions_ended": 1}
    assert client.get("/ui/").status_code == 302
    assert with_key(kept_secret).get("/api/v1/key").json()["user"] == str(carol.pk)
    assert with_key(left_secret).get("/api/v1/key").status_code == 401


def test_a_key_that_goes_to_a_service_works_without_its_former_owner(master: Client):
    bob, service = person("bob", "member"), Service.objects.create(name="checkout")
    key, secret = issue_key(name="kept", user=bob)
    body = {"keys": [str(key.pk)], "to_service": "checkout"}
    assert master.post(f"/api/v1/users/{bob.pk}/offboarding/", body, **JSON).status_code == 200
    told = with_key(secret).get("/api/v1/key").json()
    assert (told["service"], told["user"]) == (str(service.pk), None)


def test_the_last_admin_stays(master: Client, alice: User):
    url = f"/api/v1/users/{alice.pk}/"
    assert master.post(url + "offboarding/", {}, **JSON).status_code == 400
    assert master.patch(url, {"role": "member"}, **JSON).status_code == 409
    assert master.patch(url, {"is_active": False}, **JSON).status_code == 409
    assert User.objects.get(pk=alice.pk).is_superuser


def test_keys_of_somebody_else_are_not_handed_over(master: Client):
    bob, (key, _secret) = person("bob", "member"), issue_key(name="x", user=person("carol", "member"))
    body = {"keys": [str(key.pk)], "to_user": "carol"}
    assert master.post(f"/api/v1/users/{bob.pk}/offboarding/", body, **JSON).status_code == 400
    assert User.objects.get(pk=bob.pk).is_active
    assert VirtualKey.objects.get().user_id != bob.pk


def test_sessions_are_listed_and_ended(master: Client):
    bob = person("bob", "member")
    clients = [signed_in(bob), signed_in(bob)]
    listed = master.get(f"/api/v1/users/{bob.pk}/sessions/").json()["results"]
    assert len(listed) == 2
    assert clients[0].session.session_key not in str(listed)
    assert master.delete(f"/api/v1/users/{bob.pk}/sessions/").json() == {"ended": 2}
    assert [client.get("/ui/live/").status_code for client in clients] == [302, 302]


def test_lists_filter_and_name_what_they_do_not_know(master: Client):
    Service.objects.create(name="checkout", cost_centre="42")
    Service.objects.create(name="search")
    person("bob", "member")
    assert [row["name"] for row in master.get("/api/v1/services/?cost_centre=42").json()["results"]] == [
        "checkout"
    ]
    assert [row["name"] for row in master.get("/api/v1/services/?search=sear").json()["results"]] == [
        "search"
    ]
    assert [row["username"] for row in master.get("/api/v1/users/?role=member").json()["results"]] == ["bob"]
    assert master.get("/api/v1/users/?is_active=false").json()["results"] == []
    for address in ("services/?nam=x", "users/?is_active=perhaps", "users/?service=x", "audit/?since=today"):
        assert master.get(f"/api/v1/{address}").status_code == 400, address


def test_the_audit_log_says_who_what_and_from_where_without_secrets(master: Client, alice: User):
    signed_in(alice).post("/api/v1/services/", {"name": "checkout"}, **JSON)
    service = Service.objects.get()
    signed_in(alice).patch(f"/api/v1/services/{service.pk}/", {"cost_centre": "42"}, **JSON)
    master.post(
        "/api/v1/alert-targets/",
        {"name": "ops", "kind": "webhook", "address": "https://hooks.example.org/x", "secret": "a" * 32},
        **JSON,
    )
    entries = master.get("/api/v1/audit/").json()["results"]
    newest, changed, added = entries[:3]
    assert (newest["actor"], newest["verb"], newest["object_name"]) == ("master", "added", "ops")
    assert newest["changes"]["secret_encrypted"] == [None, "•••"]
    assert (changed["actor"], changed["address"]) == ("alice", "127.0.0.1")
    assert changed["changes"] == {"cost_centre": ["", "42"]}
    assert added["verb"] == "added"
    assert "a" * 32 not in str(entries)
    assert len(master.get("/api/v1/audit/?actor=alice").json()["results"]) == 2
