"""POST /api/v1/route/explain/: would this call pass, and where would it go?"""

import time
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.clock import now, now_ms
from gateway_project.errors import GatehouseError, KeyBlocked, KeyExpired
from gateway_project.money import usd_string
from keys_app import rights
from keys_app.api.authentication import IsPerson, acting_user
from keys_app.api.management import Managed
from keys_app.api.serializers import StrictSerializer
from keys_app.issuing import key_state
from keys_app.limits.contract import Demand, LevelState
from keys_app.models import VirtualKey
from keys_app.standing import Standing, as_dict, demand_of, live_store, principal_of, standing
from proxy_app.catalogue import ModelEntry
from proxy_app.catalogue_loading import CatalogueSection
from proxy_app.explaining import Finding, Question, Surroundings, explain, shown_refusal
from usage_app.pricebook import PriceSection


class ExplainBody(StrictSerializer):
    """The call that is not made. `key` is its id, never its secret."""

    key = serializers.UUIDField()
    model = serializers.CharField(max_length=200)
    input_tokens = serializers.IntegerField(min_value=0, max_value=100_000_000, default=0)
    max_output_tokens = serializers.IntegerField(
        min_value=1, max_value=100_000_000, required=False, allow_null=True, default=None
    )
    end_user = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    stream = serializers.BooleanField(default=False)
    endpoint = serializers.CharField(max_length=60, default="chat.completions")
    address = serializers.IPAddressField(required=False, default="")


class ExplainView(Managed):
    """Policy, limits and plan for a call, without calling. Nothing is reserved."""

    scope = "keys"
    permission_classes = [IsPerson]

    @extend_schema(request=ExplainBody, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        body = ExplainBody(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        key = self._key(asked.pop("key"))
        end_user = asked.pop("end_user")
        seen: list[Standing] = []

        def limits(model: ModelEntry) -> tuple[Demand, Sequence[LevelState]]:
            providers = {deployment.provider.name for deployment in model.deployments}
            provider = providers.pop() if len(providers) == 1 else ""
            demand = demand_of(key, model=model.name, provider=provider, end_user=end_user)
            seen.append(standing(demand, live_store(request._request)))
            return demand, seen[0].levels

        finding = explain(Question(**asked), _surroundings(request, key), limits)
        finding.refusal = _key_refusal(key) or finding.refusal
        return Response(render_finding(finding, seen[0] if seen else None))

    def _key(self, key_id: Any) -> VirtualKey:
        person = acting_user(self.request.user)
        keys = VirtualKey.objects.all() if person is None else rights.visible_keys(person)
        key = keys.select_related("user", "service").filter(pk=key_id).first()
        if key is None:
            raise NotFound(_("There is nothing with this id."))
        if person is not None and not person.is_active:
            raise PermissionDenied
        return key


def _key_refusal(key: VirtualKey) -> GatehouseError | None:
    """What a call is refused with before it is read."""
    match key_state(key, now()):
        case "active":
            return None
        case "expired":
            return KeyExpired()
        case state:
            return KeyBlocked(None if state == "blocked" else "The owner of this API key is deactivated.")


def _surroundings(request: Request, key: VirtualKey) -> Surroundings:
    """The worker's own picture where it has one, else the rows as they are."""
    services = getattr(request._request, "scope", {}).get("state", {}).get("services")
    if services is not None and services.keeper.ready:
        sections, cooling = services.keeper.current.sections, services.health.cooling
    else:
        sections, cooling = {"catalogue": CatalogueSection().load(), "prices": PriceSection().load()}, {}
    return Surroundings(
        principal_of(key), sections["catalogue"], sections["prices"], cooling, time.monotonic(), now_ms()
    )


def render_finding(finding: Finding, stands: Standing | None) -> dict[str, Any]:
    hold, plan = finding.hold, finding.plan
    return {
        "passes": finding.refusal is None,
        "refusal": shown_refusal(finding.refusal),
        "model": finding.model or None,
        "hold_usd": None if hold is None else usd_string(hold.nanodollars),
        "output_cap": None if hold is None else hold.output_cap,
        "is_live": stands is not None and stands.is_live,
        "levels": [as_dict(level, stands.is_live) for level in stands.levels] if stands else [],
        "plan": None if plan is None else plan.decision(),
    }
