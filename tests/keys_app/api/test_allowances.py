from datetime import timedelta

import pytest
from django.test import Client

from gateway_project.clock import now, now_ms
from keys_app.issuing import issue_key
from keys_app.models import AuditEntry, Budget, RateLimit, Service
from keys_app.snapshot_rows import limits_of_rows
from tests.keys_app.cast import JSON, person

pytestmark = pytest.mark.django_db


def make(client: Client, **body: object) -> dict:
    answer = client.post("/api/v1/budgets/", {"amount_usd": "1", **body}, **JSON)
    assert answer.status_code == 201, answer.content
    return answer.json()


def limit_now(budget_id: str, at_ms: int) -> int:
    rows = limits_of_rows(frozenset({budget_id}), frozenset())
    ((entry,),) = rows.budgets.values()
    return entry.limit_at(at_ms)


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "global"},
        {"scope": "model", "target": "gpt-5"},
        {"scope": "model", "target": "gpt-5", "service": "checkout"},
        {"scope": "end_user"},
        {"scope": "user", "user": "bob"},
        {"scope": "service", "service": "checkout", "period": "every_days", "every": 30},
        {"scope": "provider", "target": "openai", "period": "week", "time_zone": "Asia/Seoul"},
        {"scope": "deployment", "target": "openai/gpt-5", "hard": False, "alert_percents": [95, 80]},
    ],
)
def test_a_budget_stands_at_every_level(master: Client, body: dict):
    Service.objects.create(name="checkout")
    person("bob", "member")
    made = make(master, **body)
    row = Budget.objects.get(pk=made["id"])
    assert (row.scope, row.target) == (body["scope"], body.get("target", ""))
    assert (row.anchor_at is not None) is (body.get("period") == "every_days")
    assert made["alert_percents"] == sorted(body.get("alert_percents", []))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "global", "target": "x"}, "target"),
        ({"scope": "model"}, "target"),
        ({"scope": "user"}, "user"),
        ({"scope": "user", "user": "bob", "service": "checkout"}, "service"),
        ({"scope": "global", "every": 3}, "every"),
        ({"scope": "global", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"scope": "global", "amout_usd": "1"}, "amout_usd"),
        ({"scope": "global", "alert_percents": [0]}, "alert_percents.0"),
    ],
)
def test_what_makes_no_level_is_refused(master: Client, body: dict, field: str):
    Service.objects.create(name="checkout")
    person("bob", "member")
    answer = master.post("/api/v1/budgets/", {"amount_usd": "1", **body}, **JSON)
    assert answer.status_code == 400
    named = {error["field"] for error in answer.json()["errors"]}
    assert field in named or field.partition(".")[0] in named
    assert not Budget.objects.exists()


def test_a_budget_s_level_and_period_stay(master: Client):
    made = make(master, scope="global")
    path = f"/api/v1/budgets/{made['id']}/"
    assert master.patch(path, {"amount_usd": "2", "hard": False}, **JSON).json()["amount_usd"] == "2"
    for moved in ({"scope": "model"}, {"target": "x"}, {"period": "day"}):
        assert master.patch(path, moved, **JSON).status_code == 400, moved


def test_credit_raises_a_total_budget_and_is_kept_with_who_gave_it(master: Client):
    made = make(master, scope="global", period="total", amount_usd="10")
    path = f"/api/v1/budgets/{made['id']}/"
    assert (
        master.post(path + "top-ups/", {"amount_usd": "5.5", "note": "invoice 7"}, **JSON).status_code == 201
    )
    assert master.post(path + "top-ups/", {"amount_usd": "-0.5"}, **JSON).status_code == 201
    assert master.post(path + "top-ups/", {"amount_usd": "-100"}, **JSON).status_code == 400
    assert master.post(path + "top-ups/", {"amount_usd": "0"}, **JSON).status_code == 400
    assert master.get(path).json()["amount_usd"] == "15"
    listed = master.get(path + "top-ups/").json()["results"]
    assert [(row["amount_usd"], row["made_by"]) for row in listed] == [("-0.5", "master"), ("5.5", "master")]
    entry = AuditEntry.objects.filter(verb="topped up").order_by("id").first()
    assert entry is not None
    assert entry.changes == {"amount": ["$10", "$15.5"]}


def test_credit_is_not_added_to_a_budget_that_resets(master: Client):
    made = make(master, scope="global", period="month")
    answer = master.post(f"/api/v1/budgets/{made['id']}/top-ups/", {"amount_usd": "5"}, **JSON)
    assert answer.status_code == 400


def test_an_increase_ends_by_itself(master: Client):
    made = make(master, scope="global", amount_usd="10")
    until = now() + timedelta(hours=1)
    path = f"/api/v1/budgets/{made['id']}/increase/"
    assert master.post(path, {"amount_usd": "3", "until": until.isoformat()}, **JSON).status_code == 200
    ends_ms = int(until.timestamp() * 1000)
    assert limit_now(made["id"], now_ms()) == 13 * 10**9
    assert limit_now(made["id"], ends_ms - 1) == 13 * 10**9
    assert limit_now(made["id"], ends_ms) == 10 * 10**9
    assert master.post(path, {"amount_usd": "3"}, **JSON).status_code == 400
    assert master.post(path, {"amount_usd": "0"}, **JSON).json()["extra_usd"] == "0"
    assert limit_now(made["id"], now_ms()) == 10 * 10**9


def test_limits_stand_at_every_level_and_one_of_them_is_set(master: Client):
    key, _secret = issue_key(name="x")
    body = {"scope": "key", "key": str(key.pk), "input_tokens_per_minute": 5}
    made = master.post("/api/v1/limits/", body, **JSON).json()
    assert (made["key"], made["input_tokens_per_minute"]) == (str(key.pk), 5)
    assert master.post("/api/v1/limits/", {"scope": "global"}, **JSON).status_code == 400
    path = f"/api/v1/limits/{made['id']}/"
    assert master.patch(path, {"input_tokens_per_minute": None}, **JSON).status_code == 400
    assert master.get("/api/v1/limits/?scope=key").json()["results"][0]["id"] == made["id"]
    assert master.delete(path).status_code == 204
    assert not RateLimit.objects.exists()


def test_a_management_key_gives_no_right_it_has_not(master: Client):
    body = {"name": "robot", "scopes": ["access:write", "keys:read"]}
    made = master.post("/api/v1/management-keys/", body, **JSON).json()
    robot = Client(headers={"Authorization": f"Bearer {made['key']}"})
    assert robot.get("/api/v1/keys/").status_code == 200
    assert robot.post("/api/v1/keys/", {"name": "x"}, **JSON).status_code == 403
    wider = {"name": "r2", "scopes": ["keys:write"]}
    assert robot.post("/api/v1/management-keys/", wider, **JSON).status_code == 400
    assert robot.post("/api/v1/management-keys/", {**body, "name": "r3"}, **JSON).status_code == 201
    assert made["key"] not in master.get("/api/v1/management-keys/").content.decode()
    master.post(f"/api/v1/management-keys/{made['id']}/block/", {}, **JSON)
    assert robot.get("/api/v1/keys/").status_code == 401


def test_a_slack_address_is_shown_by_its_host_alone(master: Client):
    body = {"name": "ops", "kind": "slack", "address": "https://hooks.slack.example/T0/B0/very-secret"}
    assert (
        master.post("/api/v1/alert-targets/", body, **JSON).json()["address"]
        == "https://hooks.slack.example/…"
    )
    assert "very-secret" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    "address",
    ["ftp://example.org", "https://", "nonsense", "http://169.254.169.254/latest", "https://u:p@x.org/"],
)
def test_an_alert_goes_to_no_address_the_gateway_must_not_call(master: Client, address: str):
    body = {"name": "ops", "kind": "webhook", "address": address}
    assert master.post("/api/v1/alert-targets/", body, **JSON).status_code == 400
