"""Addresses of the control and observation plane. The data plane has its own in proxy_app.urls."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from keys_app.admin.site import sign_in as admin_sign_in

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="ui:overview")),
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("ui/", include("usage_app.urls")),
    path("api/v1/", include("keys_app.api.urls")),
    path("api/v1/", include("usage_app.api.urls")),
]

handler403 = "usage_app.views.accounts.no_permission"
handler404 = "usage_app.views.accounts.not_found"
