"""A deployment that fails every time is told of, though others serve its calls; no list is disturbed."""

import html
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils.html import strip_tags

from gateway_project import clock
from proxy_app.models import Deployment, Model, Provider
from tests.seeding import People, make_attempt, make_request, save
from tests.usage_app.views.conftest import Browse
from tests.usage_app.views.reading import read_export
from usage_app.models import KnownName, Request

FAILED = 18


@pytest.fixture
def falling(people: People) -> Deployment:
    """gemini fails 18 times in a row, and openai answers each of these calls."""
    model = Model.objects.create(name="gpt-5")
    gemini, openai = (Provider.objects.create(name=name, kind=name) for name in ("gemini", "openai"))
    broken = Deployment.objects.create(model=model, provider=gemini, upstream_model="gemini-2.5-pro")
    sound = Deployment.objects.create(model=model, provider=openai, upstream_model="gpt-5")
    at, place = (
        clock.now() - timedelta(minutes=2),
        {"deployment_id": str(sound.pk), "provider_id": str(openai.pk)},
    )
    rows = [make_request(people.keys["search-lab"], at, **place) for _ in range(FAILED)]
    failed = {"deployment_id": str(broken.pk), "deployment": str(broken), "provider": "gemini"}
    failed |= {"provider_id": str(gemini.pk), "status": "error"}
    save(rows, [try_ for row in rows for try_ in (make_attempt(row, 1, **failed), make_attempt(row, 2))])
    for provider in (gemini, openai):
        KnownName.objects.create(kind="provider", ref=str(provider.pk), name=provider.name)
    return broken


def test_models_tells_of_a_deployment_that_fails_every_time(
    people: People, browse: Browse, falling: Deployment
) -> None:
    answer = browse(people.root).get("/ui/models/")
    ((_name, _spend, _link, cards),) = answer.context["groups"]
    seen = {card.deployment.pk == falling.pk: card for card in cards}
    broken, sound = seen[True], seen[False]
    assert (broken.tone, broken.success, broken.share) == ("error", "0\u202f%", "0\u202f%")
    assert (sound.tone, sound.success, sound.share) == ("ok", "100\u202f%", "100\u202f%")
    text = answer.content.decode()
    assert "18 of 18 attempts failed, and their calls went on." in text
    assert "1 deployment fails often in this range." in text
    assert "does well" not in text


def test_the_overview_tells_of_a_provider_that_fails_every_time(
    people: People, browse: Browse, falling: Deployment
) -> None:
    context = browse(people.root).get("/ui/").context
    told = {each["name"]: (each["tone"], each["rate"]) for each in context["providers"]}
    assert told == {"gemini": ("error", "0\u202f%"), "openai": ("ok", "100\u202f%")}
    told = [strip_tags(sentence) for sentence in context["headline"]]
    assert "18 attempts failed, and their calls went on." in told
    whole = 'href="models/?range=24h&amp;environment=&amp;service="'
    assert any(whole in sentence for sentence in context["headline"])


def test_lists_of_calls_have_no_line_for_attempts_alone(
    people: People, browse: Browse, falling: Deployment
) -> None:
    client, ref = browse(people.root), str(falling.pk)
    for range_ in ("24h", "7d"):
        asked = {"by": "deployment", "range": range_}
        overview = client.get("/ui/", asked).context
        assert [row.totals.requests for row in overview["rows"]] == [FAILED]
        assert len(overview["chart"]["layers"]) == 1
        for columns in ("", "day"):
            assert ref not in client.get("/ui/usage/", asked | {"columns": columns}).content.decode()
        for interval in ("", "hour"):
            grouped = {"group_by": "deployment"} | ({"interval": interval} if interval else {})
            usage = client.get("/api/v1/usage/", grouped).json()
            figures = ("requests", "failed_attempts")
            told = {each["deployment"]: tuple(map(each.get, figures)) for each in usage["results"]}
            assert told.pop(ref) == (0, FAILED) and list(told.values()) == [(FAILED, 0)]
            assert (usage["total"]["requests"], usage["total"]["failed_attempts"]) == (FAILED, FAILED)
            claims = client.get("/api/v1/usage/", {"group_by": "client"}).json()["results"]
            assert [each["failed_attempts"] for each in claims] == [None] * len(claims)


def ids_listed(client: Client, address: str) -> set[str]:
    return {str(row.pk) for row in client.get(address).context["rows_page"].rows}


def test_failed_attempts_open_the_calls_that_were_tried_there(
    people: People, browse: Browse, falling: Deployment
) -> None:
    """Every number leads to its calls, also where others served them all; so do the API and a file."""
    failed_for_good = make_request(people.keys["search-lab"], clock.now(), status="error")
    place = {"deployment_id": str(falling.pk), "provider_id": str(falling.provider_id), "status": "error"}
    save([failed_for_good], [make_attempt(failed_for_good, 1, **place)])
    saved = {str(pk) for pk in Request.objects.exclude(pk=failed_for_good.pk).values_list("pk", flat=True)}
    everything = saved | {str(failed_for_good.pk)}
    client = browse(people.root)
    ((_name, _spend, _link, cards),) = client.get("/ui/models/").context["groups"]
    card = next(card for card in cards if card.deployment.pk == falling.pk)
    assert ids_listed(client, card.failed_link.replace("../", "/ui/")) == saved
    assert ids_listed(client, card.link.replace("../", "/ui/")) == everything
    other = next(card for card in cards if card.deployment.provider.name == "openai")
    for sort in ("-ttft", "-latency"):
        told = f"{other.served_link}&sort={sort}"
        assert html.escape(told) in client.get("/ui/models/").content.decode()
        assert ids_listed(client, told.replace("../", "/ui/")) == saved
    provider = next(each for each in client.get("/ui/").context["providers"] if each["name"] == "gemini")
    assert ids_listed(client, "/ui/" + provider["link"]) == everything
    page = client.get("/ui/requests/", {"failed_at": str(falling.pk)}).content.decode()
    assert "<span>Failed at, and went on: <b>gemini/gemini-2.5-pro</b></span>" in page
    for name, wanted in (("failed_at", saved), ("tried_at", everything)):
        for value in (str(falling.pk), str(falling.provider_id), "gemini"):
            answer = client.get("/api/v1/requests/", {name: value}).json()
            assert {row["id"] for row in answer["results"]} == wanted
        lines = read_export(client, "requests", urlencode({"range": "24h", name: str(falling.pk)}), "json")
        assert {line["id"] for line in lines} == wanted
    assert client.get("/api/v1/usage/", {"tried_at": "gemini"}).status_code == 400


def test_who_sees_some_calls_finds_by_attempts_among_these_alone(
    people: People, browse: Browse, falling: Deployment
) -> None:
    asked = {"tried_at": str(falling.pk)}
    client = browse(people.charlie)
    assert not client.get("/ui/requests/", asked).context["rows_page"].rows
    assert client.get("/api/v1/requests/", asked).json()["results"] == []


def test_a_choice_of_where_calls_were_tried_stays_in_the_form(
    people: People, browse: Browse, falling: Deployment
) -> None:
    asked = {"fragment": "choices", "failed_at": str(falling.pk)}
    form = browse(people.root).get("/ui/requests/", asked, headers={"HX-Request": "true"}).content.decode()
    assert form.count(f'name="failed_at" value="{falling.pk}" checked') == 1
    assert form.count(f'value="{falling.pk}"') == 2  # among whom served calls it is not
