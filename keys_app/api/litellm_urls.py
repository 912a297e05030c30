"""Addresses of LiteLLM's key endpoints, under /key/."""

from django.urls import URLPattern, path, re_path

from keys_app.api import litellm

urlpatterns: list[URLPattern] = [
    path("generate", litellm.GenerateView.as_view(), name="litellm-generate"),
    path("update", litellm.UpdateView.as_view(), name="litellm-update"),
    path("block", litellm.BlockView.as_view(), name="litellm-block"),
    path("unblock", litellm.UnblockView.as_view(), name="litellm-unblock"),
    path("delete", litellm.DeleteView.as_view(), name="litellm-delete"),
    path("info", litellm.InfoView.as_view(), name="litellm-info"),
    path("list", litellm.ListView.as_view(), name="litellm-list"),
    re_path(r"^.*$", litellm.UnknownView.as_view(), name="litellm-unknown"),
]
