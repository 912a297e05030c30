"""Scripts for `manage.py shell`: what the objects of a server are called, and every page of its admin.

`NAMES` prints {"names": […]}. `SCRIPT` makes one row of each kind, and from the admin's registry prints
{"paths": […], "names": […], "tries": […]}: where to go, the names there, and pages whose button is pressed.
"""

_NAMES = """
import json
from django.contrib import admin
from usage_app.models import Price

names = {"master"}  # the holder of the master key
for model in admin.site._registry:
    columns = {field.name for field in model._meta.fields if not field.is_relation}
    for column in {"name", "username", "model", "upstream_model", "target", "provider_kind"} & columns:
        names |= set(model.objects.values_list(column, flat=True))
tiered = Price.objects.filter(source="list").exclude(tiers=[]).first()
unpriced = Price.objects.exclude(unpriced_reason="").first()
names |= {tiered.model, unpriced.model}
names.discard("")
"""
NAMES = f"""{_NAMES}
print(json.dumps({{"names": sorted(names)}}))
"""

_ROWS = """
from datetime import timedelta
from gateway_project.clock import now
from keys_app.audit import record_change, record_event
from keys_app.models import *
from proxy_app.models import *
from usage_app.models import *

service = Service.objects.get(name="shop")
user = User.objects.order_by("pk").first()
key = VirtualKey.objects.get(name="assistant")
provider = Provider.objects.create(name="lab", kind="openai_compatible", base_url="https://example.org/v1")
models = [Model.objects.create(name=name) for name in ("lab-large", "lab-small")]
Deployment.objects.create(model=models[0], provider=provider, upstream_model="lab-large")
Fallback.objects.create(model=models[0], target=models[1])
RateLimit.objects.create(scope="service", service=service, requests_per_minute=60)
ManagementKey.objects.create(
    name="robot", secret_hash="0" * 64, last_four="0000", scopes=["keys:read", "usage:write"]
)
AlertTarget.objects.create(name="pager", kind="webhook", address="https://example.org/hook")
EnvironmentDefaults.objects.get_or_create(environment="test", defaults={"key_days": 30})
Price.objects.create(
    provider_kind="openai_compatible", model="lab-large", input_nanodollars=1, source="admin",
    tiers=[{"from_input_tokens": 1000, "input": 2, "output": 3}],
)
Alert.objects.create(kind="ledger_lag", subject="lab", detail="lab", first_at=now(), last_at=now())
VirtualKey.objects.filter(pk=key.pk).update(expires_at=now() + timedelta(days=30))
for row in (key, Budget.objects.get(key=key), service, provider):
    record_change(user, row, "changed", ("budget",), {"created_at": ["", "lab"]})
    record_change("system", row, "given a reset link")
record_event(user, "stopped", "call", "lab", {"call_id": [None, "lab"]})
record_change(user, service, "changed", (), {"is_active": [True, False], "name": ["lab", "shop"]})

bare = Provider.objects.create(name="bare", kind="openai")
sandbox = Provider.objects.get(kind="sandbox")
tries = [f"/admin/proxy_app/provider/{row.pk}/test/" for row in (bare, sandbox)]
told = {"models_allowed": [[], "250 items"], "name": ["lab", "shop"]}
record_change(user, service, "changed", (), told)
"""

_PAGES = """
paths = ["/admin/"]
for model, its in admin.site._registry.items():
    root = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    rows = [model.objects.order_by("pk").first(), model.objects.order_by("pk").last()]
    for url in its.get_urls():
        pattern = str(url.pattern)
        if "<" not in pattern:
            paths.append(root + pattern)
        elif pattern.startswith("<path:object_id>/"):
            paths += [root + pattern.replace("<path:object_id>", str(row.pk)) for row in rows if row]
paths += [f"/admin/usage_app/price/{row.pk}/change/" for row in (tiered, unpriced)]
print(json.dumps({"paths": list(dict.fromkeys(paths)), "names": sorted(names), "tries": tries}))
"""
SCRIPT = _ROWS + _NAMES + _PAGES
