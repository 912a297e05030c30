import csv
import io
from datetime import timedelta

import pytest
from django.test import Client

from gateway_project.clock import now
from keys_app.issuing import BudgetTerms, issue_key, rotate_key
from keys_app.models import AuditEntry, Budget, EnvironmentDefaults, KeyUse, Service, User, VirtualKey
from tests.keys_app.cast import JSON, person, signed_in, with_key

pytestmark = pytest.mark.django_db

CSV = "name,service,environment,models,budget_usd,budget_period,parallel\r\n"


def test_a_clone_has_everything_of_its_model_but_id_secret_and_history(master: Client):
    original, secret = issue_key(
        name="search", networks=["10.0.0.0/8"], budgets=[BudgetTerms(5 * 10**9, "day")], reports_cost=True
    )
    made = master.post(f"/api/v1/keys/{original.pk}/clone/", {"name": "twin"}, **JSON).json()
    assert made["id"] != str(original.pk) and made["key"] != secret
    assert (made["name"], made["networks"], made["reports_cost"]) == ("twin", ["10.0.0.0/8"], True)
    assert [row["amount_usd"] for row in made["budgets"]] == ["5"]
    assert with_key(secret).get("/api/v1/key").json()["id"] == str(original.pk)


@pytest.mark.parametrize(
    ("body", "states"),
    [
        ({"action": "block", "reason": "leak"}, ["blocked", "blocked", "active"]),
        ({"action": "expire"}, ["expired", "expired", "active"]),
    ],
)
def test_many_keys_change_at_once_and_each_has_its_entry(master: Client, body: dict, states: list[str]):
    keys = [issue_key(name=f"k{number}")[0] for number in range(3)]
    chosen = [str(key.pk) for key in keys[:2]]
    assert master.post("/api/v1/keys/bulk/", {**body, "keys": chosen}, **JSON).json() == {"changed": 2}
    assert [master.get(f"/api/v1/keys/{key.pk}/").json()["state"] for key in keys] == states
    assert set(AuditEntry.objects.values_list("object_id", flat=True)) == set(chosen)


def test_keys_move_to_another_owner_with_their_secret_and_budgets(master: Client):
    key, secret = issue_key(name="x", user=person("bob", "member"), budgets=[BudgetTerms(10**9)])
    Service.objects.create(name="checkout")
    body = {"action": "move", "keys": [str(key.pk)], "service": "checkout"}
    assert master.post("/api/v1/keys/bulk/", body, **JSON).json() == {"changed": 1}
    told = with_key(secret).get("/api/v1/key").json()
    assert (told["service_name"], told["user_name"], len(told["budgets"])) == ("checkout", "bob", 1)


def test_an_unknown_key_in_a_list_changes_none_of_them(master: Client):
    key, _secret = issue_key(name="x")
    body = {"action": "block", "keys": [str(key.pk), "00000000-0000-0000-0000-000000000007"]}
    assert master.post("/api/v1/keys/bulk/", body, **JSON).status_code == 400
    assert VirtualKey.objects.get().blocked_at is None


def test_a_file_of_keys_is_made_whole_and_answers_the_secrets_once(master: Client):
    Service.objects.create(name="checkout")
    text = CSV + 'one,checkout,test,"gpt-*; claude-*",2.5,day,3\r\ntwo,,,,,,\r\n'
    answer = master.post("/api/v1/keys/import/", {"csv": text}, **JSON)
    made = answer.json()["results"]
    assert answer["Cache-Control"] == "no-store"
    assert [row["name"] for row in made] == ["one", "two"]
    told = with_key(made[0]["key"]).get("/api/v1/key").json()
    assert (told["service_name"], told["environment"], told["models"]) == (
        "checkout",
        "test",
        ["gpt-*", "claude-*"],
    )
    assert (told["budgets"][0]["amount_usd"], told["limits"]["parallel"]) == ("2.5", 3)
    assert made[0]["key"] not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nam\r\nx\r\n", "nam"),
        (CSV + "good,,,,,,\r\n,,,,,,\r\n", "Line 3"),
        (CSV + "good,,,,,,\r\nbad,nobody,,,,,\r\n", "nobody"),
        (CSV + "bad,,staging,,,,\r\n", "staging"),
        (CSV + "bad,,,,-1,,\r\n", "-1"),
        (CSV + "bad,,,,1,every_days,\r\n", "every_days"),
        (CSV + "bad,,,,,,many\r\n", "parallel"),
        (CSV + "short\r\n", "Line 2"),
        (CSV + "a,b,c,d,e,f,g,h\r\n", "Line 2"),
    ],
)
def test_one_bad_line_and_no_key_is_made(master: Client, text: str, told: str):
    answer = master.post("/api/v1/keys/import/", {"csv": text}, **JSON)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
    assert not VirtualKey.objects.exists()


def test_an_export_has_no_secret_and_defuses_formulas(master: Client):
    key, secret = issue_key(name="=HYPERLINK(1)", budgets=[BudgetTerms(10**9, "day")])
    issue_key(name="other", environment="test")
    answer = master.get("/api/v1/keys/export/?environment=production")
    text = answer.content.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == "'=HYPERLINK(1)"
    assert (row["id"], row["budget_usd"], row["state"]) == (str(key.pk), "1", "active")
    assert secret not in text and key.secret_hash not in text


def test_what_nobody_uses_is_listed(master: Client):
    keys = {name: issue_key(name=name)[0] for name in ("never", "lately", "long ago", "blocked", "new")}
    VirtualKey.objects.exclude(name="new").update(created_at=now() - timedelta(days=60))
    VirtualKey.objects.filter(name="blocked").update(blocked_at=now())
    KeyUse.objects.create(pk=keys["lately"].pk, last_used_at=now() - timedelta(days=3))
    KeyUse.objects.create(pk=keys["long ago"].pk, last_used_at=now() - timedelta(days=40))
    listed = master.get("/api/v1/keys/unused/?days=30").json()["results"]
    assert {row["name"] for row in listed} == {"never", "long ago"}
    assert master.get("/api/v1/keys/unused/?days=0").status_code == 400


def test_after_the_grace_the_old_secret_is_refused_and_the_new_one_works():
    key, old = issue_key(name="x")
    new = rotate_key(key, timedelta(hours=1))
    VirtualKey.objects.update(previous_until=now() - timedelta(seconds=1))
    assert with_key(old).get("/api/v1/key").status_code == 401
    assert with_key(new).get("/api/v1/key").status_code == 200


def test_an_environment_s_defaults_fill_what_a_new_key_leaves_open(master: Client):
    defaults = {
        "models": ["sandbox*"],
        "key_days": 7,
        "budget_usd": "3",
        "budget_period": "day",
        "parallel": 2,
    }
    assert master.patch("/api/v1/environments/experiment/", defaults, **JSON).status_code == 200
    assert EnvironmentDefaults.objects.get().budget_nanodollars == 3 * 10**9
    made = master.post("/api/v1/keys/", {"name": "x", "environment": "experiment"}, **JSON).json()
    assert (made["models"], made["limits"]["parallel"]) == (["sandbox*"], 2)
    assert [row["amount_usd"] for row in made["budgets"]] == ["3"]
    assert made["expires_at"] is not None
    own = {"name": "y", "environment": "experiment", "models": ["gpt-5"], "budgets": []}
    made = master.post("/api/v1/keys/", own, **JSON).json()
    assert (made["models"], made["budgets"]) == (["gpt-5"], [])
    plain = master.post("/api/v1/keys/", {"name": "z"}, **JSON).json()
    assert (plain["models"], plain["budgets"]) == ([], [])


@pytest.fixture
def bob(db: None) -> User:
    user = person("bob", User.Role.MEMBER)
    user.models_allowed = ["gpt-*"]
    user.endpoints_allowed = ["chat.completions"]
    user.networks = ["10.0.0.0/8"]
    user.longest_key_days = 30
    user.most_keys = 2
    user.save()
    Budget.objects.create(scope="user", user=user, amount_nanodollars=5 * 10**9, period="month")
    return user


@pytest.mark.parametrize(
    ("wish", "allowed"),
    [
        ({"models": ["gpt-5*"]}, True),
        ({"models": ["gpt-5", "claude-opus"]}, False),
        ({"models": ["*"]}, False),
        ({"models": ["g*"]}, False),
        ({"endpoints": ["embeddings"]}, False),
        ({"networks": ["10.1.0.0/16"]}, True),
        ({"networks": ["0.0.0.0/0"]}, False),
        ({"networks": ["::/0"]}, False),
        ({"expires_at": (now() + timedelta(days=29)).isoformat()}, True),
        ({"expires_at": (now() + timedelta(days=31)).isoformat()}, False),
        ({"budgets": [{"amount_usd": "5", "period": "month"}]}, True),
        ({"budgets": [{"amount_usd": "5.01", "period": "month"}]}, False),
    ],
)
def test_a_member_s_key_is_never_wider_than_the_member(bob: User, wish: dict, allowed: bool):
    answer = signed_in(bob).post("/api/v1/keys/", {"name": "mine", **wish}, **JSON)
    assert answer.status_code == (201 if allowed else 403), answer.content
    assert VirtualKey.objects.count() == int(allowed)


def test_what_a_member_leaves_open_becomes_their_own_bounds(bob: User):
    made = signed_in(bob).post("/api/v1/keys/", {"name": "mine"}, **JSON).json()
    assert (made["models"], made["endpoints"], made["networks"]) == (
        ["gpt-*"],
        ["chat.completions"],
        ["10.0.0.0/8"],
    )
    assert made["expires_at"] is not None


def test_a_member_has_so_many_keys_and_no_more(bob: User):
    client = signed_in(bob)
    codes = [client.post("/api/v1/keys/", {"name": f"k{n}"}, **JSON).status_code for n in range(3)]
    assert codes == [201, 201, 403]


def test_an_owner_narrows_a_key_and_never_widens_it(bob: User):
    key, _secret = issue_key(
        name="given", user=bob, models_allowed=["gpt-5*"], expires_at=now() + timedelta(days=5)
    )
    client = signed_in(bob)

    def change(**fields: object) -> int:
        return client.patch(f"/api/v1/keys/{key.pk}/", fields, **JSON).status_code

    assert change(models=["gpt-5-mini"]) == 200
    assert change(models=["gpt-5*"]) == 403
    assert change(models=[]) == 403
    assert change(expires_at=(now() + timedelta(days=6)).isoformat()) == 403
    assert change(expires_at=None) == 403
    assert change(expires_at=(now() + timedelta(days=1)).isoformat()) == 200
    assert change(budgets=[]) == 403


def test_rotating_twice_with_one_idempotency_key_rotates_once(master: Client):
    key, _secret = issue_key(name="x")
    headers = {"Idempotency-Key": "rotate-1"}
    answers = [
        master.post(f"/api/v1/keys/{key.pk}/rotate/", {"grace_hours": 1}, headers=headers, **JSON)
        for _turn in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert [answer.get("Idempotency-Replayed") for answer in answers] == [None, "true"]
    assert AuditEntry.objects.filter(verb="rotated").count() == 1
    assert with_key(answers[1].json()["key"]).get("/api/v1/key").status_code == 200


def test_an_idempotency_key_is_one_request_s_and_one_caller_s(master: Client, alice: User):
    headers = {"Idempotency-Key": "make-1"}
    first = master.post("/api/v1/keys/", {"name": "a"}, headers=headers, **JSON)
    other = master.post("/api/v1/keys/", {"name": "b"}, headers=headers, **JSON)
    assert (first.status_code, other.status_code) == (201, 422)
    assert signed_in(alice).post("/api/v1/keys/", {"name": "a"}, headers=headers, **JSON).status_code == 201
    assert VirtualKey.objects.count() == 2


def test_a_change_that_failed_may_be_asked_for_again(master: Client):
    headers = {"Idempotency-Key": "make-2"}
    assert master.post("/api/v1/keys/", {"nam": "a"}, headers=headers, **JSON).status_code == 400
    assert master.post("/api/v1/keys/", {"nam": "a"}, headers=headers, **JSON).status_code == 400
    assert master.post("/api/v1/keys/", {"name": "a"}, headers=headers, **JSON).status_code == 201
