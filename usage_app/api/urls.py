"""Addresses of the usage endpoints, under /api/v1/."""

from django.urls import URLPattern, path

import usage_app.api.openapi  # noqa: F401  registers how the callers authenticate
from usage_app.api.views import RequestDetail, RequestList, Usage

urlpatterns: list[URLPattern] = [
    path("requests/", RequestList.as_view(), name="requests"),
    path("requests/<str:pk>/", RequestDetail.as_view(), name="request"),
    path("usage/", Usage.as_view(), name="usage"),
]
