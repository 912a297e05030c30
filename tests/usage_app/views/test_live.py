"""Live's page: what its header chooses is what its socket asks for."""

from tests.seeding import People
from tests.usage_app.views.conftest import Browse


def test_the_page_asks_for_what_the_header_chose_wherever_it_was_chosen(
    people: People, browse: Browse
) -> None:
    browser = browse(people.root)
    browser.get(f"/ui/requests/?environment=production&service={people.checkout.pk}")
    page = browser.get("/ui/live/").content.decode()
    assert f'ws/live/?environment=production&amp;service={people.checkout.pk}"' in page
    assert "Nothing of what is chosen above is in flight." in page
    assert 'name="range"' not in page
    assert 'ws/live/"' in browser.get("/ui/live/?environment=&service=").content.decode()
