"""However calls are summed (table, total, chart, file, API, list), it is what the ledger's rows cost."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils.html import strip_tags
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gateway_project.clock import now
from keys_app.models import User
from tests.usage_app.views.agreeing import (
    COLUMNS,
    FIGURES,
    QUARTER,
    REACH,
    VALUES,
    ZONES,
    Figures,
    House,
    added,
    build,
    claimed_by,
    middles,
    rows_of,
    snapped,
    told,
    whole_days,
)
from tests.usage_app.views.reading import (
    FORMATS,
    chart_sum,
    count_under,
    exact_amounts,
    read_export,
    summed,
    table_rows,
)
from usage_app.figures import money
from usage_app.pivot import DIMENSIONS
from usage_app.reports_claims import CLAIM_COLUMNS, CLAIMS, UNKNOWN_OF_CLAIMS
from usage_app.reports_reading import DIMENSION_COLUMNS
from usage_app.sight import Sight, sight_of
from usage_app.usage_question import INTERVALS

MEASURES = {
    "spend": lambda sums: sums["cost_nanodollars"],
    "requests": lambda sums: sums["requests"],
    "tokens": lambda sums: sums["input_tokens"] + sums["output_tokens"],
    "errors": lambda sums: sums["errors"],
}
ROW_FIGURES = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nanodollars",
)
CLAIM_FIGURES = tuple(name for name in FIGURES if name not in UNKNOWN_OF_CLAIMS)
MIDDLES = {zone: middles(zone) for zone in ZONES}
#: A house is rebuilt for every example, so a failure is told as it was found: shrinking would take minutes.
checked = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


@dataclass(frozen=True)
class Case:
    """A house, who looks, and at what range of it."""

    house: House
    viewer: str
    since: datetime
    until: datetime

    @property
    def range(self) -> dict[str, str]:
        return {"since": self.since.isoformat(), "until": self.until.isoformat()}


@st.composite
def cases(draw: Any) -> Case:
    """Ranges of whole local days, of quarters of an hour, and of any seconds, however old."""
    zone = draw(st.sampled_from(ZONES))
    middle = draw(st.sampled_from(MIDDLES[zone]))
    prunes = draw(st.booleans()) and now() - middle > timedelta(days=2 * REACH)
    calls, moved = draw(st.integers(40, 90)), draw(st.sampled_from([False, False, True]))
    house = House(draw(st.integers(0, 10**6)), zone, middle, calls, prunes, moved)
    kinds = ["days", "quarters", "odd"]
    kind = draw(st.sampled_from([*kinds, "until now"] if prunes else kinds))
    if kind in ("days", "until now"):
        first = (middle + draw(st.integers(-REACH, REACH)) * timedelta(days=1)).astimezone(house.here).date()
        last = first + timedelta(days=draw(st.integers(1, REACH)))
        since, until = (datetime(*day.timetuple()[:3], tzinfo=house.here) for day in (first, last))
        if kind == "until now":
            until = snapped(now() - draw(st.integers(0, 96)) * QUARTER, now())[0]
    else:
        length = draw(st.sampled_from([97, 300, 700, 500, 200, 40, 3]))
        since = middle + draw(st.integers(-length, REACH * 24)) * QUARTER
        until = since + length * QUARTER
        if kind == "odd":
            since += timedelta(seconds=draw(st.integers(1, 899)))
            until += timedelta(seconds=draw(st.integers(0, 899)), milliseconds=1)
    viewer = draw(st.sampled_from(["root", "root", "root", "alice", "bob"]))
    return Case(house, viewer, since.astimezone(UTC), until.astimezone(UTC))


def some_of(draw: Any, *names: str) -> dict[str, str]:
    """Filters over some of the names."""
    count = draw(st.sampled_from([0, 1, 0, 1, 2]))
    chosen = draw(st.sets(st.sampled_from(names), min_size=count, max_size=count))
    return {name: draw(st.sampled_from(VALUES[name])) for name in sorted(chosen)}


def addressed(filters: dict[str, str]) -> dict[str, str]:
    """Filters as a page's address has them; those of the window are always said, so none is remembered."""
    named = {name: value or "none" for name, value in filters.items()}
    return {"environment": "", "service": "", **named}


def claimed(rows: list[Any], kind: str, second: str) -> dict[tuple[str, ...], list[Any]]:
    """Rows by what they claim, and by a second dimension; a row may stand under several claims."""
    found: dict[tuple[str, ...], list[Any]] = {}
    for row, late in rows:
        for value in claimed_by(row, kind):
            ids = (value, getattr(row, COLUMNS[second])) if second else (value,)
            found.setdefault(ids, []).append((row, late))
    return found


def folded(figures: dict[tuple[str, ...], Figures]) -> dict[tuple[str, ...], Figures]:
    """By the first of two dimensions alone."""
    found: dict[tuple[str, ...], list[Figures]] = {}
    for ids, each in figures.items():
        found.setdefault(ids[:1], []).append(each)
    return {ids: summed(those) for ids, those in found.items()}


def figures_of(totals: Any) -> Figures:
    return {name: getattr(totals, name) for name in CLAIM_FIGURES}


@pytest.mark.django_db  # on PostgreSQL too
class SumsAgree(TestCase):
    """Each example has a house of its own."""

    def enter(self, case: Case) -> tuple[Client, User]:
        viewer = build(case.house)[case.viewer]
        client = Client()
        client.force_login(viewer)
        return client, viewer

    def api(self, client: Client, asked: dict[str, str]) -> tuple[Figures, Figures]:
        """The API's total and the sum of its lines; refused where hours are asked that are not kept."""
        answer = client.get("/api/v1/usage/", asked)
        assert answer.status_code == 200, answer.content
        told = answer.json()
        return {name: told["total"][name] for name in FIGURES}, summed(told["results"])

    @checked
    @given(case=cases(), data=st.data())
    def test_the_usage_page_its_chart_its_files_and_the_api(self, case: Case, data: Any) -> None:
        client, viewer = self.enter(case)
        filters = some_of(data.draw, "environment", "service")
        first, second = data.draw(st.permutations(list(DIMENSIONS)))[:2]
        second = data.draw(st.sampled_from(["", second]))
        columns = data.draw(st.sampled_from(["", "second", *INTERVALS]))
        measure = data.draw(st.sampled_from(list(MEASURES)))
        asked = {"by": first, "and": second, "columns": columns, "measure": measure}
        query = urlencode({**case.range, **addressed(filters), **asked, "compare": "1"})
        wanted = added(rows_of(*told(case.house, case.since, case.until), filters, sight_of(viewer)))
        page = client.get(f"/ui/usage/?{query}")
        self.check_what_is_said(page, case)
        self.check_usage_page(page, measure, wanted)
        for file_format in FORMATS:
            assert summed(read_export(client, "usage", query, file_format)) == wanted, file_format
        if all(filters.values()):
            grouping = {"group_by": ",".join(filter(None, (first, second)))}
            assert self.api(client, {**case.range, **filters, **grouping}) == (wanted, wanted)

    def check_what_is_said(self, page: Any, case: Case) -> None:
        """A range that is shown for another says so; one that is snapped alone does not."""
        low, high = told(case.house, case.since, case.until)
        chosen = page.context["selection"]
        assert snapped(chosen.since, chosen.until) == (low, high)
        is_wider = (low, high) != snapped(case.since, case.until)
        assert ("whole days are known, and nothing finer" in page.content.decode()) is is_wider

    def check_usage_page(self, page: Any, measure: str, wanted: Figures) -> None:
        text, context = page.content.decode(), page.context
        assert {name: getattr(context["totals"], name) for name in FIGURES} == wanted
        assert chart_sum(text) == MEASURES[measure](wanted)
        rows, foot = table_rows(text, "usage")
        assert bool(rows) is bool(wanted["requests"])
        if not rows:
            return
        lines = [exact_amounts(row) for row in rows] if measure == "spend" else []
        if context["by_figures"]:
            spent = wanted["cost_nanodollars"]
            assert sum(exact_amounts(row)[0] for row in rows) == exact_amounts(foot)[0] == spent
            for label, name in (
                ("Requests", "requests"),
                ("Failed", "errors"),
                ("Tokens in", "input_tokens"),
                ("Tokens out", "output_tokens"),
            ):
                assert sum(count_under(row, label) for row in rows) == wanted[name], label
                assert count_under(foot, label) == wanted[name], label
        elif measure == "spend":
            summed_up = [sum(column) for column in zip(*lines, strict=True)]
            assert summed_up == exact_amounts(foot)
            assert summed_up[0] == sum(summed_up[1:]) == wanted["cost_nanodollars"]
        cells = context["table"].foot.cells
        assert not cells or sum(cells) == MEASURES[measure](wanted)

    @checked
    @given(case=cases(), data=st.data())
    def test_the_list_of_calls_its_count_its_files_and_the_api(self, case: Case, data: Any) -> None:
        client, viewer = self.enter(case)
        filters = some_of(data.draw, *VALUES)
        query = urlencode({**case.range, **addressed(filters)})
        rows = rows_of(case.since, case.until, filters, sight_of(viewer))
        wanted = added(rows)
        self.check_list(client, query, rows, wanted)
        ids = sorted(str(row.pk) for row, _late in rows)
        for file_format in FORMATS:
            lines = read_export(client, "requests", query, file_format)
            assert sorted(line["id"] for line in lines) == ids, file_format
            assert summed(lines, ROW_FIGURES) == {name: wanted[name] for name in ROW_FIGURES}, file_format
            assert sum(int(line["repeated"]) for line in lines) == wanted["requests"]
        if not all(filters.values()):
            return
        listed = client.get("/api/v1/requests/", {**case.range, **filters, "limit": "500"}).json()["results"]
        assert sorted(row["id"] for row in listed) == ids
        assert summed(listed, ROW_FIGURES) == {name: wanted[name] for name in ROW_FIGURES}
        group = data.draw(st.sampled_from(list(DIMENSION_COLUMNS)))
        asked = {**case.range, **filters, "group_by": group}
        asked["interval"] = data.draw(st.sampled_from(["quarter", "hour", "day"]))
        if asked["interval"] != "day" and case.until - case.since > timedelta(days=8):
            del asked["interval"]
        elif asked["interval"] != "day" and case.house.prunes:
            assert client.get("/api/v1/usage/", asked).status_code == 400
            del asked["interval"]
        whole = added(rows_of(*told(case.house, case.since, case.until), filters, sight_of(viewer)))
        assert self.api(client, asked) == (whole, whole)

    def check_list(self, client: Client, query: str, rows: list[Any], wanted: Figures) -> None:
        """Page after page as it is drawn, and the count above it."""
        shown: list[str] = []
        amounts: list[int] = []
        after = ""
        while True:
            page = client.get(f"/ui/requests/?{query}&after={after}")
            lines, _foot = table_rows(page.content.decode(), "requests")
            shown += [str(row.pk) for row in page.context["rows_page"].rows]
            amounts += [amount for line in lines for amount in exact_amounts(line)]
            after = page.context["rows_page"].older or page.context["found"].stopped_at
            if not after:
                break
        assert sorted(shown) == sorted(str(row.pk) for row, _late in rows)
        assert sum(amounts) == wanted["cost_nanodollars"]
        counted = client.get(f"/ui/requests/?{query}&fragment=count", headers={"HX-Request": "true"}).context
        totals = counted["counted"].totals
        if totals is not None:
            assert {name: getattr(totals, name) for name in FIGURES} == wanted

    @checked
    @given(case=cases(), data=st.data())
    def test_what_callers_claim_on_the_page_in_its_files_and_over_the_api(
        self, case: Case, data: Any
    ) -> None:
        client, viewer = self.enter(case)
        filters = some_of(data.draw, "environment", "service")
        kind = data.draw(st.sampled_from(list(CLAIMS)))
        second = data.draw(st.sampled_from(["", *CLAIM_COLUMNS]))
        columns = data.draw(st.sampled_from(["", "second", "day", "week", "month"]))
        query = {**case.range, **addressed(filters), "by": kind, "and": second, "columns": columns}
        asked = {**case.range, **filters, "group_by": ",".join(filter(None, (kind, second)))}
        sight = sight_of(viewer)
        page = client.get("/ui/usage/", query)
        if not sight.everything and not sight.service_ids:
            assert page.context["question"].first == "model"
            assert client.get("/api/v1/usage/", asked).status_code == 403
            return
        of_services = sight if sight.everything else Sight(service_ids=sight.service_ids)
        days = whole_days(case.house, *told(case.house, case.since, case.until))
        rows = rows_of(*days, filters, of_services)
        wanted = {ids: added(those) for ids, those in claimed(rows, kind, second).items()}
        whole = added([each for each in rows if claimed_by(each[0], kind)])
        if kind == "tag":  # a call may have several: they are parts of all calls
            whole = added(rows_of(*told(case.house, *days), filters, of_services))
        self.check_claims(page, wanted, whole)
        parts = summed(wanted.values(), CLAIM_FIGURES)
        for file_format in FORMATS:
            lines = read_export(client, "usage", urlencode(query), file_format)
            assert summed(lines, CLAIM_FIGURES) == parts, file_format
        if all(filters.values()):
            asked |= {"interval": "day"} if columns in INTERVALS else {}
            answer = client.get("/api/v1/usage/", asked).json()
            assert [answer["since"], answer["until"]] == [at.isoformat() for at in days]
            assert summed(answer["results"], CLAIM_FIGURES) == parts
            assert summed([answer["total"]], CLAIM_FIGURES) == summed([whole], CLAIM_FIGURES)
            assert not any(row[name] for row in answer["results"] for name in UNKNOWN_OF_CLAIMS)

    def check_claims(self, page: Any, wanted: dict[tuple[str, ...], Figures], whole: Figures) -> None:
        """Each line of the table, and the foot that they are parts of."""
        lines = {line.row.ids: line.totals for line in page.context["rows"]}
        if page.context["question"].columns == "second":
            wanted = folded(wanted)
        assert {ids: figures_of(totals) for ids, totals in lines.items()} == {
            ids: {name: each[name] for name in CLAIM_FIGURES} for ids, each in wanted.items()
        }
        assert figures_of(page.context["totals"]) == {name: whole[name] for name in CLAIM_FIGURES}

    @checked
    @given(case=cases(), data=st.data())
    def test_the_overview_its_chart_and_its_month(self, case: Case, data: Any) -> None:
        client, viewer = self.enter(case)
        filters = some_of(data.draw, "environment", "service")
        by = data.draw(st.sampled_from(list(DIMENSIONS)))
        measure = data.draw(st.sampled_from(list(MEASURES)))
        query = {**case.range, **addressed(filters), "by": by, "measure": measure}
        page = client.get("/ui/", query)
        sight = sight_of(viewer)
        wanted = added(rows_of(*told(case.house, case.since, case.until), filters, sight))
        self.check_what_is_said(page, case)
        assert {name: getattr(page.context["totals"], name) for name in FIGURES} == wanted
        if not page.context["is_empty"]:
            assert chart_sum(page.content.decode()) == MEASURES[measure](wanted)
        lines = page.context["rows"]
        for name in ("requests", "cost_nanodollars", "errors", "input_tokens", "output_tokens"):
            assert sum(getattr(line.totals, name) for line in lines) == wanted[name], name
        month = now().astimezone(case.house.here).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        so_far = added(rows_of(*told(case.house, month, now()), filters, sight))["cost_nanodollars"]
        assert page.context["month"].spent.cost_nanodollars == so_far
        if not page.context["is_empty"]:
            assert f"This month {money(so_far)}" in strip_tags(page.content.decode())
