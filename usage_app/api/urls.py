"""Addresses of the usage endpoints, under /api/v1/."""

from django.urls import URLPattern, path

import usage_app.api.openapi  # noqa: F401  registers how the callers authenticate
from usage_app.api.stopping import StopCall, StopCalls
from usage_app.api.views import OwnRequests, RequestDetail, RequestList, Usage

urlpatterns: list[URLPattern] = [
    path("key/requests", OwnRequests.as_view(), name="own-requests"),
    path("requests/stop", StopCalls.as_view(), name="requests-stop"),
    path("requests/<str:pk>/stop", StopCall.as_view(), name="request-stop"),
    path("requests/", RequestList.as_view(), name="requests"),
    path("requests/<str:pk>/", RequestDetail.as_view(), name="request"),
    path("usage/", Usage.as_view(), name="usage"),
]
