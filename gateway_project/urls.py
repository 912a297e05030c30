"""Addresses of the control and observation plane. The data plane has its own in proxy_app.urls."""

from typing import Any

from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from keys_app.admin.site import sign_in as admin_sign_in
from keys_app.api.authentication import IsAdmin, ManagementAuthentication, WindowSession

_FOR_ADMINS: dict[str, Any] = {
    "authentication_classes": [ManagementAuthentication, WindowSession],
    "permission_classes": [IsAdmin],
}

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="ui:overview")),
    path("favicon.ico", RedirectView.as_view(url=static("gatehouse/mark.svg"))),
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("ui/", include("usage_app.urls")),
    path("ui/", include("keys_app.urls")),
    path("api/v1/", include("keys_app.api.urls")),
    path("api/v1/", include("proxy_app.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(**_FOR_ADMINS), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema", **_FOR_ADMINS), name="api-docs"),
    path("key/", include("keys_app.api.litellm_urls")),
    path("api/v1/", include("usage_app.api.urls")),
]

handler403 = "usage_app.views.failures.no_permission"
handler404 = "usage_app.views.failures.not_found"
handler500 = "usage_app.views.failures.failed"
