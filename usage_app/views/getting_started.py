"""Get started: connect a provider, copy a snippet, see the first call arrive."""

from typing import Any

from django.apps import apps
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from gateway_project.conf import config
from keys_app.models import VirtualKey
from usage_app.models import Request
from usage_app.snippets import SNIPPETS
from usage_app.usable import models_of, suggested
from usage_app.views.page import PageView
from usage_app.views.scope import visible_requests

#: kind -> (name, what its key looks like, does it need an address)
PROVIDER_KINDS: tuple[tuple[str, str, str, bool], ...] = (
    ("openai", "OpenAI", "sk-…", False),
    ("anthropic", "Anthropic", "sk-ant-…", False),
    ("gemini", "Google Gemini", "AIza…", False),
    ("mistral", "Mistral", "", False),
    ("deepseek", "DeepSeek", "sk-…", False),
    ("groq", "Groq", "gsk_…", False),
    ("xai", "xAI", "xai-…", False),
    ("openrouter", "OpenRouter", "sk-or-…", False),
    ("openai_compatible", "OpenAI-compatible", "", True),
)


class GettingStartedView(PageView):
    """The page; `fragment=first` is the waiting for the first call."""

    name = "get-started"
    title = _("Get started")
    template = "ui/get_started.html"
    has_selection = False

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.headers.get("HX-Request") and request.GET.get("fragment") == "first":
            return self.fragment("ui/_first_call.html", first=self.newest_call())
        model = self.model
        base_url = config().public_url
        providers = self.providers() if self.viewer.sees_everything else []
        return self.page(
            first=self.newest_call(),
            keys=self.keys,
            key=self.key,
            models=self.models,
            model=model,
            base_url=base_url,
            snippets=[(snippet, snippet.filled(base_url, model)) for snippet in SNIPPETS],
            providers=providers,
            connected=any(provider.kind != "sandbox" for provider in providers),
            provider_kinds=PROVIDER_KINDS,
            may_connect=self.viewer.sees_everything,
            awaits_service=self.awaits_service and not self.keys,
            may_make_keys=self.viewer.has_perm("keys_app.make_keys"),
        )

    @cached_property
    def keys(self) -> list[VirtualKey]:
        """Keys the viewer may use, their own first: these and those of their services, the newest first."""
        keys: QuerySet[VirtualKey] = VirtualKey.objects.filter(blocked_at__isnull=True)
        if not self.sight.everything:
            keys = keys.filter(Q(user=self.viewer) | Q(service_id__in=list(self.sight.service_ids)))
        others = Case(When(user=self.viewer, then=0), default=1)
        return list(keys.select_related("service", "user").order_by(others, "-created_at")[:50])

    @cached_property
    def key(self) -> VirtualKey | None:
        wanted = self.request.GET.get("key", "")
        return next((key for key in self.keys if str(key.pk) == wanted), self.keys[0] if self.keys else None)

    @cached_property
    def models(self) -> list[str]:
        """Models the chosen key may call; names only, patterns cannot be called."""
        return models_of(self.key)

    @property
    def model(self) -> str:
        """The model asked for, else the one to begin with."""
        wanted = self.request.GET.get("model", "")
        return wanted if wanted in self.models else suggested(self.models)

    def newest_call(self) -> Request | None:
        rows = visible_requests(self.sight)
        if self.key is not None:
            rows = rows.filter(key_id=str(self.key.pk))
        return rows.exclude(status=Request.Status.REFUSED).order_by("-id").first()

    def providers(self) -> list[Any]:
        providers = apps.get_model("proxy_app", "Provider").objects.filter(is_enabled=True)
        return list(providers.only("id", "name", "kind", "credential_hint"))
