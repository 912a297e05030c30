"""Addresses of the control and observation plane. The data plane has its own in proxy_app.urls."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("keys_app.api.urls")),
]
