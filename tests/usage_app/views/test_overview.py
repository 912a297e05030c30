"""The Overview: its figures are those of the rows, whatever one looks at, in a constant number of queries."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from tests.seeding import People, make_request, save, seed_requests
from tests.usage_app.views.conftest import Browse
from usage_app import figures

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
    assert answer.context["tiles"][0].value == "$0.00"


def test_an_empty_house_shows_the_first_call_to_copy(people: People, browse: Browse) -> None:
    text = browse(people.root).get("/ui/").content.decode()
    assert "No call yet" in text
    assert "$GATEHOUSE_API_KEY" in text
    assert "/v1/chat/completions" in text


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
