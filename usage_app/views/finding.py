"""What the command palette finds: pages, and the keys, services, models, people and calls one sees."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from keys_app import rights
from keys_app.models import User
from usage_app.usable import may_call, model_names
from usage_app.views.page import PageView
from usage_app.views.scope import visible_requests

#: Of each kind.
MOST = 6
MOST_PAGES = 12
#: Keys by which is decided what models somebody who is no admin may know of.
MOST_KEYS = 100


class Found(NamedTuple):
    icon: str
    label: str
    detail: str
    href: str


#: What an admin sets: model, the column by which it is found, its drawing.
CONTROLLED = (
    ("keys_app.VirtualKey", "name", "key"),
    ("keys_app.User", "username", "person"),
    ("keys_app.Service", "name", "apps"),
    ("proxy_app.Model", "name", "neurology"),
    ("proxy_app.Deployment", "upstream_model", "alt_route"),
    ("proxy_app.Provider", "name", "dns"),
)
MOST_CONTROLLED = 3  # of each


class FindView(PageView):
    """A fragment: what matches `s`; without it the pages."""

    name = "find"
    has_selection = False

    def get(self, request: HttpRequest) -> HttpResponse:
        kinds = (
            (_("Calls"), self.calls, MOST),
            (_("Go to"), self.pages, MOST_PAGES),
            (_("Keys"), self.keys, MOST),
            (_("Services"), self.of_services, MOST),
            (_("Models"), self.models, MOST),
            (_("Users"), self.people, MOST),
            (_("Control"), self.controlled, MOST_CONTROLLED * len(CONTROLLED)),
        )
        groups = [(title, list(find())[:most]) for title, find, most in kinds]
        groups = [group for group in groups if group[1]]
        return self.fragment("ui/_found.html", groups=groups, query=self.query)

    @cached_property
    def query(self) -> str:
        return self.request.GET.get("s", "").strip()[:100]

    def keeping(self, address: Any, **parameters: Any) -> str:
        """A page with the choice of the one that the palette was opened on."""
        return f"{address}?{urlencode({**self.asked.parameters, **parameters})}"

    def matches(self, text: Any) -> bool:
        return self.query.casefold() in str(text).casefold()

    def pages(self) -> Iterable[Found]:
        site: Any = admin.site
        for group in site.get_sidebar_list(self.request):
            if not self.query and group["title"] == _("Control"):
                continue
            for item in group["items"]:
                if item["has_permission"] and self.matches(item["title"]):
                    link = self.keeping(item["link"]) if item.get("keeps_choice") else item["link"]
                    yield Found(item["icon"], str(item["title"]), str(group["title"]), link)

    def calls(self) -> Iterable[Found]:
        """A call by its whole id: what its answer's `x-request-id` and every error say."""
        try:
            wanted = UUID(self.query)
        except ValueError:
            return
        for row in visible_requests(self.sight).filter(pk=wanted)[:1]:
            yield Found("receipt_long", row.model, row.key_name, reverse("ui:request", args=[row.pk]))

    def keys(self) -> Iterable[Found]:
        if len(self.query) < 2:
            return
        named = Q(name__icontains=self.query)
        if len(self.query) == 4:  # as the last four letters of a secret are shown
            named |= Q(last_four=self.query)
        for key in rights.visible_keys(self.viewer).filter(named).order_by("name")[:MOST]:
            owner = key.service or key.user
            detail = f"{key.hint} · {owner}" if owner else key.hint
            yield Found("key", key.name, detail, reverse("keys:key", args=[key.pk]))

    def of_services(self) -> Iterable[Found]:
        if self.query:
            for service in self.services:
                if self.matches(service.name):
                    address = self.keeping(reverse("ui:overview"), service=service.pk)
                    yield Found("apps", service.name, "", address)

    def models(self) -> Iterable[Found]:
        if not self.query:
            return
        names = [name for name in model_names() if self.matches(name)]
        if names and not self.sight.everything:
            keys = list(rights.visible_keys(self.viewer)[:MOST_KEYS])
            names = [name for name in names if any(may_call(key, name) for key in keys)]
        for name in names:
            yield Found("neurology", name, "", self.keeping(reverse("ui:requests"), model=name))

    def people(self) -> Iterable[Found]:
        if len(self.query) < 2 or not self.sight.everything:
            return
        named = Q(username__icontains=self.query) | Q(email__icontains=self.query)
        for person in User.objects.filter(named).order_by("username")[:MOST]:
            address = self.keeping(reverse("ui:requests"), user=person.pk)
            yield Found("person", person.username, person.get_role_display(), address)

    def controlled(self) -> Iterable[Found]:
        """What an admin's own pages are about."""
        if len(self.query) < 2 or not self.viewer.is_staff or not self.sight.everything:
            return
        for label, column, icon in CONTROLLED:
            model = apps.get_model(label)
            rows = model._default_manager.filter(**{f"{column}__icontains": self.query}).order_by(column)
            for row in rows[:MOST_CONTROLLED]:
                address = reverse(
                    f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk]
                )
                yield Found(icon, str(row), str(model._meta.verbose_name), address)
