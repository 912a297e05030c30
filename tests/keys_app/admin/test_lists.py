"""Lists of the admin: where there is nothing, a cell says so in a word."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import Client
from django.utils.html import strip_tags

from gateway_project.clock import now
from keys_app.models import (
    AlertTarget,
    AuditEntry,
    Budget,
    EnvironmentDefaults,
    ManagementKey,
    RateLimit,
    Service,
    User,
    VirtualKey,
)
from proxy_app.models import Deployment, Model, Provider
from usage_app.models import Alert, Price

pytestmark = pytest.mark.django_db


@pytest.fixture
def bare(admin_client: Client) -> Client:
    """One row of each kind, with nothing in it that may be missing."""
    service = Service.objects.create(name="shop")
    VirtualKey.objects.create(name="robot", service=service, secret_hash="1" * 64, last_four="aaaa")
    VirtualKey.objects.create(
        name="own", user=User.objects.create(username="new"), secret_hash="2" * 64, last_four="bbbb"
    )
    ManagementKey.objects.create(name="robot", secret_hash="0" * 64, last_four="0000", scopes=[])
    EnvironmentDefaults.objects.get_or_create(environment="test")
    AlertTarget.objects.create(name="pager", kind="webhook", address="https://example.org/hook")
    Budget.objects.create(scope="service", service=service, amount_nanodollars=10**9, period="total")
    RateLimit.objects.create(scope="service", service=service, parallel=2)
    provider = Provider.objects.create(name="lab", kind="openai")
    model = Model.objects.create(name="lab")
    Deployment.objects.create(model=model, provider=provider, upstream_model="lab")
    Price.objects.create(provider_kind="openai", model="lab", input_nanodollars=1, source="admin")
    Alert.objects.create(kind="ledger_lag", subject="lab", first_at=now() - timedelta(1), last_at=now())
    AuditEntry.objects.create(actor="system", verb="changed", kind="keys_app.service", object_id="1")
    return admin_client


def cells(client: Client, address: str) -> list[tuple[str, str]]:
    """(column, text) of the list's cells."""
    text = client.get(address).content.decode()
    found = re.findall(r'<t[dh] class="field-(\w+)[^>]*>(.*?)</t[dh]>', text, re.DOTALL)
    return [(name, strip_tags(inner).strip()) for name, inner in found if name != "action_checkbox"]


def test_no_cell_of_a_list_is_a_dash_alone(bare: Client) -> None:
    looked_at = 0
    for model in admin.site._registry:
        opts = model._meta
        found = cells(bare, f"/admin/{opts.app_label}/{opts.model_name}/")
        assert [(opts.model_name, name) for name, text in found if text in ("-", "None")] == []
        looked_at += len(found)
    assert looked_at > 60


@pytest.mark.parametrize(
    ("path", "column", "said"),
    [
        ("keys_app/virtualkey/", "owner", "nobody"),
        ("keys_app/virtualkey/", "service", "none"),
        ("keys_app/virtualkey/", "last_used", "never"),
        ("keys_app/virtualkey/", "managed", "nobody"),
        ("keys_app/user/", "signed_in", "never"),
        ("keys_app/user/", "service_names", "none"),
        ("keys_app/service/", "centre", "none"),
        ("keys_app/managementkey/", "ends", "never"),
        ("keys_app/ratelimit/", "requests_most", "no limit"),
        ("keys_app/environmentdefaults/", "days", "no limit"),
        ("keys_app/alerttarget/", "of_service", "All services"),
        ("usage_app/alert/", "resolved", "not yet"),
        ("usage_app/alert/", "reached", "nobody"),
    ],
)
def test_what_is_missing_has_its_word(bare: Client, path: str, column: str, said: str) -> None:
    assert (column, said) in cells(bare, f"/admin/{path}")
