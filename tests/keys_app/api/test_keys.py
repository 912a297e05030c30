import logging
from datetime import timedelta

import pytest
from django.test import Client

from gateway_project.clock import now
from gateway_project.conf import config
from keys_app.issuing import issue_key
from keys_app.models import AuditEntry, Budget, Service, User, VirtualKey
from keys_app.secrets import hash_secret
from tests.keys_app.cast import CSRF_COOKIE, JSON, person, signed_in, with_key

pytestmark = pytest.mark.django_db


def make(client: Client, **body: object) -> dict:
    answer = client.post("/api/v1/keys/", {"name": "checkout", **body}, **JSON)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_key_is_issued_with_everything_it_was_asked_for(master: Client):
    service = Service.objects.create(name="checkout")
    person("bob", User.Role.MEMBER)
    made = make(
        master,
        user="bob",
        service=str(service.pk),
        environment="test",
        models=["gpt-*"],
        expires_at="2099-01-01T00:00:00Z",
        budgets=[{"amount_usd": "12.5", "period": "day", "hard": True}],
        limits={"requests_per_minute": 5, "tokens_per_minute": None, "parallel": 2},
    )
    key = VirtualKey.objects.get(pk=made["id"])
    assert key.secret_hash == hash_secret(made["key"])
    assert (made["user_name"], made["service_name"], made["environment"]) == ("bob", "checkout", "test")
    assert made["models"] == ["gpt-*"]
    assert [(b["amount_usd"], b["amount_nanodollars"], b["period"]) for b in made["budgets"]] == [
        ("12.5", 12_500_000_000, "day")
    ]
    assert (made["limits"]["requests_per_minute"], made["limits"]["tokens_per_minute"]) == (5, None)
    assert made["limits"]["parallel"] == 2


def test_the_secret_is_answered_once_and_cached_nowhere(master: Client):
    answer = master.post("/api/v1/keys/", {"name": "x"}, **JSON)
    made = answer.json()
    assert answer["Cache-Control"] == "no-store"
    for path in ("/api/v1/keys/", f"/api/v1/keys/{made['id']}/"):
        shown = master.get(path).content.decode()
        assert made["key"] not in shown
        assert hash_secret(made["key"]) not in shown


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"budget": 5}, "budget"),
        ({"budgets": [{"amount_usd": 1, "perod": "day"}]}, "budgets.0.perod"),
        ({"limits": {"rpm": 5}}, "limits.rpm"),
        ({"service": "nobody-knows"}, "service"),
        ({"user": "nobody"}, "user"),
        ({"environment": "staging"}, "environment"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"budgets": [{"amount_usd": -1}]}, "budgets.0.amount_usd"),
        ({"budgets": [{"amount_usd": 1}, {"amount_usd": 2}]}, "budgets"),
        ({"networks": ["10.0.0.0/99"]}, "networks.0"),
        ({"secret_hash": "0" * 64}, "secret_hash"),
        ({"name": ""}, "name"),
    ],
)
def test_what_cannot_be_understood_is_refused_and_named(master: Client, body: dict, field: str):
    answer = master.post("/api/v1/keys/", {"name": "x", **body}, **JSON)
    problem = answer.json()
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["status"], problem["title"]) == (400, "Bad Request")
    assert field in [error["field"] for error in problem["errors"]] or any(
        error["field"] == field.rpartition(".")[0] for error in problem["errors"]
    )
    assert not VirtualKey.objects.exists()


def test_broken_json_is_a_problem_and_no_traceback(master: Client):
    answer = master.post("/api/v1/keys/", "{", **JSON)
    assert answer.status_code == 400
    assert answer.json()["type"].startswith("urn:gatehouse:problem:")


def test_a_changed_budget_keeps_its_row_and_so_its_spend(master: Client):
    made = make(master, budgets=[{"amount_usd": 1, "period": "day"}, {"amount_usd": 9, "period": "month"}])
    changed = master.patch(
        f"/api/v1/keys/{made['id']}/", {"budgets": [{"amount_usd": 3, "period": "day"}]}, **JSON
    ).json()
    assert [b["id"] for b in changed["budgets"]] == [made["budgets"][0]["id"]]
    assert changed["budgets"][0]["amount_usd"] == "3"
    assert Budget.objects.get(pk=made["budgets"][1]["id"]).is_enabled is False


def test_only_what_the_body_names_changes(master: Client):
    made = make(master, models=["gpt-*"], limits={"parallel": 2})
    changed = master.patch(f"/api/v1/keys/{made['id']}/", {"name": "renamed"}, **JSON).json()
    assert (changed["name"], changed["models"], changed["limits"]["parallel"]) == ("renamed", ["gpt-*"], 2)
    assert (
        master.patch(f"/api/v1/keys/{made['id']}/", {"limits": None}, **JSON).json()["limits"]["parallel"]
        is None
    )


def test_a_rotated_key_keeps_its_id_and_both_secrets_work_in_the_grace(master: Client):
    made = make(master)
    rotated = master.post(f"/api/v1/keys/{made['id']}/rotate/", {"grace_hours": 1}, **JSON).json()
    assert rotated["id"] == made["id"]
    assert rotated["key"] != made["key"]
    for secret in (made["key"], rotated["key"]):
        assert with_key(secret).get("/api/v1/key").status_code == 200


def test_without_grace_the_old_secret_stops_at_once(master: Client):
    made = make(master)
    master.post(f"/api/v1/keys/{made['id']}/rotate/", {"grace_hours": 0}, **JSON)
    assert with_key(made["key"]).get("/api/v1/key").status_code == 401


def test_a_blocked_key_is_refused_until_it_is_unblocked(master: Client):
    made = make(master)
    own = with_key(made["key"])
    assert (
        master.post(f"/api/v1/keys/{made['id']}/block/", {"reason": "leaked"}, **JSON).json()["state"]
        == "blocked"
    )
    assert own.get("/api/v1/key").status_code == 401
    assert master.post(f"/api/v1/keys/{made['id']}/unblock/").json()["state"] == "active"
    assert own.get("/api/v1/key").status_code == 200


def test_a_key_reads_about_itself_and_nothing_else(master: Client):
    made = make(master, models=["sandbox"], limits={"parallel": 1})
    own = Client(headers={"x-api-key": made["key"]})
    told = own.get("/api/v1/key").json()
    assert (told["id"], told["models"], told["limits"]["parallel"]) == (made["id"], ["sandbox"], 1)
    assert "managed_by" not in told
    for path in ("/api/v1/keys/", f"/api/v1/keys/{made['id']}/", "/api/v1/users/"):
        assert own.get(path).status_code == 401
        assert with_key(made["key"]).get(path).status_code == 401


def test_an_inactive_owner_ends_the_key(master: Client):
    bob = person("bob", User.Role.MEMBER)
    _key, secret = issue_key(name="bob's", user=bob)
    bob.is_active = False
    bob.save()
    assert with_key(secret).get("/api/v1/key").status_code == 401


def test_an_expired_key_is_refused(master: Client):
    _key, secret = issue_key(name="old", expires_at=now() - timedelta(seconds=1))
    assert with_key(secret).get("/api/v1/key").status_code == 401


def test_keys_are_listed_newest_first_by_pages(master: Client):
    made = [make(master, name=f"key {number}")["id"] for number in range(5)]
    first = master.get("/api/v1/keys/?limit=3", HTTP_HOST="evil.example").json()
    assert first["next"].startswith(config().public_url)  # whatever Host was sent
    second = master.get(first["next"]).json()
    assert [row["id"] for row in first["results"] + second["results"]] == sorted(made, reverse=True)
    assert second["next"] is None


def test_lists_filter_and_refuse_unknown_filters(master: Client):
    wanted = make(master, environment="test")
    make(master)
    assert [row["id"] for row in master.get("/api/v1/keys/?environment=test").json()["results"]] == [
        wanted["id"]
    ]
    by_hint = master.get(f"/api/v1/keys/?search={wanted['hint'][-4:]}").json()["results"]
    assert wanted["id"] in [row["id"] for row in by_hint]
    assert master.get("/api/v1/keys/?enviroment=test").status_code == 400


def test_a_list_takes_the_same_queries_for_one_key_and_for_many(
    master: Client, django_assert_max_num_queries: object
):
    for number in range(30):
        make(master, name=f"key {number}", budgets=[{"amount_usd": 1}])
    with django_assert_max_num_queries(5):  # type: ignore[operator]
        master.get("/api/v1/keys/")


def test_a_key_of_a_file_cannot_be_changed_but_can_be_blocked(master: Client):
    key, _secret = issue_key(name="from the file", managed_by="config.yaml")
    answer = master.patch(f"/api/v1/keys/{key.pk}/", {"name": "mine"}, **JSON)
    assert answer.status_code == 409
    assert "config.yaml" in answer.json()["detail"]
    assert master.delete(f"/api/v1/keys/{key.pk}/").status_code == 409
    assert master.post(f"/api/v1/keys/{key.pk}/block/", {}, **JSON).status_code == 200


def test_a_session_needs_the_csrf_token_to_change_anything(alice: User):
    client = signed_in(alice, enforce_csrf_checks=True)
    assert client.post("/api/v1/keys/", {"name": "x"}, **JSON).status_code == 403
    client.get("/admin/")
    token = client.cookies[CSRF_COOKIE].value
    answer = client.post("/api/v1/keys/", {"name": "x"}, headers={"X-CSRFToken": token}, **JSON)
    assert answer.status_code == 201


def test_every_change_is_in_the_log_without_a_secret(master: Client, alice: User):
    made = make(master)
    signed_in(alice).post(f"/api/v1/keys/{made['id']}/block/", {}, **JSON)
    entries = list(AuditEntry.objects.order_by("id"))
    assert [(entry.actor, entry.verb, entry.address) for entry in entries] == [
        ("master", "added", "127.0.0.1"),
        ("alice", "blocked", "127.0.0.1"),
    ]
    assert made["key"] not in str([vars(entry) for entry in entries])


def test_no_secret_is_logged(master: Client, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    made = make(master)
    with_key(made["key"]).get("/api/v1/keys/")
    with_key(made["key"]).get("/api/v1/key")
    assert made["key"] not in caplog.text


def test_services_and_people_are_made_changed_and_listed(master: Client):
    service = master.post("/api/v1/services/", {"name": "checkout", "models": ["gpt-*"]}, **JSON).json()
    user = master.post(
        "/api/v1/users/",
        {"username": "bob", "role": "manager", "services": [{"service": "checkout", "role": "manager"}]},
        **JSON,
    ).json()
    assert user["services"][0]["service"] == service["id"]
    changed = master.patch(f"/api/v1/users/{user['id']}/", {"role": "admin", "services": []}, **JSON).json()
    assert (changed["role"], changed["services"]) == ("admin", [])
    assert User.objects.get(pk=user["id"]).is_superuser
    assert master.get("/api/v1/services/").json()["results"][0]["models"] == ["gpt-*"]
    again = master.post("/api/v1/services/", {"name": "checkout"}, **JSON)
    assert again.status_code in (400, 409)
