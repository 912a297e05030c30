"""Addresses of the window."""

from django.urls import path

from usage_app.views import (
    accounts,
    budgets,
    corrections,
    exports,
    finding,
    getting_started,
    live,
    models,
    overview,
    playground,
    prices,
    request,
    requests,
    usage,
)

app_name = "ui"
urlpatterns = [
    path("", overview.OverviewView.as_view(), name="overview"),
    path("live/", live.LiveView.as_view(), name="live"),
    path("requests/", requests.RequestsView.as_view(), name="requests"),
    path("requests/<uuid:request_id>/", request.RequestView.as_view(), name="request"),
    path("requests/views/", requests.SavedViewsView.as_view(), name="views"),
    path("requests/views/<uuid:view_id>/", requests.SavedViewsView.as_view(), name="view"),
    path("usage/", usage.UsageView.as_view(), name="usage"),
    path("budgets/", budgets.BudgetsView.as_view(), name="budgets"),
    path("budgets/<uuid:budget_id>/", budgets.BudgetView.as_view(), name="budget"),
    path("models/", models.ModelsView.as_view(), name="models"),
    path("prices/", prices.PricesView.as_view(), name="prices"),
    path("prices/<uuid:price_id>/correction/", corrections.CorrectionView.as_view(), name="correction"),
    path("playground/", playground.PlaygroundView.as_view(), name="playground"),
    path("playground/grant/", playground.GrantView.as_view(), name="grant"),
    path("exports/", exports.ExportsView.as_view(), name="exports"),
    path("exports/<uuid:export_id>/", exports.ExportFileView.as_view(), name="export-file"),
    path("find/", finding.FindView.as_view(), name="find"),
    path("get-started/", getting_started.GettingStartedView.as_view(), name="get-started"),
    path("sign-in/", accounts.SignInView.as_view(), name="sign-in"),
    path("sign-out/", accounts.SignOutView.as_view(), name="sign-out"),
    path("theme.css", accounts.theme, name="theme"),
    path("language/", accounts.LanguageView.as_view(), name="language"),
]
