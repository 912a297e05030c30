"""Providers, models and deployments over the management API: connect, try out, publish."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.conf import config
from gateway_project.money import usd_string
from keys_app.api.management import ManagementViewSet, columns, refuse_managed
from keys_app.api.problems import Conflict
from keys_app.audit import record_change
from proxy_app.api.serializers import (
    DeploymentAnswer,
    DeploymentBody,
    ListedModelsAnswer,
    ModelAnswer,
    ModelBody,
    ProviderAnswer,
    ProviderBody,
    TestAnswer,
    TestBody,
    render_deployment,
    render_model,
    render_provider,
)
from proxy_app.credentials import set_credential
from proxy_app.models import Deployment, Model, Provider
from proxy_app.probe_result import ProbeResult
from proxy_app.probing import probe, try_provider
from proxy_app.providers.checking import check_provider
from proxy_app.providers.presets import PRESETS


class ProviderUnwell(APIException):
    """The provider could not be asked; `detail` says why."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_code = "provider_unwell"


@extend_schema_view(
    list=extend_schema(responses=ProviderAnswer(many=True)),
    retrieve=extend_schema(responses=ProviderAnswer),
)
class ProviderViewSet(ManagementViewSet):
    """Where calls go."""

    scope = "catalogue"
    queryset = Provider.objects.all()
    filters = {"name": "name", "kind": "kind"}
    serializer_class = ProviderBody

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filtered()) or []
        return self.get_paginated_response([render_provider(row) for row in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(render_provider(self.row()))

    @extend_schema(request=ProviderBody, responses={201: ProviderAnswer})
    def create(self, request: Request) -> Response:
        body = ProviderBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        values.setdefault("name", values["kind"].replace("_", "-"))
        if Provider.objects.filter(name=values["name"]).exists():
            raise Conflict(_("There is a provider %(name)s already.") % {"name": values["name"]})
        default = PRESETS[values["kind"]].may_be_private or config().allow_private_upstreams
        values.setdefault("may_be_private", default)
        row = Provider(kind=values.pop("kind"))
        _check(row.kind, values)
        return self._save(request, row, values, "added", status.HTTP_201_CREATED)

    @extend_schema(request=ProviderBody(partial=True), responses=ProviderAnswer)
    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.row()
        refuse_managed(row)
        body = ProviderBody(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        moves = any(name in values and values[name] != getattr(row, name) for name in ("kind", "base_url"))
        if moves and row.credential_encrypted and "credential" not in values:
            raise ValidationError({"credential": [_("A new address needs its own credential.")]})
        stored = {"base_url": row.base_url, "settings": row.settings}
        _check(values.get("kind", row.kind), {**stored, **values})
        return self._save(request, row, values, "changed", status.HTTP_200_OK)

    def _save(
        self, request: Request, row: Provider, values: dict[str, Any], verb: str, code: int
    ) -> Response:
        fields = sorted(values)
        if "credential" in values:
            set_credential(row, values.pop("credential"))
        for name, value in values.items():
            setattr(row, name, value)
        with transaction.atomic():
            row.save()
            record_change(request.user, row, verb, fields)
        return Response(render_provider(row), status=code)

    @extend_schema(request=None, responses=TestAnswer)
    def test(self, request: Request, pk: str) -> Response:
        return Response(render_trial(try_provider(self.row().pk)))

    @extend_schema(responses=ListedModelsAnswer)
    def models(self, request: Request, pk: str) -> Response:
        result = try_provider(self.row().pk)
        if not result.ok:
            raise ProviderUnwell(result.detail)
        return Response({"results": [{"id": m.id, "label": m.label} for m in result.models]})


@extend_schema_view(
    list=extend_schema(responses=ModelAnswer(many=True)),
    retrieve=extend_schema(responses=ModelAnswer),
)
class ModelViewSet(ManagementViewSet):
    """The names applications ask for."""

    scope = "catalogue"
    queryset = Model.objects.prefetch_related("deployments__provider", "deployments__model")
    filters = {"name": "name", "is_enabled": "is_enabled"}
    serializer_class = ModelBody

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filtered()) or []
        return self.get_paginated_response([render_model(row) for row in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(render_model(self.row()))

    @extend_schema(request=ModelBody, responses={201: ModelAnswer})
    def create(self, request: Request) -> Response:
        body = ModelBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = columns(dict(body.validated_data), {})
        serving = serving_of(values)
        if Model.objects.filter(name=values["name"]).exists():
            raise Conflict(_("There is a model %(name)s already.") % {"name": values["name"]})
        with transaction.atomic():
            row = Model.objects.create(**values)
            for deployment in serving:
                Deployment.objects.create(model=row, **deployment)
            record_change(request.user, row, "added")
        return Response(render_model(self.get_queryset().get(pk=row.pk)), status=status.HTTP_201_CREATED)

    @extend_schema(request=ModelBody(partial=True), responses=ModelAnswer)
    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.row()
        refuse_managed(row)
        body = ModelBody(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        values = columns(dict(body.validated_data), {})
        if moved := [name for name in ("provider", "upstream_model", "deployments") if name in values]:
            raise ValidationError({name: [_("Change the model's deployments.")] for name in moved})
        taken = Model.objects.filter(name=values.get("name", row.name)).exclude(pk=row.pk)
        if taken.exists():
            raise Conflict(_("There is a model %(name)s already.") % {"name": values["name"]})
        for name, value in values.items():
            setattr(row, name, value)
        with transaction.atomic():
            row.save()
            record_change(request.user, row, "changed", sorted(values))
        return Response(render_model(self.row()))


@extend_schema_view(
    list=extend_schema(responses=DeploymentAnswer(many=True)),
    retrieve=extend_schema(responses=DeploymentAnswer),
)
class DeploymentViewSet(ManagementViewSet):
    """The ways a model is served."""

    scope = "catalogue"
    queryset = Deployment.objects.select_related("model", "provider")
    filters = {"model": "model_id", "provider": "provider_id", "is_enabled": "is_enabled"}
    serializer_class = DeploymentBody

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filtered()) or []
        return self.get_paginated_response([render_deployment(row) for row in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(render_deployment(self.row()))

    @extend_schema(request=DeploymentBody, responses={201: DeploymentAnswer})
    def create(self, request: Request) -> Response:
        body = DeploymentBody(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            row = Deployment.objects.create(**body.validated_data)
            record_change(request.user, row, "added")
        return Response(render_deployment(row), status=status.HTTP_201_CREATED)

    @extend_schema(request=DeploymentBody(partial=True), responses=DeploymentAnswer)
    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.row()
        refuse_managed(row)
        body = DeploymentBody(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        for name, value in body.validated_data.items():
            setattr(row, name, value)
        with transaction.atomic():
            row.save()
            record_change(request.user, row, "changed", sorted(body.validated_data))
        return Response(render_deployment(row))

    @extend_schema(request=TestBody, responses=TestAnswer)
    def test(self, request: Request, pk: str) -> Response:
        body = TestBody(data=request.data)
        body.is_valid(raise_exception=True)
        result = probe(self.row().pk, body.validated_data["model"], str(request.user))
        return Response(render_trial(result))


def _check(kind: str, values: dict[str, Any]) -> None:
    """Raise ValidationError for what a kind of provider cannot be called with."""
    found = check_provider(
        kind, values.get("base_url") or "", values.get("settings") or {}, values.get("credential")
    )
    if found:
        raise ValidationError({name: [sentence] for name, sentence in found.items()})


def serving_of(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The deployments a new model starts with; their fields are taken out of `values`."""
    provider, upstream = values.pop("provider", None), values.pop("upstream_model", "")
    serving: list[dict[str, Any]] = values.pop("deployments", [])
    if provider is None and upstream:
        raise ValidationError({"provider": [_("An upstream model needs its provider.")]})
    if provider is not None:
        serving.append({"provider": provider, "upstream_model": upstream or values["name"]})
    return serving


def render_trial(result: ProbeResult) -> dict[str, Any]:
    """A trial as `TestAnswer`."""
    cost = result.cost_nanodollars
    return {
        "ok": result.ok,
        "detail": result.detail,
        "code": result.code,
        "duration_ms": result.duration_ms,
        "text": result.text,
        "input_tokens": result.input_tokens,
        "output_tokens": result.output_tokens,
        "cost_usd": None if cost is None else usd_string(cost),
        "request_id": result.request_id,
        "models": [{"id": model.id, "label": model.label} for model in result.models],
    }
