"""Addresses of the management API of providers, models and deployments, under /api/v1/."""

from typing import Any

from django.urls import URLPattern, path

from proxy_app.api.explaining import ExplainView
from proxy_app.api.replaying import ReplayView
from proxy_app.api.views import DeploymentViewSet, ModelViewSet, ProviderViewSet

_LIST: dict[str, Any] = {"get": "list", "post": "create"}
_ROW: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}
_TEST: dict[str, Any] = {"post": "test"}
_MODELS: dict[str, Any] = {"get": "models"}

urlpatterns: list[URLPattern] = [
    path("providers/", ProviderViewSet.as_view(_LIST), name="providers"),
    path("providers/<str:pk>/", ProviderViewSet.as_view(_ROW), name="provider"),
    path("providers/<str:pk>/test/", ProviderViewSet.as_view(_TEST), name="provider-test"),
    path("providers/<str:pk>/models/", ProviderViewSet.as_view(_MODELS), name="provider-models"),
    path("models/", ModelViewSet.as_view(_LIST), name="models"),
    path("models/<str:pk>/", ModelViewSet.as_view(_ROW), name="model"),
    path("route/explain/", ExplainView.as_view(), name="route-explain"),
    path("requests/<str:pk>/replay/", ReplayView.as_view(), name="request-replay"),
    path("deployments/", DeploymentViewSet.as_view(_LIST), name="deployments"),
    path("deployments/<str:pk>/", DeploymentViewSet.as_view(_ROW), name="deployment"),
    path("deployments/<str:pk>/test/", DeploymentViewSet.as_view(_TEST), name="deployment-test"),
]
