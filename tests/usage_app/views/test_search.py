"""Searching calls: windows without an index, a second's patience, ranking, counts, views, columns."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gateway_project import clock
from tests.seeding import People, make_request, save, seed_people, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app import request_search, walking
from usage_app.filters import LIST_FILTERS
from usage_app.late_costs import charge_late
from usage_app.models import Adjustment, Request, SavedView
from usage_app.request_search import RequestSearch
from usage_app.selection import Selection
from usage_app.sight import EVERYTHING


def chosen(environment: str = "", service_id: str = "") -> Selection:
    now = clock.now()
    start = (now - timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    return Selection("7d", start, now, environment, service_id, True, "day")


def search(query: str, selection: Selection | None = None, clock_s: Any = None) -> RequestSearch:
    options = {"clock_s": clock_s} if clock_s else {}
    return RequestSearch(QueryDict(query), selection or chosen(), EVERYTHING, **options)


class EveryFilterFindsExactlyItsRows(TestCase):
    """Each example asks another question of the same rows."""

    rows: list[Request]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.people = seed_people()
        cls.rows = seed_requests(cls.people, 160, 40)
        for number, row in enumerate(cls.rows):
            row.tags = [["a"], ["a", "b"], [], ['say "b"']][number % 4]
            row.client = f"client-{number % 3}"
            row.usage_source = "provider" if number % 5 else "estimate"
        Request.objects.bulk_update(cls.rows, ["tags", "client", "usage_source"])

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        asked=st.dictionaries(
            st.sampled_from(
                [
                    "model",
                    "status",
                    "stream",
                    "tag",
                    "client",
                    "error_code",
                    "min_latency_ms",
                    "max_cost_usd",
                    "min_tokens",
                    "max_tokens",
                    "session",
                    "end_user",
                    "deployment",
                    "provider",
                    "user",
                    "usage_source",
                ]
            ),
            st.integers(0, 3),
            max_size=3,
        ),
        environment=st.sampled_from(["", "test", "production", "none"]),
        window=st.sampled_from([3, 40, 1000]),
        sort=st.sampled_from(["-started", "-cost", "latency", "started"]),
        several=st.booleans(),
    )
    def test_for_any_question(
        self, asked: dict[str, int], environment: str, window: int, sort: str, several: bool
    ) -> None:
        query = {}
        for name, place in asked.items():
            count = 2 if several and name in (*LIST_FILTERS, "status") else 1
            query[name] = [VALUES[name][each % len(VALUES[name])] for each in range(place, place + count)]
        wanted = {
            row.pk
            for row in self.rows
            if all(any(HOLDS[name](row, text) for text in texts) for name, texts in query.items())
        }
        if environment:
            named = "" if environment == "none" else environment
            wanted &= {row.pk for row in self.rows if row.environment == named}
        seen: list[Any] = []
        after = ""
        before, walking.WINDOW = walking.WINDOW, window
        try:
            while True:
                question = QueryDict(mutable=True)
                for name, texts in {**query, "sort": [sort], "after": [after]}.items():
                    question.setlist(name, texts)
                asked_for = RequestSearch(question, chosen(environment), EVERYTHING, clock_s=lambda: 0.0)
                found = asked_for.found()
                seen += [row.pk for row in found.page.rows]
                after = found.page.older or found.stopped_at
                if not after:
                    break
        finally:
            walking.WINDOW = before
        assert len(seen) == len(set(seen))
        assert set(seen) == wanted
        if sort in ("started", "-started"):
            assert seen == sorted(seen, reverse=sort == "-started")
        question = QueryDict(mutable=True)
        for name, texts in query.items():
            question.setlist(name, texts)
        everything = RequestSearch(question, chosen(environment), EVERYTHING)
        assert [row.pk for row in everything.newest_first()] == sorted(wanted, reverse=True)
        count = everything.count()
        assert count.more or count.calls == len(wanted)


VALUES: dict[str, list[str]] = {
    "model": ["gpt-5", "claude-opus-4-1", "nothing"],
    "status": ["ok", "error", "refused"],
    "stream": ["0", "1"],
    "tag": ["a", "b", 'say "b"', "A"],
    "client": ["client-0", "client-1", "none"],
    "error_code": ["rate_limited", "x"],
    "min_latency_ms": ["900", "2500.5"],
    "max_cost_usd": ["0.001", "0.01"],
    "min_tokens": ["500", "3000"],
    "max_tokens": ["700", "0"],
    "session": ["session-7", "session-8"],
    "end_user": ["none", "x"],
    "deployment": ["none", "deployment-gpt-5-2025-08-07"],
    "provider": ["openai", "anthropic", "none"],
    "user": ["none", "x"],
    "usage_source": ["provider", "estimate"],
}
HOLDS: dict[str, Any] = {
    "model": lambda row, text: row.model == text,
    "status": lambda row, text: row.status == text,
    "stream": lambda row, text: row.stream == (text == "1"),
    "tag": lambda row, text: text in row.tags,
    "client": lambda row, text: row.client == ("" if text == "none" else text),
    "error_code": lambda row, text: row.error_code == text,
    "min_latency_ms": lambda row, text: (row.latency_ms or 0) >= float(text),
    "max_cost_usd": lambda row, text: (
        row.cost_nanodollars is not None and row.cost_nanodollars < float(text) * 10**9
    ),
    "min_tokens": lambda row, text: (row.input_tokens or 0) + (row.output_tokens or 0) >= int(text),
    "max_tokens": lambda row, text: (row.input_tokens or 0) + (row.output_tokens or 0) < int(text),
    "session": lambda row, text: row.session == text,
    "end_user": lambda row, text: row.end_user == ("" if text == "none" else text),
    "deployment": lambda row, text: row.deployment_id == ("" if text == "none" else text),
    "provider": lambda row, text: (
        row.provider_id == "" if text == "none" else text in (row.provider, row.provider_id)
    ),
    "user": lambda row, text: row.user_id == ("" if text == "none" else text),
    "usage_source": lambda row, text: row.usage_source == text,
}


def test_ranking_is_over_the_newest_matches_and_says_so(
    people: People, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_search, "RANKED", 20)
    rows = sorted(seed_requests(people, 60, 20), key=lambda row: row.pk, reverse=True)[:20]
    page = browse(people.root).get("/ui/requests/?sort=-cost")
    best = max(rows, key=lambda row: row.cost_nanodollars or -1)
    assert page.context["rows_page"].rows[0].pk == best.pk
    assert len(page.context["rows_page"].rows) == 20
    assert "Ranked among the newest" in page.content.decode()


def make_calls_that_cost_later(people: People) -> dict[str, Request]:
    """Calls by what they cost in the end, in dollars, and how: of the row, and of what came later."""
    key, now = people.keys["search-lab"], clock.now()
    rows = {
        name: make_request(key, now - timedelta(minutes=number), cost_nanodollars=cost)
        for number, (name, cost) in enumerate(
            {"5 late": 1 * 10**9, "3 own": 3 * 10**9, "2 late alone": None, "1 waiting": 1 * 10**9}.items(), 2
        )
    }
    save(rows.values())
    for name, cause, dollars, applied in (
        ("5 late", "video", 3, True),
        ("5 late", "tool", 1, True),
        ("2 late alone", "video", 2, True),
        ("1 waiting", "video", 8, False),
    ):
        Adjustment.objects.create(
            request_id=rows[name].pk,
            cause=cause,
            cost_nanodollars=dollars * 10**9,
            at=now,
            is_applied=applied,
        )
    return rows


def names_found(query: str, rows: dict[str, Request]) -> list[str]:
    names = {row.pk: name for name, row in rows.items()}
    return [names[row.pk] for row in search(query).found().page.rows]


def test_ranking_by_cost_counts_what_came_later(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_calls_that_cost_later(people)
    ranked = ["5 late", "3 own", "2 late alone", "1 waiting"]
    assert names_found("sort=-cost", rows) == ranked
    assert names_found("sort=cost", rows) == ranked[::-1]
    monkeypatch.setattr(request_search, "PAGE_SIZE", 2)
    first = search("sort=-cost").found().page
    assert names_found(f"sort=-cost&after={first.older}", rows) == ranked[2:]


@pytest.mark.parametrize("query", ["", "model=gpt-5", "error_code=rate_limited&model=gpt-5"])
@pytest.mark.parametrize("sort", ["-cost", "cost", "-latency", "ttft", "-input_tokens"])
def test_a_ranking_is_in_order_forth_and_back(
    people: People, monkeypatch: pytest.MonkeyPatch, query: str, sort: str
) -> None:
    monkeypatch.setattr(request_search, "PAGE_SIZE", 7)
    monkeypatch.setattr(walking, "WINDOW", 10)
    for number, row in enumerate(seed_requests(people, 95, 20)):
        if number % 3 == 0:
            late = {"cost_nanodollars": number * 10**6, "at": clock.now(), "is_applied": number % 2 == 0}
            Adjustment.objects.create(request_id=row.pk, cause="video", **late)
    matches = list(search(query, clock_s=lambda: 0.0).matches)
    charge_late(matches)
    field = {"cost": "cost_nanodollars", "latency": "latency_ms", "ttft": "ttft_ms"}.get(sort.strip("-"))

    def place_of(row: Request) -> tuple[float, UUID]:
        value = getattr(row, field or sort.strip("-"))
        return (-1.0 if value is None else float(value), row.pk)

    wanted = [row.pk for row in sorted(matches, key=place_of, reverse=sort.startswith("-"))]
    forth, back, at = [], [], ""
    while True:
        page = search(f"{query}&sort={sort}&after={at}", clock_s=lambda: 0.0).found().page
        forth += [row.pk for row in page.rows]
        if not page.older:
            break
        at = page.older
    at = page.newer
    while at:
        before = search(f"{query}&sort={sort}&before={at}", clock_s=lambda: 0.0).found().page
        back = [row.pk for row in before.rows] + back
        at = before.newer
    assert forth == wanted
    assert back == wanted[: -len(page.rows)]


@pytest.mark.parametrize(
    ("bounds", "within"),
    [
        ("min_cost_usd=2", ["5 late", "3 own", "2 late alone"]),
        ("max_cost_usd=3", ["2 late alone", "1 waiting"]),
        ("min_cost_usd=3&max_cost_usd=5.5", ["5 late", "3 own"]),
        ("min_cost_usd=6", []),
    ],
)
def test_bounds_of_cost_count_what_came_later_on_the_page_and_in_files(
    people: People, bounds: str, within: list[str]
) -> None:
    rows = make_calls_that_cost_later(people)
    assert names_found(bounds, rows) == within
    assert names_found(f"{bounds}&sort=-cost", rows) == within
    assert [row.pk for row in search(bounds).newest_first()] == [rows[name].pk for name in within]


def test_only_a_question_about_cost_looks_at_what_came_later(people: People) -> None:
    make_calls_that_cost_later(people)
    for query, looks in (
        ("", False),
        ("sort=-latency", False),
        ("sort=-cost", True),
        ("min_cost_usd=1", True),
    ):
        with CaptureQueriesContext(connection) as queries:
            search(query).found()
        assert any("usage_app_adjustment" in each["sql"] for each in queries) is looks, query


def test_what_the_sums_can_tell_is_counted_by_them(people: People, browse: Browse) -> None:
    rows = seed_requests(people, 60, 20)
    headers = {"HX-Request": "true"}
    client = browse(people.root)
    text = client.get("/ui/requests/?fragment=count&model=gpt-5", headers=headers).content.decode()
    assert f"{sum(row.model == 'gpt-5' for row in rows)} calls, $" in text
    assert "without a price" not in text
    text = client.get("/ui/requests/?fragment=count&model=house-llama", headers=headers).content.decode()
    unknown = sum(row.model == "house-llama" and row.cost_nanodollars is None for row in rows)
    assert f"{unknown} of them without a price" in text


def test_what_they_cannot_is_counted_so_far(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    seed_requests(people, 60, 20)
    monkeypatch.setattr(request_search, "COUNTED", 3)
    session = Request.objects.values_list("session", flat=True)[0]
    Request.objects.update(session=session)
    count = search(f"session={session}").count()
    assert (count.calls, count.more, count.totals) == (3, True, None)


def test_what_no_index_leads_to_is_counted_as_far_as_it_is_found_in_time(people: People) -> None:
    seed_requests(people, 60, 20)
    in_time = search("tag=demo").count()
    assert (in_time.calls, in_time.more) == (0, False)
    Request.objects.update(tags=["demo"])
    assert (search("tag=demo").count().calls, search("tag=demo").count().more) == (60, False)


def test_a_range_that_ended_between_two_quarters_is_counted(people: People) -> None:
    rows = seed_requests(people, 60, 20)
    over = Selection("custom", chosen().since, max(row.started_at for row in rows), "", "", False, "day")
    counted = search("model=gpt-5&status=ok", over).count()
    wanted = [
        row for row in rows if (row.model, row.status) == ("gpt-5", "ok") and row.started_at < over.until
    ]
    assert (counted.calls, counted.more) == (len(wanted), False)


def test_calls_without_a_price_are_counted_by_the_sums(people: People) -> None:
    rows = seed_requests(people, 60, 20)
    unknown = [row for row in rows if row.model == "house-llama" and row.cost_nanodollars is None]
    with CaptureQueriesContext(connection) as queries:
        counted = search("unpriced=1&model=house-llama").count()
    assert (counted.calls, counted.totals) == (len(unknown), None)
    assert not any('FROM "usage_app_request"' in each["sql"] for each in queries)


def test_chosen_columns_are_shown_and_remembered(people: People, browse: Browse) -> None:
    save([make_request(people.keys["search-lab"], clock.now() - timedelta(minutes=2), session="s-1")])
    client = browse(people.root)
    text = client.get("/ui/requests/?columns=model&columns=session").content.decode()
    assert 'class="col-session"' in text
    assert 'class="col-key"' not in text
    assert 'class="col-session"' in client.get("/ui/requests/").content.decode()
    assert 'class="col-key"' in client.get("/ui/requests/?columns=nonsense").content.decode()


def test_a_view_is_saved_under_a_name_opened_and_forgotten_by_its_owner_alone(
    people: People, browse: Browse
) -> None:
    client = browse(people.bob)
    answer = client.post("/ui/requests/views/", {"name": "slow ones", "query": "?min_latency_ms=900&after=x"})
    assert answer["Location"] == "/ui/requests/?min_latency_ms=900"
    text = client.get("/ui/requests/").content.decode()
    assert "slow ones" in text
    assert 'href="?min_latency_ms=900"' in text
    view = SavedView.objects.get()
    assert "slow ones" not in browse(people.root).get("/ui/requests/").content.decode()
    assert browse(people.root).post(f"/ui/requests/views/{view.pk}/").status_code == 404
    assert client.post(f"/ui/requests/views/{view.pk}/").status_code == 302
    assert not SavedView.objects.exists()


def test_the_zone_of_the_ranges_is_the_reporting_one(people: People, browse: Browse) -> None:
    page = browse(people.root).get("/ui/requests/?since=2026-11-01T00:00&until=2026-11-02T00:00")
    since = page.context["selection"].since
    assert since.astimezone(ZoneInfo(page.context["zone"])).hour == 0


def in_form(text: str, name: str) -> dict[str, bool]:
    """A list's values in the filter's form, and whether they are chosen."""
    boxes = re.findall(rf'name="{name}" value="([^"]*)" (checked)?>', text)
    return {value: bool(checked) for value, checked in boxes}


def test_a_list_of_the_form_keeps_all_that_the_address_names(people: People, browse: Browse) -> None:
    """What the range does not hold is kept too, and can be taken back; what is counted is what is listed."""
    key, at = people.keys["search-prod"], clock.now() - timedelta(seconds=1)
    rows = [make_request(key, at, model=name) for name in ("gpt-5", "gpt-5", "gpt-5-mini", "sandbox")]
    save(rows)
    client = browse(people.root)
    asked = {"model": ["gpt-5", "sandbox", "gone"], "key": [str(key.pk), str(people.keys["search-lab"].pk)]}
    as_part = {"headers": {"HX-Request": "true"}}
    form = client.get("/ui/requests/", {**asked, "fragment": "choices"}, **as_part).content.decode()
    assert in_form(form, "model") == {"gone": True, "gpt-5": True, "sandbox": True, "gpt-5-mini": False}
    assert in_form(form, "key") == dict.fromkeys(asked["key"], True)
    assert ">search-lab</span>" in form
    assert not any(in_form(form, "user").values())
    assert len(client.get("/ui/requests/", asked).context["rows_page"].rows) == 3
    counted = client.get("/ui/requests/", {**asked, "fragment": "count"}, **as_part).content.decode()
    assert counted.split()[0] == "3"


def test_of_a_filter_that_takes_one_value_the_last_is_told_and_narrows(
    people: People, browse: Browse
) -> None:
    key, at = people.keys["search-prod"], clock.now() - timedelta(seconds=1)
    save([make_request(key, at, session=name) for name in ("a", "b")])
    page = browse(people.root).get("/ui/requests/", {"session": ["a", "b"]})
    assert [row.session for row in page.context["rows_page"].rows] == ["b"]
    assert [value for _name, _label, value in page.context["filter"].active] == ["b"]


def test_a_value_that_no_database_takes_means_nothing(people: People, browse: Browse) -> None:
    assert browse(people.root).get("/ui/requests/", {"model": ["a", "b\0"]}).status_code == 400
