"""Addresses of the management API of keys, services and people, under /api/v1/."""

from typing import Any

from django.urls import URLPattern, path

import keys_app.api.openapi  # noqa: F401  registers how the callers authenticate
from keys_app.api.keys import KeyViewSet, OwnKeyView
from keys_app.api.people import ServiceViewSet, UserViewSet

_LIST: dict[str, Any] = {"get": "list", "post": "create"}
_ROW: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}

urlpatterns: list[URLPattern] = [
    path("key", OwnKeyView.as_view(), name="own-key"),
    path("keys/", KeyViewSet.as_view(_LIST), name="keys"),
    path("keys/<str:pk>/", KeyViewSet.as_view({**_ROW, "delete": "destroy"}), name="key"),
    path("keys/<str:pk>/block/", KeyViewSet.as_view({"post": "block"}), name="key-block"),
    path("keys/<str:pk>/unblock/", KeyViewSet.as_view({"post": "unblock"}), name="key-unblock"),
    path("keys/<str:pk>/rotate/", KeyViewSet.as_view({"post": "rotate"}), name="key-rotate"),
    path("services/", ServiceViewSet.as_view(_LIST), name="services"),
    path("services/<str:pk>/", ServiceViewSet.as_view(_ROW), name="service"),
    path("users/", UserViewSet.as_view(_LIST), name="users"),
    path("users/<str:pk>/", UserViewSet.as_view(_ROW), name="user"),
]
