"""Addresses of this app's pages in the window, under /ui/."""

from django.urls import URLPattern, path

from keys_app import service_views, views

app_name = "keys"
urlpatterns: list[URLPattern] = [
    path("keys/", views.MyKeysView.as_view(), name="mine"),
    path("keys/new/", views.NewKeyView.as_view(), name="new"),
    path("keys/<uuid:key_id>/", views.MyKeyView.as_view(), name="key"),
    path("keys/<uuid:key_id>/edit/", views.EditKeyView.as_view(), name="edit"),
    path("keys/<uuid:key_id>/<slug:action>/", views.KeyActionView.as_view(), name="act"),
    path("services/", service_views.ServicesView.as_view(), name="services"),
    path("services/<uuid:service_id>/", service_views.ServiceView.as_view(), name="service"),
    path("sessions/", views.SessionsView.as_view(), name="sessions"),
    path("password/<str:token>/", views.SetPasswordView.as_view(), name="set-password"),
]
