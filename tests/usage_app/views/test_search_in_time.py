"""What no index leads to is looked for for a second, whichever way a list is read, and goes on from there."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from tests.seeding import People, seed_requests
from tests.usage_app.views.conftest import Browse
from tests.usage_app.views.test_search import chosen, search
from usage_app import walking
from usage_app.paging import place
from usage_app.request_search import RequestSearch
from usage_app.sight import EVERYTHING, sight_of


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is up after every window."""
    monkeypatch.setattr(walking, "PATIENCE_S", -1.0)
    monkeypatch.setattr(walking, "WINDOW", 10)


def test_a_search_without_an_index_stops_in_time_and_goes_on_where_it_was(
    people: People, impatient: None
) -> None:
    rows = seed_requests(people, 95, 20)
    wanted = {row.pk for row in rows if row.error_code == "rate_limited"}
    assert wanted
    seen: set[Any] = set()
    after, steps = "", 0
    while True:
        found = search(f"error_code=rate_limited&after={after}").found()
        seen |= {row.pk for row in found.page.rows}
        steps += 1
        after = found.stopped_at
        if not after:
            break
    assert seen == wanted
    assert 9 <= steps <= 11


def slow_clock() -> Iterator[float]:
    """Every look at it 0.4 s later: a search has three windows' time."""
    return itertools.count(0.0, 0.4)


@pytest.mark.parametrize(
    ("sort", "way", "edge"),
    [
        ("-started", "after", ""),
        ("started", "after", ""),
        ("-started", "before", place(UUID(int=0))),
        ("started", "before", place(UUID(int=2**128 - 1))),
    ],
)
def test_whichever_way_a_list_is_read_it_stops_in_time_and_goes_on(
    people: People, monkeypatch: pytest.MonkeyPatch, sort: str, way: str, edge: str
) -> None:
    monkeypatch.setattr(walking, "WINDOW", 10)
    rows = seed_requests(people, 95, 20)
    wanted = sorted(row.pk for row in rows if row.error_code == "rate_limited")
    seen: list[Any] = []
    cursor, steps = edge, 0
    while True:
        clock_s = slow_clock().__next__
        with CaptureQueriesContext(connection) as queries:
            found = search(f"error_code=rate_limited&sort={sort}&{way}={cursor}", clock_s=clock_s).found()
        assert len(queries) <= 2 * 3
        assert found.goes_back is (way == "before")
        part = [row.pk for row in found.page.rows]
        seen = part + seen if way == "before" else seen + part
        steps += 1
        cursor = found.stopped_at
        if not cursor:
            break
    assert seen == (wanted if sort == "started" else wanted[::-1])
    assert steps == 4  # of ten windows


def test_ranking_stops_in_time_too(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "WINDOW", 10)
    rows = sorted(seed_requests(people, 95, 20), key=lambda row: row.pk, reverse=True)
    looked_at = [row for row in rows[:30] if row.error_code == "rate_limited"]
    for sort in ("-latency", "latency"):
        with CaptureQueriesContext(connection) as queries:
            question = f"error_code=rate_limited&sort={sort}"
            found = search(question, clock_s=slow_clock().__next__).found()
        assert len(queries) <= 2 * 3 + 2
        assert {row.pk for row in found.page.rows} == {row.pk for row in looked_at}
        assert found.stopped_at == place(rows[29].pk)


@pytest.mark.parametrize(
    ("query", "who", "is_exact"),
    [
        ("", "root", True),
        ("model=gpt-5", "root", True),
        ("session=session-7", "root", True),
        (f"q={UUID(int=7)}", "root", True),
        ("model=gpt-5&status=ok", "root", False),
        ("status=ok&status=error", "root", False),
        ("deployment=none", "root", False),
        ("q=gpt-5", "root", False),
        ("status=nonsense", "root", True),
        ("", "service", True),
        ("status=ok", "service", False),
        ("", "environment", False),
        ("", "member", True),
        ("status=ok", "member", False),
        ("", "manager", False),
    ],
)
def test_only_one_condition_with_an_index_leads_to_the_matches_alone(
    people: People, query: str, who: str, is_exact: bool
) -> None:
    sights = {"member": sight_of(people.charlie), "manager": sight_of(people.alice)}
    selections = {"service": chosen(service_id=str(people.checkout.pk)), "environment": chosen("test")}
    asked = RequestSearch(QueryDict(query), selections.get(who, chosen()), sights.get(who, EVERYTHING))
    assert asked.path.is_exact is is_exact


def test_what_no_index_leads_to_is_looked_for_among_what_just_came(
    people: People, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "WINDOW", 10)
    rows = sorted(seed_requests(people, 95, 20), key=lambda row: row.pk, reverse=True)
    with CaptureQueriesContext(connection) as queries:
        found = search("error_code=rate_limited").newer_than(None, 50)
    assert len(queries) == 2
    assert [row.pk for row in found] == [row.pk for row in rows[:10] if row.error_code == "rate_limited"]


def test_a_file_that_is_not_found_in_time_is_written_beside_the_ledger(
    people: People, browse: Browse, impatient: None
) -> None:
    seed_requests(people, 60, 20)
    client = browse(people.root)
    for query, address in (("environment=test", "/ui/exports/"), ("environment=&model=gpt-5", None)):
        asked = {"kind": "requests", "format": "csv", "query": query}
        assert client.post("/ui/exports/", asked).get("Location") == address


def test_the_api_answers_what_it_found_in_time_and_where_to_go_on(
    people: People, browse: Browse, impatient: None
) -> None:
    rows = seed_requests(people, 95, 20)
    since = (clock.now() - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    address: str | None = f"/api/v1/requests/?environment=test&status=ok&since={since}"
    seen: list[str] = []
    steps = 0
    while address:
        told = browse(people.root).get(address).json()
        seen += [row["id"] for row in told["results"]]
        address, steps = told["next"], steps + 1
    wanted = [str(row.pk) for row in rows if row.environment == "test" and row.status == "ok"]
    assert seen == sorted(wanted, reverse=True)
    assert steps > 3


def test_the_page_says_that_it_stopped_and_offers_to_continue(
    people: People, browse: Browse, impatient: None
) -> None:
    seed_requests(people, 60, 20)
    text = browse(people.root).get("/ui/requests/?error_code=rate_limited").content.decode()
    assert "stopped after a second" in text
    assert "Continue" in text
