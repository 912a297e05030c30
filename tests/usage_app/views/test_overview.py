"""The Overview: its figures are those of the rows, whatever one looks at, in a constant number of queries."""

import html
import re
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from gateway_project import clock
from keys_app.models import Membership, User
from tests.seeding import People, make_request, save, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app import figures
from usage_app.models import Request

FRAGMENT = {"HX-Request": "true"}


def test_spend_tokens_and_requests_are_the_sums_of_the_rows(people: People, browse: Browse) -> None:
    rows = [
        make_request(
            people.keys["checkout-prod"], clock.now() - timedelta(minutes=5 * n), cost_nanodollars=cost
        )
        for n, cost in enumerate((1_234_567_890, 2_000_000_000, 41_200_000))
    ]
    save(rows)
    answer = browse(people.root).get("/ui/")
    spend, requests, tokens = answer.context["tiles"][:3]
    assert spend.exact == "$3.27576789"
    assert spend.value == "$3.28"
    assert requests.value == "3"
    assert tokens.exact == figures.grouped(3 * (1200 + 240))
    assert answer.context["rows"][0].totals.cost_nanodollars == 3_275_767_890
    assert sum(map(sum, (layer["values"] for layer in answer.context["chart"]["layers"]))) == 3_275_767_890


def test_every_dimension_and_measure_shows_the_same_sum(people: People, browse: Browse) -> None:
    seed_requests(people, 60, 20)
    client = browse(people.root)
    seen = set()
    for by in ("model", "service", "user", "key", "environment"):
        context = client.get("/ui/", {"by": by}).context
        seen.add(context["totals"].cost_nanodollars)
        seen.add(sum(row.totals.cost_nanodollars for row in context["rows"]))
        seen.add(sum(sum(layer["values"]) for layer in context["chart"]["layers"]))
    assert len(seen) == 1


def test_a_call_without_a_price_is_told_and_is_in_no_sum(people: People, browse: Browse) -> None:
    save(
        [
            make_request(
                people.keys["search-lab"],
                clock.now() - timedelta(minutes=3),
                model="house-llama",
                cost_nanodollars=None,
            )
        ]
    )
    answer = browse(people.root).get("/ui/")
    assert answer.context["totals"].unpriced_requests == 1
    assert "1 call has no price" in answer.content.decode()
    assert answer.context["tiles"][0].value == "unpriced"


def test_every_sum_that_leaves_calls_out_says_so(people: People, browse: Browse) -> None:
    """Headlines, tiles, tops, tables, the month: a plus, and how many calls without a price are left out."""
    at, key = clock.now() - timedelta(seconds=1), people.keys["search-prod"]
    calls = (("gpt-5", 2 * 10**9), ("gpt-5", None), ("gpt-5-mini", 10**9))
    save([make_request(key, at, model=model, cost_nanodollars=cost) for model, cost in calls])
    client = browse(people.root)
    plus = '<span class="gh-warn-text" title="without a price: 1 call, in no sum">+</span>'
    overview = client.get("/ui/?range=24h")
    text = overview.content.decode()
    assert strip_tags(overview.context["headline"][0]).startswith("Spend is $3.00+ ")
    assert overview.context["tiles"][0].value == "$3.00+"
    assert re.search(
        f'This month <a class="gh-told" href="[^"]+">{re.escape(f"<span>$3.00{plus}</span>")}</a>', text
    )
    assert f"<span>$2.00{plus}</span></td>" in text  # one piece, which a card on a phone does not set apart
    assert text.count(f"$2.00{plus}") == 2 and text.count("$1.00</") == 2  # the table, the top of models
    assert text.count(f"$3.00{plus}") == 5  # the month, the foot, the tops of services, users and keys
    usage = client.get("/ui/usage/?range=24h")
    told = [strip_tags(sentence) for sentence in usage.context["headline"]]
    assert told[0].startswith("$3.00+ for 3 calls")
    assert "1 call has no price: its cost is unknown and in no sum here." in told
    assert usage.content.decode().count(f"$3.00{plus}") == 2 and f"$2.00{plus}" in usage.content.decode()
    count = client.get("/ui/requests/?fragment=count&range=24h", headers={"HX-Request": "true"})
    assert f"3 calls, <span>$3.00{plus}</span>" in count.content.decode()
    assert "$3.00+ this month" in client.get("/admin/keys_app/service/").content.decode()


@pytest.mark.parametrize("page", ["/ui/", "/ui/usage/"])
def test_an_empty_house_shows_the_first_call_to_copy(people: People, browse: Browse, page: str) -> None:
    text = browse(people.root).get(page).content.decode()
    assert "No call yet" in text
    assert "$GATEHOUSE_API_KEY" in text
    assert "/v1/chat/completions" in text
    assert "No call in this range" not in text


@pytest.mark.parametrize("page", ["/ui/", "/ui/usage/"])
def test_a_range_without_a_call_is_not_told_to_be_the_beginning(
    people: People, browse: Browse, page: str
) -> None:
    save([make_request(people.keys["search-prod"], clock.now() - timedelta(days=20))])
    text = browse(people.root).get(f"{page}?range=1h").content.decode()
    assert text.count("No call in this range") == 1 and "No call yet" not in text
    assert "?range=30d&amp;environment=&amp;service=" in text
    assert "No call yet" in browse(people.charlie).get(f"{page}?range=1h").content.decode()


def test_what_is_over_is_told_in_the_past_and_has_no_hatched_bar(people: People, browse: Browse) -> None:
    key, now = people.keys["search-prod"], clock.now()
    calls = ((24, 3 * 10**9), (48, 2 * 10**9), (0, 10**9))
    save(
        [
            make_request(key, now - timedelta(hours=ago, seconds=1), cost_nanodollars=cost)
            for ago, cost in calls
        ]
    )
    client = browse(people.root)

    def told(chosen: str) -> tuple[str, bool]:
        answer = client.get(f"/ui/?range={chosen}")
        return strip_tags(answer.context["headline"][0]), "The hatched bar" in answer.content.decode()

    assert told("yesterday") == ("Spend was $3.00 yesterday, 50\u202f% over the day before.", False)
    assert told("today") == ("Spend is $1.00 today, 67\u202f% under the period before.", True)


def test_many_lines_are_told_as_the_largest_and_one_for_the_others(people: People, browse: Browse) -> None:
    key, at = people.keys["search-prod"], clock.now() - timedelta(seconds=1)
    names = [f"model-{number:02}" for number in range(15)]
    rows = [make_request(key, at, cost_nanodollars=10**9 * (20 - number)) for number in range(15)]
    for row, name in zip(rows, names, strict=True):
        row.model = name
    save(rows)
    answer = browse(people.root).get("/ui/?range=24h")
    context = answer.context
    assert [row.name for row in context["rows"]] == names[:10]
    assert context["rest"]["name"] == "other (5)"
    listed = sum(row.totals.cost_nanodollars for row in context["rows"])
    rest = context["rest"]["totals"].cost_nanodollars
    assert listed + rest == context["totals"].cost_nanodollars
    usage = browse(people.root).get("/ui/" + context["rest"]["link"])
    assert {line.row.name for line in usage.context["rows"]} == set(names)


def test_the_share_of_what_has_no_price_is_unknown(people: People, browse: Browse) -> None:
    key, at = people.keys["search-prod"], clock.now() - timedelta(seconds=1)
    calls = (("gpt-5", 10**9), ("house-llama", None), ("sandbox", 0))
    save([make_request(key, at, model=model, cost_nanodollars=cost) for model, cost in calls])
    client = browse(people.root)
    rows = client.get("/ui/usage/?range=24h").context["rows"]
    assert {line.row.name: line.share for line in rows} == {
        "gpt-5": "100\u202f%",
        "house-llama": "unknown",
        "sandbox": "0\u202f%",
    }
    tops = client.get("/ui/?range=24h").context["tops"]
    assert {name: share for name, _totals, share, _link in tops[0][2]}["house-llama"] == "unknown"
    by_calls = client.get("/ui/usage/?range=24h&measure=requests").context["rows"]
    assert {line.share for line in by_calls} == {"33\u202f%"}


def test_a_viewer_without_a_service_is_told_so_and_offered_no_call(people: People, browse: Browse) -> None:
    seed_requests(people, 5, 2)
    viewer = User.objects.create(username="victor", role=User.Role.VIEWER)
    client = browse(viewer)
    for page in ("/ui/", "/ui/requests/", "/ui/usage/", "/ui/live/", "/ui/get-started/"):
        text = client.get(page).content.decode()
        assert "You see no service yet" in text, page
        assert "No call yet" not in text and "GATEHOUSE_API_KEY" not in text and "Make one" not in text
    Membership.objects.create(user=viewer, service=people.checkout, role=Membership.Role.MANAGER)
    assert "You see no service yet" not in client.get("/ui/").content.decode()


def test_environment_and_service_narrow_every_figure_and_follow_to_other_pages(
    people: People, browse: Browse
) -> None:
    seed_requests(people, 60, 20)
    client = browse(people.root)
    everything = client.get("/ui/").context["totals"].requests
    tested = client.get("/ui/", {"environment": "test"}).context["totals"].requests
    assert 0 < tested < everything
    followed = client.get("/ui/requests/").context
    assert followed["selection"].environment == "test"
    assert {row.environment for row in followed["rows_page"].rows} == {"test"}


def test_the_number_of_queries_does_not_depend_on_what_there_is(people: People, browse: Browse) -> None:
    client = browse(people.root)
    counts = []
    for count in (5, 120):
        seed_requests(people, count, 20, seed=count)
        client.get("/ui/")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get("/ui/?fragment=body", headers=FRAGMENT).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 30


def test_a_bad_choice_in_the_address_falls_back_and_never_fails(people: People, browse: Browse) -> None:
    save([make_request(people.keys["search-lab"], clock.now() - timedelta(minutes=3))])
    client = browse(people.root)
    for query in (
        "range=forever",
        "since=yesterday",
        "since=2026-13-01&until=x",
        "by=nothing&measure=x",
        "service=zz",
    ):
        assert client.get(f"/ui/?{query}").status_code == 200


def failing(people: People) -> None:
    """A call of each outcome."""
    at = clock.now() - timedelta(minutes=3)
    save(
        [
            make_request(people.keys["search-lab"], at, status=status)
            for status, _label in Request.Status.choices
        ]
    )


def opened(client: Client, link: str) -> str:
    """What the list behind a link says it has."""
    answer = client.get(f"/ui/{link}&fragment=count", headers=FRAGMENT)
    return answer.content.decode().split(",")[0].strip()


def test_a_number_of_failed_calls_opens_these_alone(people: People, browse: Browse) -> None:
    failing(people)
    client = browse(people.root)
    context = client.get("/ui/", {"measure": "errors"}).context
    assert context["totals"].errors == 3
    links = [context["tiles"][3].link, context["failed_link"], context["rows"][0].failed_link]
    assert [opened(client, link) for link in links] == ["3 calls"] * 3
    assert context["chart"]["narrowed"]["status"] == ("error", "truncated", "interrupted")


def test_every_figure_opens_its_calls(people: People, browse: Browse) -> None:
    failing(people)
    client = browse(people.root)
    tiles = client.get("/ui/").context["tiles"]
    assert [opened(client, tile.link) for tile in tiles] == [f"{n} calls" for n in (6, 6, 6, 3, 6, 6)]
    assert opened(client, tiles[1].note_link) == "1 call"


def test_what_is_estimated_of_the_spend_opens_these_calls(people: People, browse: Browse) -> None:
    key, at = people.keys["search-prod"], clock.now() - timedelta(seconds=1)
    guessed = make_request(key, at, cost_nanodollars=500, usage_source="estimate")
    guessed.estimated_cost_nanodollars = 500  # type: ignore[attr-defined]
    save([guessed, make_request(key, at, cost_nanodollars=70)])
    client = browse(people.root)
    spend = client.get("/ui/?range=24h").context["tiles"][0]
    assert spend.note == "$0.0000005 of it estimated"
    assert opened(client, spend.note_link) == "1 call"


def links_in(sentences: Iterable[str]) -> list[tuple[str, str]]:
    """(word, address) of each link, as a page has them."""
    found = re.findall(r'<a class="gh-told" href="([^"]+)">(.*?)</a>', " ".join(sentences))
    return [(strip_tags(word), html.unescape(address)) for address, word in found]


def test_spend_of_many_times_as_much_is_told_in_times_and_one_call_as_one(
    people: People, browse: Browse
) -> None:
    key, now = people.keys["search-lab"], clock.now()
    earlier = make_request(key, now - timedelta(hours=30), cost_nanodollars=1_000)
    save([earlier, make_request(key, now - timedelta(minutes=5), cost_nanodollars=4_964_999_760)])
    client = browse(people.root)

    def said(page: str) -> str:
        return strip_tags(client.get(f"{page}?range=24h").context["headline"][0])

    assert said("/ui/").endswith(" ×\u202f4\u202f965\u202f000 against the period before.")
    assert " for 1 call and " in said("/ui/usage/")


def test_every_number_and_name_of_the_headline_opens_what_it_tells_of(people: People, browse: Browse) -> None:
    now, key = clock.now() - timedelta(seconds=1), people.keys["search-prod"]
    rows = [make_request(key, now, cost_nanodollars=3, status=status) for status in ("ok", "error")]
    for row in rows:
        row.model = "a & <b>"
    rows.append(make_request(key, now, cost_nanodollars=1))
    save([*rows, make_request(key, now - timedelta(hours=30), cost_nanodollars=2)])
    client = browse(people.root)
    links = links_in(client.get("/ui/?range=24h").context["headline"])
    assert [word for word, _link in links] == [
        "$0.000000007",
        "250\u202f%",
        "86\u202f%",
        "a &amp; &lt;b&gt;",
        "1",
        "3",
    ]
    (spend, compared, share, name, failed, every) = (link for _word, link in links)
    assert compared.startswith("usage/?") and "compare=1" in compared
    assert client.get(f"/ui/{compared}").context["before"].cost_nanodollars == 2
    counted = [opened(client, link) for link in (spend, share, name, failed, every)]
    assert counted == ["3 calls", "2 calls", "2 calls", "1 call", "3 calls"]
    usage = links_in(client.get("/ui/usage/?range=24h").context["headline"])
    assert [word for word, _link in usage][-1] == "a &amp; &lt;b&gt;"
    assert [opened(client, link.removeprefix("../")) for _word, link in usage] == [
        *["3 calls"] * 3,
        *["2 calls"] * 2,
    ]


def test_what_it_was_a_month_and_why_it_changed_open_their_calls(people: People, browse: Browse) -> None:
    now, key = clock.now() - timedelta(seconds=1), people.keys["search-prod"]
    rows = [make_request(key, now, model=model, cost_nanodollars=50) for model in ("gpt-5", "gpt-5-mini")]
    save([*rows, make_request(key, now - timedelta(hours=30), cost_nanodollars=20)])
    client = browse(people.root)
    text = client.get("/ui/?range=24h").content.decode()
    (month, *_last), (why,) = (
        links_in(re.findall(found, text, re.DOTALL))
        for found in (r'<p class="gh-month">.*?</p>', r'<h2 id="why-title">.*?</h2>')
    )
    before = now - timedelta(hours=30)
    this_month = sum(f"{at:%Y%m}" == f"{now:%Y%m}" for at in (now, now, before))
    assert opened(client, month[1]) == f"{this_month} calls"
    assert why[0] == "+$0.00000008" and "compare=1" in why[1]
    causes = re.search(r'<ul class="gh-causes">.*?</ul>', text, re.DOTALL)
    assert causes is not None
    amounts = re.findall(r'<a class="is-number" href="([^"]+)"', causes[0])
    assert [opened(client, html.unescape(link)) for link in amounts] == ["2 calls"] * 5


def test_each_part_of_each_bar_opens_the_calls_it_counts(people: People, browse: Browse) -> None:
    """Also that of the first bucket, which may begin before the range; and tells what it leaves out."""
    now, key = clock.now() - timedelta(seconds=1), people.keys["search-prod"]
    begun = now - timedelta(days=7)
    rows = [
        make_request(key, at, model=model, cost_nanodollars=cost)
        for at in (now, now - timedelta(days=2), begun, begun.replace(hour=0, minute=0))
        for model, cost in (("gpt-5", 3), ("gpt-5", None), ("gpt-5-mini", 1))
    ]
    save(rows)
    client = browse(people.root)
    for by, measure in (
        ("model", "requests"),
        ("model", "spend"),
        ("environment", "requests"),
        ("user", "requests"),
    ):
        chart = client.get("/ui/", {"range": "7d", "by": by, "measure": measure}).context["chart"]
        ends = [*chart["starts"][1:], chart["until"]]
        for layer in chart["layers"]:
            for value, since, until in zip(layer["values"], chart["starts"], ends, strict=True):
                opens = {**chart["narrowed"], **layer["opens"], "since": [since], "until": [until]}
                count = opened(client, "requests/?" + urlencode(opens, doseq=True)).split()[0]
                if measure == "requests":
                    assert count == str(value)
        if measure == "spend":
            assert sum(chart["unpriced"]) == 3 and chart["layers"][0]["unpriced"] == chart["unpriced"]
            assert chart["layers"][1]["unpriced"] == ()
