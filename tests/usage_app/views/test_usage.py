"""The Usage page: whatever is asked, the lines, the columns, the chart, the file and the rows agree."""

import csv
import io
import json
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from gateway_project import clock
from tests.seeding import People, make_request, save, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app import figures, pivot
from usage_app.models import ClaimRollup, ReportingSeries, Request
from usage_app.pivot import ALL_DIMENSIONS, CLAIM_DIMENSIONS, DIMENSIONS


def export(client: Any, query: str, file_format: str) -> bytes:
    answer = client.post("/ui/exports/", {"kind": "usage", "format": file_format, "query": query})
    assert answer.status_code == 200, answer
    assert "attachment" in answer["Content-Disposition"]
    return bytes(answer.content)


def read_csv(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("columns", ["", "hour", "day", "week", "month", "second"])
def test_lines_columns_chart_and_file_sum_to_what_the_rows_cost(
    people: People, browse: Browse, columns: str
) -> None:
    rows = seed_requests(people, 120, 40)
    wanted = sum(row.cost_nanodollars or 0 for row in rows)
    client = browse(people.root)
    for first, second in (("model", "service"), ("key", "environment"), ("user", "provider")):
        query = f"range=7d&by={first}&and={second}&columns={columns}"
        context = client.get(f"/ui/usage/?{query}").context
        table = context["table"]
        assert context["totals"].cost_nanodollars == wanted
        assert sum(line.totals.cost_nanodollars for line in table.rows) == wanted
        if columns:
            assert sum(table.foot.cells) == wanted
            for line in table.rows:
                assert sum(line.cells) == line.totals.cost_nanodollars
        layers = context["chart"]["layers"]
        assert sum(sum(layer["values"]) for layer in layers) == wanted
        lines = read_csv(export(client, query, "csv"))
        assert sum(int(line["cost_nanodollars"]) for line in lines) == wanted
        assert sum(Decimal(line["cost_usd"]) for line in lines) == Decimal(wanted) / 10**9
        assert sum(int(line["requests"]) for line in lines) == len(rows)


def test_a_cell_opens_exactly_its_calls(people: People, browse: Browse) -> None:
    seed_requests(people, 90, 20)
    client = browse(people.root)
    context = client.get("/ui/usage/?range=7d&by=service&and=model&columns=day&measure=requests").context
    opened = 0
    for line in context["rows"]:
        for shown, cell in zip(line.cells, line.row.cells, strict=True):
            if not cell:
                assert shown.link == ""
                continue
            page = client.get(f"/ui/requests/?{urlsplit(shown.link).query}")
            assert page.status_code == 200
            assert len(page.context["rows_page"].rows) == min(50, cell), shown.link
            opened += 1
    assert opened > 5


def test_what_has_no_user_is_a_line_that_opens_its_calls(people: People, browse: Browse) -> None:
    seed_requests(people, 40, 5)
    client = browse(people.root)
    lines = client.get("/ui/usage/?by=user").context["rows"]
    nobody = next(line for line in lines if line.row.ids == ("",))
    page = client.get(f"/ui/requests/?{urlsplit(nobody.link).query}")
    assert {row.user_id for row in page.context["rows_page"].rows} == {""}


def test_the_parts_of_a_total_are_the_total(people: People, browse: Browse) -> None:
    at = clock.now() - timedelta(minutes=5)
    key = people.keys["search-prod"]
    rows = [
        make_request(key, at, cost_nanodollars=7_000),
        make_request(key, at, cost_nanodollars=500, usage_source="estimate"),
        make_request(key, at, cost_nanodollars=30, usage_source="estimate", status="interrupted"),
        make_request(key, at, cost_nanodollars=None, model="house-llama"),
    ]
    for row in rows:
        row.estimated_cost_nanodollars = row.cost_nanodollars if row.usage_source == "estimate" else 0  # type: ignore[attr-defined]
    save(rows)
    client = browse(people.root)
    answer = client.get("/ui/usage/")
    assert [part[2] for part in answer.context["parts"]] == [
        figures.exact_money(7_000),
        figures.exact_money(500),
        figures.exact_money(30),
    ]
    assert "1 call, in no sum" in answer.content.decode()
    for (*_part, link), amount in zip(answer.context["parts"], (7_000, 500, 30), strict=True):
        opened = client.get(f"/ui/usage/{link}".replace("usage/../", "")).context["rows_page"].rows
        assert sum(row.cost_nanodollars or 0 for row in opened) == amount, link


def test_compared_lines_tell_the_period_before(people: People, browse: Browse) -> None:
    now, key = clock.now(), people.keys["search-prod"]
    save([make_request(key, now - timedelta(hours=30), cost_nanodollars=1_000)])
    save([make_request(key, now - timedelta(hours=2), cost_nanodollars=1_500)])
    save([make_request(key, now - timedelta(hours=2), model="gpt-5-mini", cost_nanodollars=1)])
    save([make_request(key, now - timedelta(hours=2), model="sandbox", cost_nanodollars=0)])
    save([make_request(key, now - timedelta(hours=30), model="sandbox", cost_nanodollars=0)])
    context = browse(people.root).get("/ui/usage/?range=24h&compare=1").context
    told = [(line.row.names[0], line.before, plain(line.change)) for line in context["rows"]]
    assert told == [
        ("gpt-5", "$0.000001", "+50 %"),
        ("gpt-5-mini", "$0.00", "new"),
        ("sandbox", "$0.00", "±0 %"),
    ]
    assert (context["foot"].before, plain(context["foot"].change)) == ("$0.000001", "+50 %")
    by_calls = browse(people.root).get("/ui/usage/?range=24h&compare=1&measure=requests").context
    assert [line.before for line in by_calls["rows"]] == ["1", "0", "1"]  # of what is compared


def test_what_is_beyond_the_largest_lines_is_compared_too(
    people: People, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pivot, "MAX_ROWS", 1)
    now = clock.now()
    for name, before, since in (("checkout-prod", 5, 100), ("checkout-test", 20, 30), ("search-lab", 2, 3)):
        key = people.keys[name]
        save([make_request(key, now - timedelta(hours=30), cost_nanodollars=before)])
        save([make_request(key, now - timedelta(hours=2), cost_nanodollars=since)])
    rest = browse(people.root).get("/ui/usage/?by=key&compare=1&range=24h").context["rest"]
    assert (rest.value, rest.before, plain(rest.change)) == ("$0.000000033", "$0.000000022", "+50 %")


def plain(text: str) -> str:
    return text.replace(figures.THIN_SPACE, " ")


def test_json_and_xlsx_hold_the_same_lines_as_csv(people: People, browse: Browse) -> None:
    seed_requests(people, 60, 10)
    client = browse(people.root)
    query = "range=24h&by=model&and=key"
    lines = read_csv(export(client, query, "csv"))
    asked = json.loads(export(client, query, "json"))
    assert asked["time_zone"]
    assert [str(line["cost_nanodollars"]) for line in asked["results"]] == [
        line["cost_nanodollars"] for line in lines
    ]
    sheet = load_workbook(io.BytesIO(export(client, query, "xlsx"))).active
    assert sheet is not None
    table = list(sheet.iter_rows(values_only=True))
    place = table[0].index("cost_nanodollars")
    assert [str(row[place]) for row in table[1:]] == [line["cost_nanodollars"] for line in lines]


def test_a_name_that_is_a_formula_is_only_text_in_a_file(people: People, browse: Browse) -> None:
    key = people.keys["search-prod"]
    key.name = '=HYPERLINK("http://x","y")'
    key.save()
    save([make_request(key, clock.now() - timedelta(minutes=3))])
    client = browse(people.root)
    assert read_csv(export(client, "by=key", "csv"))[0]["key"].startswith("'=")
    sheet = load_workbook(io.BytesIO(export(client, "by=key", "xlsx"))).active
    assert sheet is not None
    assert sheet["A2"].data_type == "s"


def test_claims_are_counted_by_day_and_by_what_they_are_crossed_with(people: People, browse: Browse) -> None:
    key, now = people.keys["checkout-prod"], clock.now()
    for client_name, cost in (("curl/8", 10), ("curl/8", 5), ("openai-python/2", 100)):
        claim(make_request(key, now, client=client_name, cost_nanodollars=cost), "client", client_name)
    page = browse(people.root).get("/ui/usage/?by=client&and=service")
    assert [(line.row.names, line.totals.cost_nanodollars) for line in page.context["rows"]] == [
        (("openai-python/2", "checkout"), 100),
        (("curl/8", "checkout"), 15),
    ]
    weekly = browse(people.root).get("/ui/usage/?by=client&columns=week").context["table"]
    assert sum(weekly.foot.cells) == 115
    manager = browse(people.alice).get("/ui/usage/?by=client")
    assert len(manager.context["rows"]) == 2
    member = browse(people.bob).get("/ui/usage/?by=client")
    assert member.context["question"].first == "model"
    assert "curl/8" not in member.content.decode()


def test_tags_sum_to_nothing_so_the_whole_is_told_of_the_calls(people: People, browse: Browse) -> None:
    """Of three calls one has two tags and one has none."""
    key, now = people.keys["checkout-prod"], clock.now()
    twice = make_request(key, now, cost_nanodollars=100)
    claim(twice, "tag", "demo")
    claim(twice, "tag", "test", is_new=False)
    claim(make_request(key, now, cost_nanodollars=20), "tag", "demo")
    save([make_request(key, now, cost_nanodollars=3)])
    client = browse(people.root)
    for query in ("by=tag", "by=tag&columns=day", "by=tag&and=service&columns=second"):
        context = client.get(f"/ui/usage/?{query}&range=today").context
        told = context["foot"].totals
        assert (told.requests, told.cost_nanodollars, context["totals"].cost_nanodollars) == (3, 123, 123)
        shares = {line.row.name.partition(" ")[0]: line.share for line in context["rows"]}
        assert {name: share[:2] for name, share in shares.items()} == {"demo": "98", "test": "81"}
        assert not any(cell.text for cell in context["foot"].cells)
    manager = browse(people.alice).get("/ui/usage/?by=tag&range=today").context
    assert manager["foot"].totals.requests == 3


def test_who_has_sent_no_tags_is_told_how_to(people: People, browse: Browse) -> None:
    key = people.keys["checkout-prod"]
    save([make_request(key, clock.now(), cost_nanodollars=3)])
    client = browse(people.root)
    for query in ("by=tag&range=today", "by=tag&and=service&range=today&columns=day"):
        page = client.get(f"/ui/usage/?{query}").content.decode()
        assert "<code>x-gatehouse-tags: nightly,import</code>" in page
        assert 'id="usage"' not in page
    claim(make_request(key, clock.now(), cost_nanodollars=20), "tag", "demo")
    assert "x-gatehouse-tags" not in client.get("/ui/usage/?by=tag&range=today").content.decode()


def test_a_file_of_claims_tells_no_figure_that_is_not_known_of_them(people: People, browse: Browse) -> None:
    claim(make_request(people.keys["checkout-prod"], clock.now(), cost_nanodollars=100), "tag", "demo")
    for query in ("by=tag&range=today", "by=tag&range=today&columns=day"):
        [line] = read_csv(export(browse(people.root), query, "csv"))
        assert line["cost_nanodollars"] == "100"
        assert not {"errors", "refused", "cancelled"} & line.keys()


def test_before_is_of_the_same_calls_as_the_line_it_is_compared_with(people: People, browse: Browse) -> None:
    key, now = people.keys["checkout-prod"], clock.now()
    for at, cost in ((now, 100), (now - timedelta(days=1), 70)):
        claim(make_request(key, at, client="curl/8", cost_nanodollars=cost), "client", "curl/8")
    save([make_request(key, now - timedelta(days=1), cost_nanodollars=5)])  # names none
    context = browse(people.root).get("/ui/usage/?by=client&range=today&compare=1").context
    assert (context["foot"].totals.cost_nanodollars, context["before"].cost_nanodollars) == (100, 70)


def test_the_sum_of_calls_that_name_a_client_opens_no_list_of_more(people: People, browse: Browse) -> None:
    key, now = people.keys["checkout-prod"], clock.now()
    claim(make_request(key, now, client="curl/8", cost_nanodollars=100), "client", "curl/8")
    save([make_request(key, now, cost_nanodollars=5)])  # names none
    for columns in ("", "day"):
        context = browse(people.root).get(f"/ui/usage/?by=client&columns={columns}&range=today").context
        assert (context["foot"].totals.requests, context["foot"].link, context["foot"].counted_link) == (
            1,
            "",
            "",
        )
        assert not any(cell.link for cell in context["foot"].cells)
        assert not any(link for *_told, link in context["parts"])
        assert not any("<a" in sentence for sentence in context["headline"])


def test_claims_of_a_part_of_a_day_say_that_they_are_of_all_of_it(people: People, browse: Browse) -> None:
    """And are compared with days before, not with themselves."""
    key, now = people.keys["checkout-prod"], clock.now().replace(hour=12)
    for at, cost in ((now, 100), (now - timedelta(days=1), 70)):
        claim(make_request(key, at, client="curl/8", cost_nanodollars=cost), "client", "curl/8")
    client = browse(people.root)
    since, until = now - timedelta(minutes=10), now + timedelta(minutes=5)
    part = {"by": "client", "since": since.isoformat(), "until": until.isoformat(), "compare": "1"}
    page = client.get("/ui/usage/", part)
    assert "are counted by whole days: the table shows" in page.content.decode()
    assert (page.context["foot"].totals.cost_nanodollars, page.context["before"].cost_nanodollars) == (
        100,
        70,
    )
    whole = client.get("/ui/usage/?by=client&range=yesterday")
    assert "are counted by whole days: the table shows" not in whole.content.decode()
    facts = json.loads(export(client, urlencode(part), "json"))
    assert [facts[name][11:19] for name in ("since", "until")] == ["00:00:00", "00:00:00"]


def test_a_change_of_the_reporting_zone_loses_no_claim(people: People, browse: Browse) -> None:
    """A call is counted in the zone of its time alone."""
    now = clock.now()
    save([make_request(people.keys["checkout-prod"], now)])  # begins the series
    ReportingSeries.objects.create(zone="Asia/Seoul", since_day=date(2000, 1, 1))
    former = {"zone": "Asia/Seoul", "day": (now - timedelta(days=3)).date(), "kind": "client"}
    ClaimRollup.objects.create(**former, value="curl/8", requests=1, cost_nanodollars=40)
    context = browse(people.root).get("/ui/usage/?by=client&range=7d").context
    assert [line.totals.cost_nanodollars for line in context["rows"]] == [40]


def claim(row: Request, kind: str, value: str, *, is_new: bool = True) -> None:
    """Count a call's claim, as the ledger does."""
    from usage_app.ledger_series import reporting_zone

    if is_new:
        save([row])
    zone = reporting_zone()
    found, _ = ClaimRollup.objects.get_or_create(
        zone=zone.key,
        day=row.started_at.astimezone(zone).date(),
        kind=kind,
        value=value,
        service_id=row.service_id,
        model=row.model,
        environment=row.environment,
    )
    found.requests += 1
    found.cost_nanodollars += row.cost_nanodollars or 0
    found.unpriced_requests += row.cost_nanodollars is None
    found.save()


def test_the_number_of_queries_does_not_depend_on_what_there_is(people: People, browse: Browse) -> None:
    client = browse(people.root)
    counts: Counter[int] = Counter()
    # Where any call has no price, more is asked.
    save([make_request(people.keys["search-lab"], clock.now(), cost_nanodollars=None)])
    for count in (5, 150):
        seed_requests(people, count, 20, seed=count)
        client.get("/ui/usage/?by=key&and=user&columns=day&range=7d")
        with CaptureQueriesContext(connection) as queries:
            client.get("/ui/usage/?by=key&and=user&columns=day&range=7d")
        counts[len(queries)] += 1
        assert not [each for each in queries if 'FROM "usage_app_request"' in each["sql"]]
    assert len(counts) == 1
    assert max(counts) <= 30


def test_every_question_is_answered_and_a_senseless_one_falls_back(people: People, browse: Browse) -> None:
    seed_requests(people, 30, 20)
    client = browse(people.root)
    for first in ALL_DIMENSIONS:
        for second in ("", *DIMENSIONS):
            assert client.get("/ui/usage/", {"by": first, "and": second}).status_code == 200
    for query in ("by=x&and=y&columns=z&measure=w", "columns=second", "by=tag&columns=hour&measure=errors"):
        assert client.get(f"/ui/usage/?{query}").status_code == 200
    assert set(CLAIM_DIMENSIONS) < set(ALL_DIMENSIONS)


@pytest.mark.parametrize("name", ["month", "last_month", "quarter", "last_quarter"])
def test_months_and_quarters_begin_on_their_first_and_compare_with_whole_months_before(
    people: People, browse: Browse, name: str
) -> None:
    context = browse(people.root).get("/ui/usage/", {"range": name}).context
    chosen = context["selection"]
    assert (chosen.since.day, chosen.since.hour) == (1, 0)
    before, until = chosen.before
    assert (before.day, before.hour) == (1, 0)
    assert until <= chosen.since
    months = 3 if "quarter" in name else 1
    assert (chosen.since.year - before.year) * 12 + chosen.since.month - before.month == months


@pytest.mark.parametrize("columns", ["hour", "day", "second"])
@pytest.mark.parametrize("by", ["model", "client"])
def test_what_has_no_price_costs_nothing_known_in_every_table(
    people: People, browse: Browse, columns: str, by: str
) -> None:
    key, at = people.keys["search-lab"], clock.now() - timedelta(seconds=1)
    for name, cost in (("house-llama", None), ("gpt-5", 7)):
        claim(make_request(key, at, model=name, client=name, cost_nanodollars=cost), "client", name)
    address = f"/ui/usage/?range=24h&by={by}&and=service&columns={columns}"
    words = "without a price: 1 call, in no sum"
    unknown, known = f'<span class="gh-warn-text" title="{words}">unpriced</span>', "$0.000000007"
    least = f'<span>{known}<span class="gh-warn-text" title="{words}">+</span></span>'

    def told(measure: str) -> tuple[dict[str, Any], Any]:
        context = browse(people.root).get(f"{address}&measure={measure}").context
        return {line.row.names[0]: line for line in context["rows"]}, context["foot"]

    lines, foot = told("spend")
    assert [lines["house-llama"].value, lines["gpt-5"].value, foot.value] == [unknown, known, least]
    seen = {name: [each for each in line.cells if each.link] for name, line in lines.items()}
    assert [(each.text, each.is_zero) for each in seen["house-llama"]] == [(unknown, False)]
    assert [each.text for each in seen["gpt-5"]] == [known]
    counted = told("requests")[0]["house-llama"]
    assert [counted.value, *(each.text for each in counted.cells if each.link)] == ["1", "1"]


@pytest.mark.parametrize("columns", ["", "hour", "day", "second"])
def test_a_number_of_failed_calls_opens_these_alone(people: People, browse: Browse, columns: str) -> None:
    key, at = people.keys["search-lab"], clock.now() - timedelta(seconds=1)
    save([make_request(key, at, status=status) for status, _label in Request.Status.choices])
    client = browse(people.root)
    asked = {"by": "model", "and": "service", "columns": columns, "measure": "errors"}
    context = client.get("/ui/usage/", asked).context
    links = [each.failed_link for each in (context["rows"][0], context["foot"])]
    headers = {"HX-Request": "true"}
    links += [each.counted_link for each in (context["rows"][0], context["foot"])]
    links += [cell.link for cell in context["rows"][0].cells if cell.link]
    assert len(links) == (5 if columns else 4)
    for link in links:
        opened = client.get(f"/ui/usage/{link}&fragment=count".replace("usage/../", ""), headers=headers)
        assert opened.content.decode().startswith("3 calls"), link
