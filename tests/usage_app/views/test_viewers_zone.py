"""In whose zone instants are told: the profile's, or else the browser's, or else the organisation's."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse
from tests.usage_app.views.reading import read_export

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 3, 22, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("profile", "browser", "told", "zone"),
    [
        ("", "", "22:30:15", "UTC"),
        ("", "Asia/Seoul", "07:30:15", "Asia/Seoul"),
        ("America/New_York", "Asia/Seoul", "17:30:15", "America/New_York"),
        ("", "no/such zone", "22:30:15", "UTC"),
        ("", "../../etc/passwd", "22:30:15", "UTC"),
    ],
)
def test_a_calls_time_is_told_in_the_zone_of_who_looks(
    people: People, browse: Browse, profile: str, browser: str, told: str, zone: str
) -> None:
    """And which zone it is."""
    row = make_request(people.keys["checkout-prod"], AT)
    save([row])
    people.root.time_zone = profile
    people.root.save()
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = browser
    page = client.get("/ui/requests/?since=2026-11-01T00:00:00Z&until=2026-11-05T00:00:00Z")
    assert told in page.content.decode()
    assert f"Times in {zone}." in page.content.decode()
    one = client.get(f"/ui/requests/{row.pk}/").content.decode()
    assert f'{told}</time> <span class="gh-muted">{zone}</span>' in one


@pytest.mark.parametrize("file_format", ["csv", "json", "xlsx"])
def test_instants_of_a_file_are_the_same_whoever_reads_it(
    people: People, browse: Browse, file_format: str
) -> None:
    save([make_request(people.keys["checkout-prod"], AT)])
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = "Asia/Seoul"
    query = "since=2026-11-01T00:00:00Z&until=2026-11-05T00:00:00Z"
    (line,) = read_export(client, "requests", query, file_format)
    assert (line["started_at"], line["finished_at"]) == (
        "2026-11-03T22:30:15+00:00",
        "2026-11-03T22:30:17+00:00",
    )


def test_neighbours_of_another_day_are_told_with_it(people: People, browse: Browse) -> None:
    key = people.keys["checkout-prod"]
    rows = [make_request(key, AT + timedelta(hours=hours), session="one") for hours in (0, 1, 24)]
    save(rows)
    page = browse(people.root).get(f"/ui/requests/{rows[0].pk}/").content.decode()
    near = page[page.index('id="near-title"') :]
    assert ">23:30:15</time>" in near
    assert ">4 Nov, 22:30:15</time>" in near
