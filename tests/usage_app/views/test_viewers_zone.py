"""In whose zone instants are told: the profile's, or else the browser's, or else the organisation's."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from keys_app.models import AuditEntry, KeyUse, VirtualKey
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


def test_rows_that_appear_are_told_in_the_zone_of_their_page(people: People, browse: Browse) -> None:
    """Though the browser's clock was moved since, or another tab has told another zone."""
    save([make_request(people.keys["checkout-prod"], AT)])
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = "Asia/Seoul"
    query = "since=2026-11-01T00:00:00Z&until=2026-11-05T00:00:00Z&fragment=table"
    headers = {"HX-Request": "true", "X-Gatehouse-Zone": "Europe/Berlin"}
    assert "23:30:15" in client.get(f"/ui/requests/?{query}", headers=headers).content.decode()
    people.root.time_zone = "America/New_York"
    people.root.save()
    assert "17:30:15" in browse(people.root).get(f"/ui/requests/?{query}", headers=headers).content.decode()


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


def test_the_admin_tells_and_reads_instants_in_the_zone_of_who_looks(people: People, browse: Browse) -> None:
    """As the window does: an expiry that is typed there is the instant that is shown there."""
    key = people.keys["checkout-prod"]
    KeyUse.objects.create(key_id=key.pk, last_used_at=AT)
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = "Asia/Seoul"
    forms = [form.formset for form in client.get(admin_page(key)).context["inline_admin_formsets"]]
    typed = {name: value for form in forms for name, value in management(form.prefix).items()}
    typed |= {"name": key.name, "environment": key.environment, "service": str(key.service_id or "")}
    typed |= {"user": str(key.user_id or ""), "expires_at_0": "2027-01-02", "expires_at_1": "08:15:00"}
    assert client.post(admin_page(key), typed).status_code == 302
    key.refresh_from_db()
    assert key.expires_at == datetime(2027, 1, 1, 23, 15, tzinfo=UTC)
    page = client.get(admin_page(key), headers={"accept-language": "en"}).content.decode()
    assert 'value="2027-01-02"' in page and 'value="08:15:00"' in page
    assert "4 Nov 2026, 07:30" in page  # last used
    AuditEntry.objects.update(at=AT)
    log = client.get("/admin/keys_app/auditentry/", headers={"accept-language": "en"}).content.decode()
    assert "4 Nov 2026, 07:30" in log


def test_a_zone_ends_with_its_page(people: People, browse: Browse) -> None:
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = "Asia/Seoul"
    client.get("/admin/")
    assert timezone.get_current_timezone_name() == "UTC"


def admin_page(key: VirtualKey) -> str:
    return f"/admin/keys_app/virtualkey/{key.pk}/change/"


def management(prefix: str) -> dict[str, str]:
    """A form's rows of another kind: none."""
    return {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}


def test_a_range_is_typed_and_told_in_the_zone_of_its_rows(people: People, browse: Browse) -> None:
    save([make_request(people.keys["checkout-prod"], AT)])
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = "Asia/Seoul"
    typed = "since=2026-11-04T07:30&until=2026-11-04T08:00"
    text = client.get(f"/ui/requests/?{typed}&zone=Asia/Seoul").content.decode()
    assert "07:30:15" in text
    assert "4 Nov, 07:30 – 4 Nov 2026, 08:00 · Asia/Seoul" in text
    assert 'name="since" required value="2026-11-04T07:30"' in text
    assert 'name="zone" value="Asia/Seoul"' in text
    client.cookies["gatehouse_zone"] = "America/New_York"  # whoever is sent the address
    text = client.get(f"/ui/requests/?{typed}&zone=Asia/Seoul").content.decode()
    assert "3 Nov, 17:30 – 3 Nov 2026, 18:00 · America/New_York" in text
    assert "17:30:15" in text


def test_a_range_of_whole_days_is_told_in_the_zone_of_the_days(people: People, browse: Browse) -> None:
    client = browse(people.root)
    client.cookies["gatehouse_zone"] = "Asia/Seoul"
    text = client.get("/ui/usage/?since=2026-11-01T00:00:00Z&until=2026-11-03T00:00:00Z").content.decode()
    assert "1 Nov 2026 – 2 Nov 2026 · UTC" in text
    text = client.get("/ui/usage/?since=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z").content.decode()
    assert "selected>1 Nov 2026 · UTC</option>" in text
