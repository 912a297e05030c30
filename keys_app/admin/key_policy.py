"""Of one key in the admin: its effective policy, and a clone of it."""

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import from_ms
from keys_app.admin.acting import ActionPage, render, serve, show_secret
from keys_app.admin.base import ControlAdmin
from keys_app.admin.marks import doing
from keys_app.audit import record_change
from keys_app.copying import clone_key
from keys_app.models import User, VirtualKey
from keys_app.standing import live_store, standing_of
from keys_app.tables import level_rows


class OneKeyAdmin(ControlAdmin):
    """The part of the admin of keys that is about one."""

    @doing(description=_("What limits it"), url_path="policy", permissions=["view"], icon="speed")
    def policy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Each level's limit, spent, held, left and reset, and which binds first."""
        key = self._one(request, object_id)
        asked = {name: request.GET.get(name, "")[:200] for name in ("model", "provider", "end_user")}
        found = standing_of(key, live_store(request), **asked)
        rows = level_rows(found.levels, found.is_live)
        for row in rows:
            row["resets"] = row["resets"] and from_ms(row["resets"])
        context = {
            "title": _now("What limits %(key)s") % {"key": key},
            "levels": rows,
            "is_live": found.is_live,
            "asked": asked,
        }
        return render(self, request, key, "keys_app/policy.html", context)

    @doing(description=_("Clone"), url_path="clone", permissions=["act"], icon="content_copy")
    def clone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._one(request, object_id)

        def act(_form: None) -> HttpResponse:
            person = request.user if isinstance(request.user, User) else None
            with transaction.atomic():
                made = clone_key(key, created_by=person)
                record_change(request.user, made.key, "added", (), {"cloned from": [None, str(key.pk)]})
            return show_secret(self, request, made.key, made.secret, _now("The key is ready"))

        page = ActionPage(
            title=_now("Clone %(key)s") % {"key": key},
            sentence=_now(
                "A new key with the same owner, bounds, budgets and limits; its own secret and history."
            ),
            button=_now("Make the clone"),
            act=act,
        )
        return serve(self, request, key, page)

    def _one(self, request: HttpRequest, object_id: str) -> VirtualKey:
        key = self.get_object(request, object_id)
        if key is None:
            raise Http404
        found: VirtualKey = key
        return found
