"""A deployment's own price comes before one set for its model, and it is said where either stands."""

from proxy_app.models import Deployment, Model, Provider
from tests.seeding import People
from tests.usage_app.views.conftest import Browse
from usage_app.models import Price


def test_a_price_that_a_deployments_own_keeps_out_says_so(people: People, browse: Browse) -> None:
    provider = Provider.objects.create(name="play", kind="sandbox")
    served = Deployment.objects.create(
        model=Model.objects.create(name="gpt-5"), provider=provider, upstream_model="chat"
    )
    own = Price.objects.create(
        model="chat", deployment_id=served.pk, source="file", input_nanodollars=1, output_nanodollars=1
    )
    client = browse(people.root)
    asked = {"provider_kind": "sandbox", "model": "chat", "input_usd": "2.5", "output_usd": "20"}
    body = {**asked, "is_enabled": "on"}
    saved = client.post("/admin/usage_app/price/add/", body, follow=True).content.decode()
    assert f"Not charged at {served}: it has a price of its own." in saved
    page = client.get("/ui/prices/").content.decode()
    assert page.count("for gpt-5 · play alone") == 1
    assert page.count("not charged at gpt-5 · play, which has its own") == 1
    Price.objects.filter(pk=own.pk).update(is_enabled=False)
    assert "not charged at" not in client.get("/ui/prices/").content.decode()
    mine = Price.objects.get(source="admin")
    again = client.post(f"/admin/usage_app/price/{mine.pk}/change/", body, follow=True).content.decode()
    assert "Not charged at" not in again
