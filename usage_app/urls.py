"""Addresses of the window."""

from django.urls import path

from usage_app.views import accounts, getting_started, live, overview, request, requests

app_name = "ui"
urlpatterns = [
    path("", overview.OverviewView.as_view(), name="overview"),
    path("live/", live.LiveView.as_view(), name="live"),
    path("requests/", requests.RequestsView.as_view(), name="requests"),
    path("requests/<uuid:request_id>/", request.RequestView.as_view(), name="request"),
    path("get-started/", getting_started.GettingStartedView.as_view(), name="get-started"),
    path("sign-in/", accounts.SignInView.as_view(), name="sign-in"),
    path("sign-out/", accounts.SignOutView.as_view(), name="sign-out"),
    path("theme.css", accounts.theme, name="theme"),
    path("language/", accounts.LanguageView.as_view(), name="language"),
]
