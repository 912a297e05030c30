"""Bodies and answers of the management API of providers, models and deployments."""

import json
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from keys_app.api.serializers import OwnerField, StrictSerializer, names_field
from proxy_app.credentials import shown_address
from proxy_app.models import Deployment, Model, Provider
from proxy_app.providers.presets import PRESETS, QUIRKS, SETTINGS

LONGEST_CREDENTIAL = 8000  # characters: a service account's key of 4096 bits has room


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "object", "additionalProperties": True}]})
class CredentialField(serializers.Field):  # type: ignore[type-arg]
    """A key as text; a service account or AWS access keys as the JSON object they are, or as its text."""

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, dict):
            data = json.dumps(data)
        if not isinstance(data, str):
            raise serializers.ValidationError(_("A credential is text or a JSON object."))
        if len(data) > LONGEST_CREDENTIAL:
            raise serializers.ValidationError(_("This is too long for a credential."))
        return data.strip()

    def to_representation(self, value: Any) -> None:
        return None


class ProviderBody(StrictSerializer):
    """A provider. `credential` is written and never answered."""

    kind = serializers.ChoiceField([(preset.kind, preset.label) for preset in PRESETS.values()])
    name = serializers.SlugField(max_length=64, required=False)
    credential = CredentialField(required=False, write_only=True)
    base_url = serializers.URLField(max_length=400, required=False, allow_blank=True)
    settings = serializers.DictField(
        child=serializers.CharField(max_length=100, allow_blank=True),
        required=False,
        help_text="region (Bedrock), project and location (Vertex AI), api_version (Azure)",
    )
    may_be_private = serializers.BooleanField(required=False)
    is_enabled = serializers.BooleanField(required=False)

    def validate_settings(self, settings: dict[str, str]) -> dict[str, str]:
        if unknown := [name for name in settings if name not in SETTINGS]:
            raise serializers.ValidationError({name: [_("There is no such setting.")] for name in unknown})
        return {name: value for name, value in settings.items() if value}


class QuirksField(serializers.DictField):
    """Where a deployment's model differs from others of its provider."""

    def __init__(self) -> None:
        told = 'By the names under docs/providers.md#quirks: {"drop_hosted_tools": true}'
        super().__init__(required=False, help_text=told)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        quirks: dict[str, Any] = super().to_internal_value(data)
        if unknown := [name for name in quirks if name not in QUIRKS]:
            raise serializers.ValidationError({name: [_("There is no such quirk.")] for name in unknown})
        return quirks


class ServingBody(StrictSerializer):
    """One deployment of the model it stands in."""

    provider = OwnerField(Provider, ("name",))
    upstream_model = serializers.CharField(max_length=200)
    weight = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    order = serializers.IntegerField(min_value=0, max_value=1000, required=False)
    quirks = QuirksField()


class ModelBody(StrictSerializer):
    """A public name and what serves it: one `provider`, or a list of `deployments`."""

    name = serializers.CharField(max_length=200)
    provider = OwnerField(Provider, ("name",), required=False)
    upstream_model = serializers.CharField(max_length=200, required=False)
    deployments = ServingBody(many=True, required=False)
    aliases = names_field()
    description = serializers.CharField(max_length=400, required=False, allow_blank=True)
    strategy = serializers.ChoiceField(Model.Strategy.choices, required=False)
    is_enabled = serializers.BooleanField(required=False)

    def validate_name(self, name: str) -> str:
        if "*" in name[:-1]:
            raise serializers.ValidationError(_("A * may stand at the end only."))
        return name


class DeploymentBody(StrictSerializer):
    model = OwnerField(Model, ("name",))
    provider = OwnerField(Provider, ("name",))
    upstream_model = serializers.CharField(max_length=200)
    weight = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    order = serializers.IntegerField(min_value=0, max_value=1000, required=False)
    quirks = QuirksField()
    is_enabled = serializers.BooleanField(required=False)


class TestBody(StrictSerializer):
    """`model` names what a deployment with a * is asked for."""

    model = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class ProviderAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()
    base_url = serializers.CharField()
    credential_hint = serializers.CharField()
    settings = serializers.DictField(child=serializers.CharField())
    may_be_private = serializers.BooleanField()
    is_enabled = serializers.BooleanField()
    managed_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class DeploymentAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    model = serializers.UUIDField()
    model_name = serializers.CharField()
    provider = serializers.UUIDField()
    provider_name = serializers.CharField()
    upstream_model = serializers.CharField()
    weight = serializers.IntegerField()
    order = serializers.IntegerField()
    quirks = serializers.DictField()
    is_enabled = serializers.BooleanField()
    managed_by = serializers.CharField()


class ModelAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    strategy = serializers.CharField()
    is_enabled = serializers.BooleanField()
    managed_by = serializers.CharField()
    deployments = DeploymentAnswer(many=True)


class ListedModelAnswer(serializers.Serializer[Any]):
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class ListedModelsAnswer(serializers.Serializer[Any]):
    results = ListedModelAnswer(many=True)


class TestAnswer(serializers.Serializer[Any]):
    """`ok` false is a trial that failed; `detail` says why."""

    ok = serializers.BooleanField()
    detail = serializers.CharField()
    code = serializers.CharField()
    duration_ms = serializers.FloatField(allow_null=True)
    text = serializers.CharField()
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cost_usd = serializers.CharField(allow_null=True)
    request_id = serializers.CharField()
    models = ListedModelAnswer(many=True)


def render_provider(row: Provider) -> dict[str, Any]:
    """One provider as `ProviderAnswer`."""
    return {
        "id": str(row.pk),
        "name": row.name,
        "kind": row.kind,
        "base_url": shown_address(row),
        "settings": row.settings,
        "credential_hint": row.credential_hint,
        "may_be_private": row.may_be_private,
        "is_enabled": row.is_enabled,
        "managed_by": row.managed_by,
        "created_at": row.created_at,
    }


def render_deployment(row: Deployment) -> dict[str, Any]:
    """One deployment as `DeploymentAnswer`; model and provider should be selected with it."""
    return {
        "id": str(row.pk),
        "model": str(row.model_id),
        "model_name": row.model.name,
        "provider": str(row.provider_id),
        "provider_name": row.provider.name,
        "upstream_model": row.upstream_model,
        "weight": row.weight,
        "order": row.order,
        "quirks": row.quirks,
        "is_enabled": row.is_enabled,
        "managed_by": row.managed_by,
    }


def render_model(row: Model) -> dict[str, Any]:
    """One model as `ModelAnswer`; its deployments should be prefetched."""
    return {
        "id": str(row.pk),
        "name": row.name,
        "aliases": row.aliases,
        "description": row.description,
        "strategy": row.strategy,
        "is_enabled": row.is_enabled,
        "managed_by": row.managed_by,
        "deployments": [render_deployment(deployment) for deployment in row.deployments.all()],
    }
