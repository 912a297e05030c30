import pytest
from django.contrib import admin
from django.test import Client

from keys_app.api.serializers import KeyBody
from keys_app.models import VirtualKey
from tests.keys_app.cast import JSON
from tests.keys_app.matrix.cast import PEOPLE, ROLES, Cast, assemble
from tests.keys_app.matrix.table import (
    ADMIN_OPEN,
    ADMIN_PREFIX,
    ANSWERS,
    FIELDS,
    KEY_ACTIONS,
    TABLE,
)
from tests.keys_app.matrix.walking import filled, routes

pytestmark = pytest.mark.django_db

NOBODY = "00000000-0000-0000-0000-000000000007"
IDS = {
    **dict.fromkeys(
        (
            "pk",
            "id",
            "object_id",
            "request_id",
            "key_id",
            "view_id",
            "export_id",
            "budget_id",
            "price_id",
            "service_id",
            "user",
        ),
        NOBODY,
    ),
    "token": "no-such-token",
    "action": "block",
    "environment": "nowhere",
    "content_type_id": "1",
    "app_label": "keys_app",
    "url": "anything",
    "field": "x",
    "value": "x",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def cast() -> Cast:
    return assemble()


def ask(client: Client, method: str, path: str, body: object = None) -> int:
    send = getattr(client, method.lower())
    return send(path).status_code if method == "GET" else send(path, body or {}, **JSON).status_code


def test_every_address_has_a_row_and_every_row_an_address():
    walked = {route for route in routes() if not route.startswith(ADMIN_PREFIX)} | {"admin/login/"}
    assert walked - TABLE.keys() == set(), "an address without a row in tests/keys_app/matrix/table.py"
    assert TABLE.keys() - walked == set()
    assert len([route for route in routes() if route.startswith(ADMIN_PREFIX)]) > 60


def test_every_kind_of_row_answers_every_role():
    assert {kind: set(answers) for kind, answers in ANSWERS.items()} == {kind: set(ROLES) for kind in ANSWERS}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_what_its_row_says(cast: Cast, role: str):
    client = cast.clients[role]
    wrong = []
    for route, row in TABLE.items():
        wanted = ANSWERS[row.kind][role]
        for method in row.methods:
            if role != "anonymous" and route == "ui/sign-out/":
                continue  # it works, and the others need the session
            status = ask(client, method, filled(route, IDS))
            allowed = status not in (401, 403) and not (
                status == 302 and row.kind in ("page", "maker", "corrector")
            )
            if wanted != ("allow" if allowed else status) and not _redirects(route, status, wanted):
                wrong.append((method, route, status, wanted))
    assert wrong == []


def _redirects(route: str, status: int, wanted: object) -> bool:
    """Pages that answer a change with the next page, and addresses that only lead on."""
    return wanted == "allow" and status == 302 and route in ("ui/sessions/",)


@pytest.mark.parametrize("role", ("admin", "master"))
def test_what_a_row_does_not_name_is_no_method(cast: Cast, role: str):
    for route, row in TABLE.items():
        if row.kind not in ("control", "managed", "keys", "usage", "litellm", "own") or route == "key/^.*$":
            continue
        for method in set(METHODS) - set(row.methods):
            assert ask(cast.clients[role], method, filled(route, IDS)) in (401, 403, 405), (method, route)


def test_a_management_key_needs_the_scope_of_the_row(cast: Cast):
    reads, writes, none = ({} for _ in range(3))
    for route, row in TABLE.items():
        if not row.scope:
            continue
        reads.setdefault(row.scope, cast.scoped(f"{row.scope}:read"))
        writes.setdefault(row.scope, cast.scoped(f"{row.scope}:write"))
        others = [
            f"{TABLE[other].scope}:write" for other in TABLE if TABLE[other].scope not in ("", row.scope)
        ]
        none.setdefault(row.scope, cast.scoped(*sorted(set(others))))
        for method in row.methods:
            path = filled(route, IDS)
            assert ask(none[row.scope], method, path) == 403, (method, route)
            assert ask(writes[row.scope], method, path) not in (401, 403), (method, route)
            expected_refusal = method != "GET"
            assert (ask(reads[row.scope], method, path) == 403) is expected_refusal, (method, route)


def test_a_row_without_a_scope_takes_the_master_key_only(cast: Cast):
    robot = cast.scoped(*{f"{row.scope}:write" for row in TABLE.values() if row.scope})
    for route, row in TABLE.items():
        if row.kind == "control" and not row.scope:
            assert ask(robot, "GET", filled(route, IDS)) == 403, route


@pytest.mark.parametrize("whose", ("member", "viewer", "service", "both", "stranger"))
@pytest.mark.parametrize("role", PEOPLE)
def test_a_key_is_seen_and_changed_by_whom_its_row_says(cast: Cast, role: str, whose: str):
    key = cast.keys[whose]
    for (method, end), allowed in sorted(KEY_ACTIONS.items(), key=lambda each: each[0] == ("DELETE", "")):
        status = ask(cast.clients[role], method, f"/api/v1/keys/{key.pk}/{end}")
        seen = role in KEY_ACTIONS["GET", ""][whose]
        if role in allowed[whose]:
            assert status < 300, (method, end, status)
        else:
            assert status == (403 if seen else 404), (method, end, status)


@pytest.mark.parametrize("action", ("block", "unblock", "expire", "move"))
@pytest.mark.parametrize("role", PEOPLE)
def test_many_keys_at_once_are_no_way_around(cast: Cast, role: str, action: str):
    for whose, key in cast.keys.items():
        body = {"action": action, "keys": [str(key.pk)]}
        if action == "move":
            body["user"] = cast.users["admin"].username
        acts = KEY_ACTIONS["POST", "block/" if action in ("block", "expire") else "unblock/"]
        status = ask(cast.clients[role], "POST", "/api/v1/keys/bulk/", body)
        assert (status == 200) is (role in acts[whose]), (whose, status)


def test_the_fields_of_the_table_are_those_of_a_key():
    assert set(FIELDS) == {name for name, field in KeyBody().fields.items() if not field.read_only}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("role", ("viewer", "member", "manager", "other_manager", "admin"))
def test_each_field_is_written_by_whom_its_row_says(cast: Cast, role: str, field: str):
    value, allowed = FIELDS[field]
    for whose in cast.keys:
        if role not in KEY_ACTIONS["PATCH", ""][whose]:
            continue
        acts_as = role
        if whose == "both" and role == "member":
            acts_as = "member"  # belonging to a service is not managing it
        if role == "other_manager":
            acts_as = "manager"
        status = ask(cast.clients[role], "PATCH", f"/api/v1/keys/{cast.keys[whose].pk}/", {field: value})
        expected = acts_as in allowed
        if field == "service" and role == "other_manager":
            expected = True  # it is theirs already
        assert (status == 200) is expected, (whose, field, status)
        assert status in (200, 403)


@pytest.mark.parametrize("field", FIELDS)
def test_a_member_makes_keys_of_their_own_and_no_others(cast: Cast, field: str):
    value, _allowed = FIELDS[field]
    status = ask(cast.clients["member"], "POST", "/api/v1/keys/", {"name": "mine", field: value})
    refused = field in ("user", "service", "trusts_identity_headers", "identity_secret", "allows_unpriced")
    assert status == (403 if refused else 201), status
    if not refused:
        newest = VirtualKey.objects.order_by("-id").first()
        assert newest is not None
        assert newest.user == cast.users["member"]
        assert newest.created_by == cast.users["member"]


def test_a_list_of_keys_holds_those_that_are_seen(cast: Cast):
    for role in PEOPLE:
        listed = cast.clients[role].get("/api/v1/keys/?limit=500").json()["results"]
        ids = {row["id"] for row in listed}
        for whose, key in cast.keys.items():
            assert (str(key.pk) in ids) is (role in KEY_ACTIONS["GET", ""][whose]), (role, whose)


@pytest.mark.parametrize("role", ("anonymous", "viewer", "member", "manager", "other_manager"))
def test_the_admin_is_closed_to_all_but_admins(cast: Cast, role: str):
    client = cast.clients[role]
    for route in routes():
        path = filled(route, IDS)
        if not route.startswith(ADMIN_PREFIX) or route in ADMIN_OPEN or "<" in path or "(" in path:
            continue
        for method in ("GET", "POST"):
            status = ask(client, method, path)
            assert status in (302, 403), (method, path, status)
            if status == 302 and role != "anonymous":
                assert client.get(client.get(path)["Location"]).status_code == 403, path


def test_an_admin_reaches_every_list_of_the_admin(cast: Cast):
    for model in admin.site._registry:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert cast.clients["admin"].get(address).status_code == 200, address


def test_an_admin_who_was_demoted_is_out_at_once(cast: Cast):
    admin_user, client = cast.users["admin"], cast.clients["admin"]
    assert client.get("/api/v1/users/").status_code == 200
    type(admin_user).objects.filter(pk=admin_user.pk).update(
        role="member", is_staff=False, is_superuser=False
    )
    assert client.get("/api/v1/users/").status_code == 403
    assert client.get("/admin/keys_app/virtualkey/").status_code == 302


def test_signing_in_to_the_admin_is_signing_in_to_the_window():
    answer = Client().get("/admin/keys_app/virtualkey/", follow=False)
    assert answer["Location"].startswith("/admin/login/?next=")
    onward = Client().get(answer["Location"])
    assert onward["Location"] == "/ui/sign-in/?next=%2Fadmin%2Fkeys_app%2Fvirtualkey%2F"
    foreign = Client().get("/admin/login/?next=https://evil.example/")
    assert "evil" not in foreign["Location"]
