"""Addresses of the management API of keys, people, services, budgets and limits, under /api/v1/."""

from typing import Any

from django.urls import URLPattern, path

import keys_app.api.openapi  # noqa: F401  registers how the callers authenticate
from keys_app.api.allowances import BudgetViewSet, RateLimitViewSet
from keys_app.api.control import (
    AlertTargetViewSet,
    AuditViewSet,
    EnvironmentViewSet,
    ManagementKeyViewSet,
)
from keys_app.api.keys import KeyViewSet
from keys_app.api.management import ManagementViewSet
from keys_app.api.many_keys import ManyKeysViewSet
from keys_app.api.members import MemberViewSet
from keys_app.api.own import OwnKeyView, PolicyViewSet
from keys_app.api.people import ServiceViewSet, UserViewSet

_LIST: dict[str, Any] = {"get": "list", "post": "create"}
_ROW: dict[str, Any] = {"get": "retrieve", "patch": "partial_update"}
_WHOLE: dict[str, Any] = {**_ROW, "delete": "destroy"}


def _post(view: type[ManagementViewSet], address: str, action: str, name: str) -> URLPattern:
    return path(address, view.as_view({"post": action}), name=name)


def _get(view: type[ManagementViewSet], address: str, action: str, name: str) -> URLPattern:
    return path(address, view.as_view({"get": action}), name=name)


urlpatterns: list[URLPattern] = [
    path("key", OwnKeyView.as_view(), name="own-key"),
    path("keys/", KeyViewSet.as_view(_LIST), name="keys"),
    _post(ManyKeysViewSet, "keys/bulk/", "bulk", "keys-bulk"),
    _post(ManyKeysViewSet, "keys/import/", "bring_in", "keys-import"),
    _get(ManyKeysViewSet, "keys/export/", "export", "keys-export"),
    _get(ManyKeysViewSet, "keys/unused/", "unused", "keys-unused"),
    path("keys/<str:pk>/", KeyViewSet.as_view(_WHOLE), name="key"),
    _post(KeyViewSet, "keys/<str:pk>/block/", "block", "key-block"),
    _post(KeyViewSet, "keys/<str:pk>/unblock/", "unblock", "key-unblock"),
    _post(KeyViewSet, "keys/<str:pk>/rotate/", "rotate", "key-rotate"),
    _post(KeyViewSet, "keys/<str:pk>/clone/", "clone", "key-clone"),
    _get(PolicyViewSet, "keys/<str:pk>/policy/", "retrieve", "key-policy"),
    path("services/", ServiceViewSet.as_view(_LIST), name="services"),
    path("services/<str:pk>/", ServiceViewSet.as_view(_ROW), name="service"),
    path(
        "services/<str:pk>/members/",
        MemberViewSet.as_view({"get": "list", "post": "create"}),
        name="members",
    ),
    path(
        "services/<str:pk>/members/<str:user>/",
        MemberViewSet.as_view({"delete": "destroy"}),
        name="member",
    ),
    path("users/", UserViewSet.as_view(_LIST), name="users"),
    path("users/<str:pk>/", UserViewSet.as_view(_ROW), name="user"),
    _post(UserViewSet, "users/<str:pk>/link/", "link", "user-link"),
    path(
        "users/<str:pk>/offboarding/",
        UserViewSet.as_view({"get": "leaving", "post": "offboard"}),
        name="user-offboarding",
    ),
    path(
        "users/<str:pk>/sessions/",
        UserViewSet.as_view({"get": "sessions", "delete": "end_sessions"}),
        name="user-sessions",
    ),
    path("budgets/", BudgetViewSet.as_view(_LIST), name="budgets"),
    path("budgets/<str:pk>/", BudgetViewSet.as_view(_WHOLE), name="budget"),
    _post(BudgetViewSet, "budgets/<str:pk>/increase/", "increase", "budget-increase"),
    path(
        "budgets/<str:pk>/top-ups/",
        BudgetViewSet.as_view({"get": "top_ups", "post": "top_up"}),
        name="budget-top-ups",
    ),
    path("limits/", RateLimitViewSet.as_view(_LIST), name="limits"),
    path("limits/<str:pk>/", RateLimitViewSet.as_view(_WHOLE), name="limit"),
    _get(EnvironmentViewSet, "environments/", "list", "environments"),
    path(
        "environments/<str:environment>/",
        EnvironmentViewSet.as_view({"patch": "partial_update"}),
        name="environment",
    ),
    path("alert-targets/", AlertTargetViewSet.as_view(_LIST), name="alert-targets"),
    path("alert-targets/<str:pk>/", AlertTargetViewSet.as_view(_WHOLE), name="alert-target"),
    path("management-keys/", ManagementKeyViewSet.as_view(_LIST), name="management-keys"),
    path(
        "management-keys/<str:pk>/",
        ManagementKeyViewSet.as_view({"delete": "destroy"}),
        name="management-key",
    ),
    _post(ManagementKeyViewSet, "management-keys/<str:pk>/block/", "block", "management-key-block"),
    _get(AuditViewSet, "audit/", "list", "audit"),
]
