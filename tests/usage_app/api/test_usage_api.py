"""The ledger over the API: what is answered, to whom, and what is refused."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway_project.clock import now, uuid7
from gateway_project.conf import config
from keys_app.issuing import issue_key
from keys_app.models import Membership, Service, User
from tests.usage_app.conftest import read_all
from tests.usage_app.workload import CALLER, MONTH, a_refusal, an_end, call_id
from usage_app.journal import JournalWriter
from usage_app.ledger import Ledger
from usage_app.records import Adjust, End

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("usage_app.api.urls")]

DOCUMENTED = [
    "id",
    "started_at",
    "finished_at",
    "endpoint",
    "format",
    "stream",
    "model",
    "deployment",
    "provider",
    "upstream_model",
    "key",
    "key_name",
    "user",
    "service",
    "environment",
    "status",
    "http_status",
    "error_code",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "usage_source",
    "cost_nanodollars",
    "cost_usd",
    "ttft_ms",
    "latency_ms",
    "overhead_ms",
    "end_user",
    "session",
    "client",
    "tags",
    "timeline",
    "attempts",
]
USAGE = [
    "requests",
    "errors",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "cost_nanodollars",
    "cost_usd",
    "unpriced_requests",
    "estimated_cost_nanodollars",
    "interrupted_cost_nanodollars",
]


@pytest.fixture
def master() -> Client:
    return Client(headers={"Authorization": f"Bearer {config().master_key}"})


def recent(minutes: float = 5, **changes: Any) -> End:
    at_ms = int((now() - timedelta(minutes=minutes)).timestamp() * 1000)
    return an_end(call_id(at_ms), at_ms=at_ms, **changes)


def write(writer: JournalWriter, ledger: Ledger, *records: Any) -> None:
    for record in records:
        writer.append(record)
    read_all(ledger)


def test_a_call_answers_every_documented_field(master: Client, writer: JournalWriter, ledger: Ledger) -> None:
    end = recent()
    write(writer, ledger, end)
    answer = master.get(f"/requests/{end.id}/").json()
    assert set(DOCUMENTED) <= set(answer)
    assert (answer["cost_nanodollars"], answer["cost_usd"]) == (7_500_000, "0.0075")
    assert (answer["input_tokens"], answer["status"], answer["key_name"]) == (1200, "ok", "backend")
    assert answer["timeline"][0] == {"name": "arrived", "at_ms": 0.0}
    assert answer["attempts"][0]["upstream_model"] == "gpt-4o"
    (listed,) = master.get("/requests/").json()["results"]
    assert listed == {name: value for name, value in answer.items() if name in listed}


def test_a_cost_that_came_later_is_part_of_the_cost(
    master: Client, writer: JournalWriter, ledger: Ledger
) -> None:
    end = recent()
    write(writer, ledger, end, Adjust(end.id, end.at_ms, "batch", 500_000, (MONTH,)))
    answer = master.get(f"/requests/{end.id}/").json()
    assert (answer["cost_nanodollars"], answer["adjusted_nanodollars"]) == (8_000_000, 500_000)
    usage = master.get("/usage/").json()["total"]
    assert usage["cost_nanodollars"] == 8_000_000


def test_an_unknown_cost_is_null_and_counted(master: Client, writer: JournalWriter, ledger: Ledger) -> None:
    write(writer, ledger, recent(cost_nanodollars=None), recent())
    found = {row["cost_nanodollars"] for row in master.get("/requests/").json()["results"]}
    assert found == {None, 7_500_000}
    total = master.get("/usage/").json()["total"]
    assert (total["unpriced_requests"], total["cost_nanodollars"]) == (1, 7_500_000)


def test_pages_lead_to_older_calls_and_none_is_missed(
    master: Client, writer: JournalWriter, ledger: Ledger
) -> None:
    ends = [recent(minutes) for minutes in range(1, 8)]
    write(writer, ledger, *ends)
    seen: list[str] = []
    address = "/requests/?limit=3"
    while address:
        answer = master.get(address, HTTP_HOST="evil.example").json()
        seen += [row["id"] for row in answer["results"]]
        address = (answer["next"] or "").removeprefix(config().public_url)
        write(writer, ledger, recent(0))  # what comes meanwhile moves no page
    assert seen == [end.id for end in ends]


def test_the_range_is_the_last_day_unless_told(master: Client, writer: JournalWriter, ledger: Ledger) -> None:
    old, new = recent(26 * 60), recent()
    write(writer, ledger, old, new)
    assert [row["id"] for row in master.get("/requests/").json()["results"]] == [new.id]
    since = (now() - timedelta(days=2)).isoformat()
    both = master.get("/requests/", {"since": since}).json()["results"]
    assert [row["id"] for row in both] == [new.id, old.id]
    until = (now() - timedelta(days=1)).isoformat()
    one = master.get("/requests/", {"since": since, "until": until}).json()["results"]
    assert [row["id"] for row in one] == [old.id]


def test_filters_take_an_id_or_a_name(master: Client, writer: JournalWriter, ledger: Ledger) -> None:
    service = Service.objects.create(name="Renamed")
    ours = msgspec.structs.replace(CALLER, service_id=str(service.pk), service_name="Former")
    write(writer, ledger, recent(caller=ours), recent())
    for value in (str(service.pk), "Renamed", "Former"):
        rows = master.get("/requests/", {"service": value}).json()["results"]
        assert [row["service"] for row in rows] == [str(service.pk)]
        usage = master.get("/usage/", {"service": value}).json()
        assert usage["total"]["requests"] == 1
    assert master.get("/requests/", {"model": "gpt-nope"}).json()["results"] == []
    assert len(master.get("/requests/", {"key": "backend", "status": "ok"}).json()["results"]) == 2


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/requests/?modle=gpt-4o", "modle"),
        ("/requests/?since=yesterday", "since"),
        ("/requests/?since=2026-11-23&until=2026-11-22", "since"),
        ("/requests/?limit=0", "limit"),
        ("/requests/?limit=many", "limit"),
        ("/requests/?cursor=x", "cursor"),
        ("/requests/?status=fine", "status"),
        ("/requests/?environment=prod", "environment"),
        ("/requests/?group_by=model", "group_by"),
        ("/usage/?group_by=colour", "group_by"),
        ("/usage/?interval=minute", "interval"),
        ("/usage/?interval=quarter&since=2025-01-01", "interval"),
        ("/usage/?limit=5", "limit"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused(master: Client, address: str, field: str) -> None:
    answer = master.get(address)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].startswith(field)


def test_usage_groups_and_intervals_add_up(master: Client, writer: JournalWriter, ledger: Ledger) -> None:
    write(
        writer,
        ledger,
        recent(model="gpt-4o"),
        recent(model="gpt-4o", status="error", cost_nanodollars=0),
        recent(model="claude", status="interrupted", usage_source="estimate", cost_nanodollars=40),
        a_refusal(at_ms=recent().at_ms, repeated=5),
    )
    answer = master.get("/usage/?group_by=model,service").json()
    assert all(set(USAGE) <= set(row) for row in answer["results"])
    by_model = {row["model"]: row for row in answer["results"]}
    assert by_model["claude"]["service_name"] == "Search"
    assert by_model["claude"]["interrupted_cost_nanodollars"] == 40
    assert (by_model["gpt-4o"]["requests"], by_model["gpt-4o"]["errors"]) == (7, 1)
    assert answer["total"]["requests"] == 8
    for interval in ("quarter", "hour", "day"):
        rows = master.get("/usage/", {"interval": interval, "group_by": "model,status"}).json()["results"]
        assert sum(row["requests"] for row in rows) == 8
        assert sum(row["cost_nanodollars"] for row in rows) == answer["total"]["cost_nanodollars"]
        assert all(row["start"] for row in rows)


def test_nobody_is_answered_without_a_key() -> None:
    for address in ("/requests/", f"/requests/{uuid7()}/", "/usage/"):
        answer = Client().get(address)
        assert answer.status_code == 401
        wrong = Client(headers={"Authorization": "Bearer sk-gh-wrong"}).get(address)
        assert wrong.status_code == 401


def test_a_virtual_key_sees_its_own_calls_only(writer: JournalWriter, ledger: Ledger) -> None:
    key, secret = issue_key(name="mine")
    mine = recent(caller=msgspec.structs.replace(CALLER, key_id=str(key.pk)))
    other = recent()
    write(writer, ledger, mine, other)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    assert [row["id"] for row in client.get("/requests/").json()["results"]] == [mine.id]
    assert client.get(f"/requests/{mine.id}/").status_code == 200
    assert client.get(f"/requests/{other.id}/").status_code == 404
    assert client.get("/usage/").json()["total"]["requests"] == 1
    assert client.get("/usage/", {"key": other.caller.key_id}).json()["total"]["requests"] == 0
    assert client.get("/usage/", {"key": "backend"}).json()["total"]["requests"] == 1
    by_header = Client(headers={"x-api-key": secret})
    assert by_header.get("/usage/").json()["total"]["requests"] == 1


def test_people_see_their_own_calls_and_their_services(writer: JournalWriter, ledger: Ledger) -> None:
    alice = User.objects.create_user("alice", password="a-long-password")
    bob = User.objects.create_user("bob")
    search = Service.objects.create(name="Search")
    hers = recent(caller=msgspec.structs.replace(CALLER, user_id=str(alice.pk), service_id=""))
    his = recent(caller=msgspec.structs.replace(CALLER, user_id=str(bob.pk), service_id=str(search.pk)))
    write(writer, ledger, hers, his)
    client = Client()
    client.force_login(alice)
    assert [row["id"] for row in client.get("/requests/").json()["results"]] == [hers.id]
    assert client.get(f"/requests/{his.id}/").status_code == 404
    Membership.objects.create(user=alice, service=search, role=Membership.Role.MANAGER)
    assert client.get("/usage/").json()["total"]["requests"] == 2
    assert client.get(f"/requests/{his.id}/").status_code == 200
    alice.is_active = False
    alice.save()
    assert client.get("/requests/").status_code in (401, 403)


def test_a_page_of_calls_takes_a_constant_number_of_queries(
    master: Client, writer: JournalWriter, ledger: Ledger
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert master.get("/requests/").status_code == 200
        return len(caught)

    write(writer, ledger, recent())
    few = queries()
    write(writer, ledger, *(recent(minutes) for minutes in range(1, 30)))
    assert queries() == few


def test_an_id_that_is_none_is_not_found(master: Client) -> None:
    assert master.get("/requests/nonsense/").status_code == 404
    assert master.get(f"/requests/{uuid7()}/").status_code == 404


def test_claims_are_grouped_by_whole_days_and_told_without_outcomes(
    master: Client, writer: JournalWriter, ledger: Ledger
) -> None:
    claiming = msgspec.structs.replace(CALLER, tags=("demo", "batch"), end_user="ann")
    plain = msgspec.structs.replace(CALLER, client="curl/8")
    write(writer, ledger, recent(caller=claiming), recent(caller=plain))
    asked = {"group_by": "tag,service", "since": (now() - timedelta(minutes=15)).isoformat()}
    answer = master.get("/usage/", asked).json()
    assert [(row["tag"], row["service_name"], row["requests"]) for row in answer["results"]] == [
        ("batch", "Search", 1),
        ("demo", "Search", 1),
    ]
    assert all(row["errors"] is row["refused"] is row["latency_p95_ms"] is None for row in answer["results"])
    assert (answer["total"]["requests"], answer["total"]["errors"]) == (2, 0)  # of all calls
    assert answer["since"].endswith("T00:00:00+00:00")
    people = master.get("/usage/", {"group_by": "end_user", "interval": "day"}).json()
    assert [(row["end_user"], row["requests"]) for row in people["results"]] == [("ann", 1)]
    assert (people["total"]["requests"], people["total"]["errors"]) == (1, None)  # of those that name one


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("group_by=tag,client", "group_by"),
        ("group_by=tag,key", "group_by"),
        ("group_by=tag,model,service", "group_by"),
        ("group_by=end_user&interval=hour", "interval"),
        ("group_by=client&status=ok", "status"),
        ("group_by=client&key=backend", "key"),
    ],
)
def test_what_the_sums_of_claims_do_not_know_is_refused(master: Client, query: str, field: str) -> None:
    answer = master.get(f"/usage/?{query}")
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_claims_are_not_for_a_virtual_key(writer: JournalWriter, ledger: Ledger) -> None:
    _key, secret = issue_key(name="mine")
    caller = Client(headers={"Authorization": f"Bearer {secret}"})
    assert caller.get("/usage/?group_by=model").status_code == 200
    assert caller.get("/usage/?group_by=tag").status_code == 403
