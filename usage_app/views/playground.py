"""Playground: how do these models answer, how fast, for how much? Called as a key the viewer may use."""

from typing import Any
from uuid import UUID

from django.db.models import Case, Q, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import add_never_cache_headers
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import now, now_ms
from gateway_project.conf import config
from keys_app import rights
from keys_app.grants import VALID_S, make_grant
from keys_app.models import Environment, VirtualKey
from usage_app.snippets import PLAYED
from usage_app.usable import may_call, model_names
from usage_app.views.page import PageView

MOST_KEYS = 100
#: Columns of models side by side.
MOST_MODELS = 4


def production_last() -> Case:
    return Case(When(environment=Environment.PRODUCTION, then=1), default=0)


class KeyedView(PageView):
    """What both share: the keys as which the viewer may call."""

    name = "playground"
    has_selection = False

    @property
    def usable(self) -> "QuerySet[VirtualKey]":
        """Their own keys and those of services they manage, as far as these work now."""
        works = Q(expires_at__isnull=True) | Q(expires_at__gt=now())
        keys = rights.visible_keys(self.viewer).filter(works, blocked_at__isnull=True)
        return keys.none() if self.viewer.changes_nothing else keys


class PlaygroundView(KeyedView):
    title = _("Playground")
    template = "ui/playground.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        models = [name for name in model_names() if self.key is not None and may_call(self.key, name)]
        asked = [name for name in request.GET.getlist("model") if name][:MOST_MODELS]
        real = [name for name in models if not name.startswith("sandbox")]
        return self.page(
            keys=self.keys,
            key=self.key,
            models=models,
            chosen=asked or (real or models or ["sandbox"])[:1],
            most_models=MOST_MODELS,
            base_url=config().public_url,
            played=PLAYED,
            replay=self.replay,
        )

    @property
    def replay(self) -> str:
        """The call whose words are to be asked again, for who may read what was said."""
        try:
            wanted = str(UUID(self.request.GET.get("replay", "")))
        except ValueError:
            return ""
        return wanted if self.viewer.has_perm("usage_app.read_bodies") else ""

    @cached_property
    def keys(self) -> list[VirtualKey]:
        """Their own first; of those of others, production last: the first is what a question is billed to."""
        own = self.usable.filter(user=self.viewer).order_by("-id")[:MOST_KEYS]
        others = self.usable.exclude(user=self.viewer).order_by(production_last(), "-id")[:MOST_KEYS]
        return [*own, *others]

    @cached_property
    def key(self) -> VirtualKey | None:
        wanted = self.request.GET.get("key", "")
        return next((key for key in self.keys if str(key.pk) == wanted), self.keys[0] if self.keys else None)


class GrantView(KeyedView):
    """POST `key`: a grant for a minute, for the page's own calls."""

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            key_id = UUID(request.POST.get("key", ""))
        except ValueError:
            raise Http404 from None
        key = self.usable.filter(pk=key_id).first()
        if key is None:
            raise Http404
        grant = make_grant(str(key.pk), str(self.viewer.pk), self.viewer.username, now_ms())
        told: dict[str, Any] = {"grant": grant, "valid_s": VALID_S}
        answer = JsonResponse(told)
        add_never_cache_headers(answer)
        return answer
