"""A deployment that fails every time is told of, though others serve its calls; no list is disturbed."""

from datetime import timedelta

import pytest

from gateway_project import clock
from proxy_app.models import Deployment, Model, Provider
from tests.seeding import People, make_attempt, make_request, save
from tests.usage_app.views.conftest import Browse
from usage_app.models import KnownName

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
    failed = {"deployment_id": str(broken.pk), "provider_id": str(gemini.pk), "status": "error"}
    save(rows, [try_ for row in rows for try_ in (make_attempt(row, 1, **failed), make_attempt(row, 2))])
    for provider in (gemini, openai):
        KnownName.objects.create(kind="provider", ref=str(provider.pk), name=provider.name)
    return broken


def test_models_tells_of_a_deployment_that_fails_every_time(
    people: People, browse: Browse, falling: Deployment
) -> None:
    answer = browse(people.root).get("/ui/models/")
    ((_name, _spend, cards),) = answer.context["groups"]
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
    assert "18 attempts failed, and their calls went on." in context["headline"]


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
            told = {each["deployment"]: (each["requests"], each["failed_attempts"]) for each in usage["results"]}
            assert told.pop(ref) == (0, FAILED) and list(told.values()) == [(FAILED, 0)]
            assert (usage["total"]["requests"], usage["total"]["failed_attempts"]) == (FAILED, FAILED)
            claims = client.get("/api/v1/usage/", {"group_by": "client"}).json()["results"]
            assert [each["failed_attempts"] for each in claims] == [None] * len(claims)
