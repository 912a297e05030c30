"""Models: a card's numbers open the calls they are of, and how it did over time is fetched when asked for."""

import html
import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway_project import clock
from proxy_app.models import Deployment, Model, Provider
from tests.seeding import People, make_attempt, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.models import Request

HTMX = {"HX-Request": "true"}
ALL = {"range": "24h", "environment": "", "service": ""}


@pytest.fixture
def served() -> Deployment:
    provider = Provider.objects.create(name="openai", kind="openai")
    return Deployment.objects.create(
        model=Model.objects.create(name="gpt-5"), provider=provider, upstream_model="gpt-5"
    )


def call(people: People, served: Deployment, minutes: int = 5, **fields: Any) -> Request:
    at = clock.now() - timedelta(minutes=minutes)
    return make_request(people.keys["checkout-prod"], at, deployment_id=str(served.pk), **fields)


def lines(client: Client, served: Deployment, **asked: str) -> dict[str, Any]:
    """name of a line -> what is drawn of it; and the data itself under ''."""
    query = {"fragment": "lines", "deployment": str(served.pk), **ALL, **asked}
    text = client.get("/ui/models/", query, headers=HTMX).content.decode()
    found = re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    data = json.loads(found[1])
    return {"": data} | {line["name"]: line for drawing in data["drawings"] for line in drawing["lines"]}


def known(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def test_spend_and_share_of_traffic_open_their_calls_whatever_was_looked_at_elsewhere(
    people: People, browse: Browse, served: Deployment
) -> None:
    twin = Deployment.objects.create(model=served.model, provider=served.provider, upstream_model="gpt-5-2")
    ended = [call(people, served), call(people, served, status="error"), call(people, twin)]
    save(
        [*ended, call(people, served, status="refused"), make_request(people.keys["search-lab"], clock.now())]
    )
    client = browse(people.root)
    answer = client.get("/ui/models/", ALL)
    ((_name, spend, link, cards),) = answer.context["groups"]
    text = answer.content.decode()

    def opened(address: str) -> list[Request]:
        assert f'href="{html.escape(address)}"' in text
        client.get(f"/ui/requests/?range=1h&environment=experiment&service={people.search.pk}")
        found: list[Request] = client.get(urljoin("/ui/models/", address)).context["rows_page"].rows
        return found

    assert sum(row.cost_nanodollars or 0 for row in opened(link)) == spend.cost_nanodollars > 0
    shares = {card.deployment.pk: len(opened(card.share_link)) for card in cards}
    assert shares == {served.pk: 2, twin.pk: 1}


def test_a_deployment_is_told_over_time_with_what_the_sums_know(
    people: People, browse: Browse, served: Deployment
) -> None:
    whole = {"latency_ms": 3000.0, "ttft_ms": 1000.0, "output_tokens": 100}
    rows = [call(people, served, 70, **whole), call(people, served, 5, **whole)]
    rows.append(call(people, served, 5, status="error", latency_ms=9000.0, ttft_ms=None, output_tokens=0))
    save(rows)
    found = lines(browse(people.root), served)
    assert sorted(known(found["Answered"]["values"])) == [50, 100]
    assert "50\u202f%" in found["Answered"]["texts"]
    assert known(found["Tokens a second"]["values"]) == [33.333, 33.333]  # the one that failed has none
    assert known(found["First token p50"]["values"]) == [1000, 1000]
    assert known(found["Latency p95"]["values"])[0] == 3000 < known(found["Latency p95"]["values"])[1]
    data = found[""]
    assert {len(line["values"]) for name, line in found.items() if name} == {len(data["starts"])}
    assert data["unfinished"] == len(data["starts"]) - 1
    assert sum(data["tried"]) == 3


def test_answers_that_are_not_streamed_make_a_deployment_no_faster(
    people: People, browse: Browse, served: Deployment
) -> None:
    whole = {"latency_ms": 3000.0, "output_tokens": 100}
    save([call(people, served, 5, ttft_ms=ttft_ms, **whole) for ttft_ms in (1000.0, 3000.0, 3000.0)])
    found = lines(browse(people.root), served)
    assert known(found["Tokens a second"]["values"]) == [33.333]


def test_a_deployment_s_speed_is_exact(people: People, browse: Browse, served: Deployment) -> None:
    """Not made of buckets; what wrote nothing, or ended nobody knows when, is no part of it."""
    told = [(1234.567, 70), (6543.21, 11), (2000.0, 0), (2500.0, None)]
    save([call(people, served, 5, latency_ms=took, output_tokens=tokens) for took, tokens in told])
    found = lines(browse(people.root), served)
    assert known(found["Tokens a second"]["values"]) == [round(81 / 7.777777, 3)]


def test_a_point_opens_the_calls_of_its_bucket(people: People, browse: Browse, served: Deployment) -> None:
    row, other = call(people, served, 70), call(people, served, 5)
    failed = make_attempt(other, 1, status="error")
    save([row, other], [make_attempt(row, 1), failed, make_attempt(other, 2)])
    client = browse(people.root)
    data = lines(client, served)
    at = data[""]["tried"].index(1)
    bounds = {"since": data[""]["starts"][at], "until": data[""]["starts"][at + 1]}
    for name, line in data.items():
        if name:
            found = client.get("/ui/requests/", {**bounds, **line["opens"]}).context["rows_page"].rows
            assert [each.pk for each in found] == [row.pk], name


def test_over_time_is_of_ones_own_calls_and_costs_the_same_few_queries(
    people: People, browse: Browse, served: Deployment
) -> None:
    query = {"fragment": "lines", "deployment": str(served.pk), **ALL}
    save([call(people, served)])
    assert sum(lines(browse(people.alice), served)[""]["tried"]) == 1
    assert browse(people.charlie).get("/ui/models/", query, headers=HTMX).status_code == 404
    client, counts = browse(people.root), []
    for _ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            client.get("/ui/models/", query, headers=HTMX)
        counts.append(len(asked))
        assert not [each for each in asked if "usage_app_request" in each["sql"]]
        save([call(people, served, minutes) for minutes in range(1, 600, 20)])
    assert counts[0] == counts[1] < 20
    unknown = {**query, "deployment": "none"}
    assert client.get("/ui/models/", unknown, headers=HTMX).status_code == 404
    Deployment.objects.update(is_enabled=False)
    assert client.get("/ui/models/", query, headers=HTMX).status_code == 404
