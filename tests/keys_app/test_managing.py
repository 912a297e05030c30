"""What managers may do with their services, and what stays an admin's: over the API and on the pages."""

import pytest
from django.test import Client

from keys_app import managing
from keys_app.models import AuditEntry, Budget, Membership, RateLimit, Service
from tests.keys_app.cast import JSON
from tests.keys_app.matrix.cast import Cast, assemble

pytestmark = pytest.mark.django_db
BUDGETS, LIMITS = "/api/v1/budgets/", "/api/v1/limits/"


@pytest.fixture
def cast() -> Cast:
    return assemble()


def page_of(cast: Cast, name: str = "checkout") -> str:
    return f"/ui/services/{cast.services[name].pk}/"


def members_of(cast: Cast, name: str = "checkout") -> str:
    return f"/api/v1/services/{cast.services[name].pk}/members/"


def an_admins(cast: Cast, name: str = "checkout") -> Budget:
    return Budget.objects.create(scope="service", service=cast.services[name], amount_nanodollars=10**10)


def make(client: Client, service: Service, **fields: object) -> dict:
    body = {"scope": "service", "service": str(service.pk), "amount_usd": "5", "period": "day", **fields}
    answer = client.post(BUDGETS, body, **JSON)
    assert answer.status_code == 201, answer.content
    return answer.json()


# ---------------------------------------------------------------- over the API


@pytest.mark.parametrize(
    "level",
    [
        {},
        {"scope": "environment", "target": "test"},
        {"scope": "model", "target": "gpt-5"},
        {"scope": "end_user"},
    ],
)
def test_a_manager_sets_changes_and_takes_away_a_budget_within_the_service(cast: Cast, level: dict):
    mona = cast.clients["manager"]
    made = make(mona, cast.services["checkout"], **level)
    assert made["set_by_manager"] is True
    row = f"{BUDGETS}{made['id']}/"
    assert mona.patch(row, {"amount_usd": "7"}, **JSON).json()["amount_usd"] == "7"
    assert mona.post(f"{row}increase/", {"amount_usd": "0"}, **JSON).status_code == 200
    assert mona.delete(row).status_code == 204
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {"mona"}


def test_an_admins_budget_is_seen_and_not_touched(cast: Cast):
    budget, mona = an_admins(cast), cast.clients["manager"]
    row = f"{BUDGETS}{budget.pk}/"
    assert [each["id"] for each in mona.get(BUDGETS).json()["results"]] == [str(budget.pk)]
    for answer in (
        mona.patch(row, {"amount_usd": "1"}, **JSON),
        mona.patch(row, {"is_enabled": False}, **JSON),
        mona.post(f"{row}increase/", {"amount_usd": "1", "until": "2099-01-01T00:00:00Z"}, **JSON),
        mona.post(f"{row}top-ups/", {"amount_usd": "1"}, **JSON),
        mona.delete(row),
    ):
        assert answer.status_code == 403, answer.content
    budget.refresh_from_db()
    assert (budget.amount_nanodollars, budget.is_enabled, budget.extra_nanodollars) == (10**10, True, 0)
    assert not AuditEntry.objects.exists()


def test_what_an_admin_changes_is_an_admins_from_then_on(cast: Cast):
    mona, admin = cast.clients["manager"], cast.clients["admin"]
    for change in (
        lambda row: admin.patch(f"{BUDGETS}{row}/", {"amount_usd": "1"}, **JSON),
        lambda row: cast.clients["master"].patch(f"{BUDGETS}{row}/", {"amount_usd": "1"}, **JSON),
        lambda row: admin.post(
            f"/admin/keys_app/budget/{row}/change/",
            {
                "scope": "service",
                "service": str(cast.services["checkout"].pk),
                "amount_usd": "1",
                "period": "day",
                "every": "1",
                "hard": "on",
                "is_enabled": "on",
            },
        ),
    ):
        made = make(mona, cast.services["checkout"])["id"]
        assert change(made).status_code in (200, 302)
        row = Budget.objects.get(pk=made)
        assert (row.amount_nanodollars, row.set_by_manager) == (10**9, False)
        assert mona.patch(f"{BUDGETS}{made}/", {"amount_usd": "500"}, **JSON).status_code == 403


@pytest.mark.parametrize("role", ["member", "manager"])
@pytest.mark.parametrize("field", ["service", "user"])
def test_what_is_unknown_is_refused_as_what_is_somebody_elses(cast: Cast, role: str, field: str):
    """By name or by id: a refusal tells nobody who and what is there."""
    there = {"service": cast.services["search"], "user": cast.users["other_manager"]}[field]
    client, key = cast.clients[role], cast.keys["both"]
    unknown = "00000000-0000-7000-8000-0000000000aa"
    others = [str(there.pk), getattr(there, "name", "otto"), unknown, "nobody-and-nothing"]
    asked = {
        "new": lambda value: client.post("/api/v1/keys/", {"name": "x", field: value}, **JSON),
        "changed": lambda value: client.patch(f"/api/v1/keys/{key.pk}/", {field: value}, **JSON),
        "moved": lambda value: client.post(
            "/api/v1/keys/bulk/", {"action": "move", "keys": [str(key.pk)], field: value}, **JSON
        ),
        "budget": lambda value: client.post(
            BUDGETS, {"scope": field, field: value, "amount_usd": "1"}, **JSON
        ),
    }
    for what, ask in asked.items():
        answers = {(answer.status_code, answer.content) for answer in map(ask, others)}
        assert len(answers) == 1, (what, answers)
        ((status, body),) = answers
        assert status == 403, what
        assert b"search" not in body and b"otto" not in body


def test_another_service_is_not_there(cast: Cast):
    budget, mona = an_admins(cast, "search"), cast.clients["manager"]
    assert mona.get(BUDGETS).json()["results"] == []
    assert mona.get(f"{BUDGETS}{budget.pk}/").status_code == 404
    assert mona.delete(f"{BUDGETS}{budget.pk}/").status_code == 404
    assert mona.get(members_of(cast, "search")).status_code == 404
    assert mona.get(page_of(cast, "search")).status_code == 404


@pytest.mark.parametrize("scope", ["global", "user", "key", "provider", "model", "service", "environment"])
def test_nothing_is_set_outside_of_ones_services(cast: Cast, scope: str):
    places = {
        "user": {"user": "mel"},
        "key": {"key": str(cast.keys["stranger"].pk)},
        "service": {"service": str(cast.services["search"].pk)},
        "provider": {"target": "openai"},
        "model": {"target": "gpt-5", "service": str(cast.services["search"].pk)},
        "environment": {"target": "test"},
    }
    for address, figure in ((BUDGETS, {"amount_usd": "0"}), (LIMITS, {"parallel": 1})):
        body = {"scope": scope, **places.get(scope, {}), **figure}
        answer = cast.clients["manager"].post(address, body, **JSON)
        assert answer.status_code == 403, answer.content
    assert not Budget.objects.exists()
    assert not RateLimit.objects.exists()


def test_a_service_holds_so_many_of_its_managers(cast: Cast):
    service = cast.services["checkout"]
    an_admins(cast)
    for _number in range(managing.MOST_ALLOWANCES):
        make(cast.clients["manager"], service)
    body = {"scope": "service", "service": str(service.pk), "amount_usd": "5"}
    assert cast.clients["manager"].post(BUDGETS, body, **JSON).status_code == 403
    assert make(cast.clients["admin"], service)["set_by_manager"] is False


def test_a_limit_of_a_manager(cast: Cast):
    mona, service = cast.clients["manager"], cast.services["checkout"]
    body = {"scope": "service", "service": str(service.pk), "parallel": 3}
    made = mona.post(LIMITS, body, **JSON).json()
    assert (made["set_by_manager"], made["parallel"]) == (True, 3)
    assert cast.clients["other_manager"].delete(f"{LIMITS}{made['id']}/").status_code == 404
    assert mona.delete(f"{LIMITS}{made['id']}/").status_code == 204


def test_members_come_and_go_by_name_or_address(cast: Cast):
    mona, otto = cast.clients["manager"], cast.users["other_manager"]
    otto.email = "otto@example.org"
    otto.save()
    for name in ("OTTO", "otto@example.org"):
        answer = mona.post(members_of(cast), {"user": name}, **JSON)
        assert (answer.status_code, answer.json()["role"]) == (201, "member")
    assert "otto" in [row["user_name"] for row in mona.get(members_of(cast)).json()["results"]]
    assert mona.delete(f"{members_of(cast)}{otto.pk}/").status_code == 204
    assert mona.delete(f"{members_of(cast)}{otto.pk}/").status_code == 404
    changes = list(AuditEntry.objects.order_by("pk").values_list("changes", flat=True))
    assert changes == [{"member otto": [None, "member"]}, {"member otto": ["member", None]}]


@pytest.mark.parametrize("name", ["ott", "", " ", "nobody@example.org", "master"])
def test_nobody_is_found_by_a_part_of_a_name(cast: Cast, name: str):
    answer = cast.clients["manager"].post(members_of(cast), {"user": name}, **JSON)
    assert answer.status_code == 400
    assert not AuditEntry.objects.exists()


def test_who_manages_is_an_admins_to_say(cast: Cast):
    mona, admin, mel = cast.clients["manager"], cast.clients["admin"], cast.users["member"]
    refused = [
        mona.post(members_of(cast), {"user": "mel", "role": "manager"}, **JSON),
        mona.post(members_of(cast), {"user": "vera", "role": "member"}, **JSON),  # a manager there
        mona.delete(f"{members_of(cast)}{cast.users['viewer'].pk}/"),
        mona.delete(f"{members_of(cast)}{cast.users['manager'].pk}/"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert admin.post(members_of(cast), {"user": "mel", "role": "manager"}, **JSON).status_code == 201
    assert Membership.objects.get(user=mel).role == "manager"
    assert cast.clients["master"].delete(f"{members_of(cast)}{mel.pk}/").status_code == 204


# ---------------------------------------------------------------- on the pages


def test_the_page_does_the_same(cast: Cast):
    mona, page = cast.clients["manager"], page_of(cast)
    budget = an_admins(cast)
    shown = mona.get(page).content.decode()
    assert "an admin" in shown
    assert f'value="{budget.pk}"' not in shown
    fields = {"do": "add budget", "budget-level": "test", "budget-amount_usd": "2.5", "budget-period": "day"}
    assert mona.post(page, fields).status_code == 302
    made = Budget.objects.get(set_by_manager=True)
    assert (made.scope, made.target, made.amount_nanodollars, made.hard) == (
        "environment",
        "test",
        2_500_000_000,
        False,
    )
    assert f'value="{made.pk}"' in mona.get(page).content.decode()
    assert mona.post(page, {"do": "remove budget", "id": str(made.pk)}).status_code == 302
    assert mona.post(page, {"do": "remove budget", "id": str(budget.pk)}).status_code == 403
    assert list(Budget.objects.all()) == [budget]
    fields = {"do": "add limit", "limit-level": "model", "limit-model": "gpt-5", "limit-parallel": "2"}
    assert mona.post(page, fields).status_code == 302
    limit = RateLimit.objects.get()
    assert (limit.scope, limit.target, limit.service.name, limit.parallel) == (
        "model",
        "gpt-5",
        "checkout",
        2,
    )
    assert mona.post(page, {"do": "add member", "member-person": "otto"}).status_code == 302
    member = Membership.objects.get(user=cast.users["other_manager"], service=cast.services["checkout"])
    assert mona.post(page, {"do": "remove member", "id": str(member.pk)}).status_code == 302


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "add budget", "budget-level": "service", "budget-amount_usd": "", "budget-period": "day"},
        {"do": "add budget", "budget-level": "model", "budget-amount_usd": "1", "budget-period": "day"},
        {"do": "add limit", "limit-level": "service"},
        {"do": "add member", "member-person": "nobody"},
    ],
)
def test_what_is_wrong_is_said_at_the_form(cast: Cast, fields: dict):
    answer = cast.clients["manager"].post(page_of(cast), fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert not Budget.objects.exists()
    assert not RateLimit.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "member", "other_manager"])
def test_who_manages_nothing_here_finds_nothing(cast: Cast, role: str):
    client = cast.clients[role]
    assert "checkout" not in client.get("/ui/services/").content.decode().split("<main")[-1]
    assert client.get(page_of(cast)).status_code == 404
    assert client.post(page_of(cast), {"do": "add member", "member-person": "mel"}).status_code == 404


def test_the_navigation_shows_it_to_who_manages(cast: Cast):
    for role in ("viewer", "member", "manager", "admin"):
        shown = "/ui/services/" in cast.clients[role].get("/ui/keys/").content.decode()
        assert shown is (role in ("manager", "admin")), role
