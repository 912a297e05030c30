"""The Requests page: filters, order, pages by key, and calls that appear by themselves."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from tests.seeding import People, make_request, save, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app.tables import SORTABLE

FRAGMENT = {"HX-Request": "true"}


def test_pages_follow_each_other_without_gap_or_repetition_in_every_order(
    people: People, browse: Browse
) -> None:
    wanted = {row.pk for row in seed_requests(people, 130, 20)}
    client = browse(people.root)
    for column in SORTABLE:
        for sort in (column, f"-{column}"):
            seen: list[object] = []
            after = ""
            while True:
                page = client.get("/ui/requests/", {"sort": sort, "after": after}).context["rows_page"]
                seen += [row.pk for row in page.rows]
                after = page.older
                if not after:
                    break
            assert len(seen) == len(wanted), sort
            assert set(seen) == wanted, sort


def test_newer_leads_back_to_the_page_one_came_from(people: People, browse: Browse) -> None:
    seed_requests(people, 120, 20)
    client = browse(people.root)
    first = client.get("/ui/requests/").context["rows_page"]
    second = client.get("/ui/requests/", {"after": first.older}).context["rows_page"]
    back = client.get("/ui/requests/", {"before": second.newer}).context["rows_page"]
    assert [row.pk for row in back.rows] == [row.pk for row in first.rows]
    assert first.newer == ""


def test_a_name_that_the_client_says_is_not_shown_as_an_account(people: People, browse: Browse) -> None:
    at = clock.now() - timedelta(minutes=1)
    by_account = make_request(people.keys["search-lab"], at, end_user="alice")
    by_service = make_request(people.keys["checkout-prod"], at, user_id="", user_name="", end_user="alice")
    save([by_account, by_service])
    table = browse(people.root).get("/ui/requests/").context["table"]
    cells = {row.record.pk: row.get_cell("user") for row in table.rows}
    assert "alice" not in cells[by_account.pk]
    assert 'title="End user (as the client says): alice"' in cells[by_service.pk]
    assert '<span class="gh-mark">end user</span>' in cells[by_service.pk]


def test_no_page_counts_rows_and_the_number_of_queries_is_constant(people: People, browse: Browse) -> None:
    client = browse(people.root)
    counts = []
    for count in (3, 150):
        seed_requests(people, count, 20, seed=count)
        client.get("/ui/requests/")
        with CaptureQueriesContext(connection) as queries:
            client.get("/ui/requests/")
        counts.append(len(queries))
        assert not [each for each in queries if "COUNT(" in each["sql"].upper()]
    assert counts[0] == counts[1]
    assert counts[0] <= 12


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ({"model": "gpt-5"}, "model", "gpt-5"),
        ({"status": "error"}, "status", "error"),
        ({"stream": "0"}, "stream", False),
        ({"error_code": "rate_limited"}, "error_code", "rate_limited"),
        ({"environment": "test"}, "environment", "test"),
        ({"q": "session-7"}, "session", "session-7"),
    ],
)
def test_a_filter_shows_exactly_what_it_says(
    people: People, browse: Browse, query: dict[str, str], field: str, value: object
) -> None:
    rows = seed_requests(people, 250, 20)
    wanted = {row.pk for row in rows if getattr(row, field) == value}
    assert wanted
    context = browse(people.root).get("/ui/requests/", query).context
    found = {row.pk for row in context["rows_page"].rows}
    assert found <= wanted
    assert len(found) == min(50, len(wanted))


def test_an_id_finds_its_call(people: People, browse: Browse) -> None:
    row = seed_requests(people, 20, 5)[7]
    found = browse(people.root).get("/ui/requests/", {"q": str(row.pk)}).context["rows_page"].rows
    assert [each.pk for each in found] == [row.pk]


def test_the_tail_brings_only_calls_newer_than_the_top_row(people: People, browse: Browse) -> None:
    old = make_request(people.keys["search-lab"], clock.now() - timedelta(minutes=3))
    save([old])
    client = browse(people.root)
    query = {"fragment": "tail", "newest": str(old.pk)}
    assert (
        str(old.pk)
        not in client.get("/ui/requests/", query, headers=FRAGMENT).content.decode().split("<template>")[0]
    )
    new = make_request(people.keys["search-lab"], clock.now() - timedelta(seconds=1))
    save([new])
    text = client.get("/ui/requests/", query, headers=FRAGMENT).content.decode()
    assert f'data-id="{new.pk}"' in text
    assert f"newest={new.pk}" in text


def test_a_call_outside_the_range_is_not_listed(people: People, browse: Browse) -> None:
    old = make_request(people.keys["search-lab"], clock.now() - timedelta(days=3))
    save([old])
    client = browse(people.root)
    assert str(old.pk) not in client.get("/ui/requests/", {"range": "24h"}).content.decode()
    assert str(old.pk) in client.get("/ui/requests/", {"range": "7d"}).content.decode()


def test_what_a_client_names_itself_is_shown_as_text(people: People, browse: Browse) -> None:
    nasty = "<script>alert(1)</script>"
    row = make_request(
        people.keys["search-prod"], clock.now() - timedelta(minutes=1), end_user=nasty, session=nasty
    )
    save([row])
    client = browse(people.root)
    assert nasty not in client.get("/ui/requests/").content.decode()
    assert nasty not in client.get(f"/ui/requests/{row.pk}/").content.decode()


def test_a_broken_cursor_is_the_first_page(people: People, browse: Browse) -> None:
    seed_requests(people, 10, 5)
    for cursor in ("x", "1~2", "nan~zz", "~"):
        assert browse(people.root).get("/ui/requests/", {"after": cursor}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("status=foo", "Status “foo”"),
        ("status=ok&status=foo", "Status “foo”"),
        ("min_latency_ms=abc", "Latency from, ms “abc”"),
        ("max_cost_usd=NaN", "Cost under, $ “NaN”"),
        ("unpriced=0", "Without a price “0”"),
    ],
)
def test_a_filter_that_means_nothing_is_told_and_lists_nothing(
    people: People, browse: Browse, asked: str, told: str
) -> None:
    save([make_request(people.keys["search-prod"], clock.now())])
    client = browse(people.root)
    answer = client.get(f"/ui/requests/?range=24h&{asked}")
    text = answer.content.decode()
    assert answer.status_code == 400
    assert f"Not understood: {told}." in text
    assert "gh-chip" not in text
    assert 'id="request-rows"' not in text
    assert client.get(f"/ui/requests/?{asked}&fragment=count", headers=FRAGMENT).status_code == 400
    exported = {"kind": "requests", "format": "csv", "query": asked}
    assert client.post("/ui/exports/", exported).status_code == 400
