"""In whose zone instants are told: the profile's, or else the browser's, or else the organisation's."""

from datetime import UTC, datetime

import pytest

from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 3, 22, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("profile", "browser", "told"),
    [
        ("", "", "22:30:15"),
        ("", "Asia/Seoul", "07:30:15"),
        ("America/New_York", "Asia/Seoul", "17:30:15"),
        ("", "no/such zone", "22:30:15"),
        ("", "../../etc/passwd", "22:30:15"),
    ],
)
def test_a_calls_time_is_told_in_the_zone_of_who_looks(
    people: People, browse: Browse, profile: str, browser: str, told: str
) -> None:
    save([make_request(people.keys["checkout-prod"], AT)])
    people.root.time_zone = profile
    people.root.save()
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = browser
    page = client.get("/ui/requests/?since=2026-11-01T00:00:00Z&until=2026-11-05T00:00:00Z")
    assert told in page.content.decode()
