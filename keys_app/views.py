"""My keys: which keys are mine, what may they still spend? And how people get in without mail."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from gateway_project.clock import from_ms, now
from gateway_project.money import parse_usd
from keys_app import issuing, rights
from keys_app.access_links import find_link, use_link
from keys_app.audit import record_change
from keys_app.changing import change_key
from keys_app.forms import EditKeyForm, NewKeyForm, PasswordForm
from keys_app.frame import FrameView
from keys_app.issuing import BudgetTerms, LimitTerms
from keys_app.models import KeyUse, SignIn, VirtualKey
from keys_app.sessions import end_sessions, open_sessions
from keys_app.spending import TELLERS
from keys_app.standing import live_store, standing_of
from keys_app.tables import KeyTable, level_rows, state_mark

MOST_SHOWN = 200
GRACE_HOURS = 24


class MyKeysView(FrameView):
    """Keys of the viewer and of the services they manage, newest first."""

    name = "my-keys"
    title = _("My keys")
    template = "keys_app/my_keys.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        keys = rights.visible_keys(self.viewer)
        wanted = request.GET.get("search", "").strip()[:100]
        if self.viewer.sees_everything and "all" not in request.GET:
            keys = keys.filter(user=self.viewer)
        if wanted:
            keys = keys.filter(name__icontains=wanted) | keys.filter(last_four=wanted[-4:])
        found = list(keys.order_by("-id")[: MOST_SHOWN + 1])
        shown = found[:MOST_SHOWN]
        used = dict(
            KeyUse.objects.filter(key_id__in=[key.pk for key in shown]).values_list("key_id", "last_used_at")
        )
        cells = {name: TELLERS[f"my_keys_{name}"](shown, self.viewer) for name in ("spent", "budget")}
        return self.page(
            table=KeyTable(shown, now(), used, cells),
            wanted=wanted,
            more=len(found) > MOST_SHOWN,
            may_make=rights.may_make_keys(self.viewer),
        )


class OneKeyView(FrameView):
    """What the pages of one key share: a key that may not be seen is not there."""

    name = "my-keys"

    def key(self, key_id: UUID) -> VirtualKey:
        found = rights.visible_keys(self.viewer).filter(pk=key_id).first()
        if found is None:
            raise Http404
        return found


class MyKeyView(OneKeyView):
    """One key: its bounds, and each limit as it stands now."""

    template = "keys_app/my_key.html"

    def get(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = self.key(key_id)
        found = standing_of(key, live_store(request))
        rows = level_rows(found.levels, found.is_live)
        for row in rows:
            row["resets"] = row["resets"] and from_ms(row["resets"])
        used = KeyUse.objects.filter(pk=key.pk).first()
        return self.page(
            title=key.name,
            key=key,
            used=used,
            state=state_mark(key, now()),
            levels=rows,
            is_live=found.is_live,
            may_act=rights.may_act_on(self.viewer, key),
            grace_hours=GRACE_HOURS,
        )


class NewKeyView(FrameView):
    """Create a key; its secret is in the answer to the form, this once."""

    name = "my-keys"
    title = _("Create a key")
    template = "keys_app/new_key.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        self._refuse_viewers()
        return self.page(form=NewKeyForm(self.viewer))

    def post(self, request: HttpRequest) -> HttpResponse:
        self._refuse_viewers()
        form = NewKeyForm(self.viewer, request.POST)
        if not form.is_valid():
            return self.page(form=form, status=400)
        try:
            with transaction.atomic():
                values = issuing.with_defaults(wish_of(form.cleaned_data))
                values.setdefault("user", self.viewer if values.get("service") is None else None)
                values = rights.narrow_new_key(self.viewer, values)
                key, secret = issuing.issue_key(**values, created_by=self.viewer)
                record_change(self.viewer, key, "added")
        except (PermissionDenied, ValidationError) as refusal:
            form.add_error(None, str(refusal) if isinstance(refusal, PermissionDenied) else refusal)
            return self.page(form=form, status=403)
        return shown_once(self, key, secret, _now("The key is ready"), is_new=True)

    def _refuse_viewers(self) -> None:
        if not rights.may_make_keys(self.viewer):
            raise PermissionDenied(_now("You may not make keys."))


def wish_of(asked: dict[str, Any]) -> dict[str, Any]:
    """A form's values as the columns of a new key."""
    values: dict[str, Any] = {
        "name": asked["name"],
        "service": asked.get("service"),
        "environment": asked["environment"],
        "models_allowed": asked["models"],
    }
    if asked.get("days"):
        values["expires_at"] = now() + timedelta(days=asked["days"])
    if asked.get("budget_usd") is not None:
        values["budgets"] = [BudgetTerms(parse_usd(asked["budget_usd"]), asked["budget_period"])]
    if asked.get("requests_per_minute"):
        values["limits"] = LimitTerms(requests_per_minute=asked["requests_per_minute"])
    return values


class EditKeyView(OneKeyView):
    """Change a key: its name, and what it may be, within what the viewer may."""

    template = "keys_app/edit_key.html"
    #: columns that the form shows as words
    lists = {"models": "models_allowed", "endpoints": "endpoints_allowed", "networks": "networks"}

    def get(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = self._own(key_id)
        shown = {name: " ".join(getattr(key, column)) for name, column in self.lists.items()}
        form = EditKeyForm(initial={"name": key.name, "expires_at": key.expires_at, **shown})
        return self.page(title=key.name, key=key, form=form)

    def post(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = self._own(key_id)
        form = EditKeyForm(request.POST)
        if not form.is_valid():
            return self.page(title=key.name, key=key, form=form, status=400)
        wanted = {self.lists.get(name, name): value for name, value in form.cleaned_data.items()}
        if key.expires_at is not None and wanted["expires_at"] == key.expires_at.replace(
            second=0, microsecond=0
        ):
            del wanted["expires_at"]  # the form shows minutes
        values = {name: value for name, value in wanted.items() if value != getattr(key, name)}
        try:
            with transaction.atomic():
                rights.check_change(self.viewer, key, values)
                record_change(self.viewer, key, "changed", (), change_key(key, values))
        except PermissionDenied as refusal:
            form.add_error(None, str(refusal))
            return self.page(title=key.name, key=key, form=form, status=403)
        messages.success(request, _now("It holds within two seconds."))
        return redirect("keys:key", key_id=key.pk)

    def _own(self, key_id: UUID) -> VirtualKey:
        """A key the viewer may act on. Raises Http404, PermissionDenied."""
        key = self.key(key_id)
        if not rights.may_act_on(self.viewer, key):
            raise PermissionDenied(_now("This key is not yours to change."))
        if key.managed_by:
            raise PermissionDenied(_now("A configuration file defines this; it is changed there."))
        return key


class KeyActionView(OneKeyView):
    """Rotate or block a key: by POST alone."""

    http_method_names = ["post", "options"]
    actions = frozenset({"rotate", "block"})

    def post(self, request: HttpRequest, key_id: UUID, action: str) -> HttpResponse:
        key = self.key(key_id)
        if action not in self.actions:
            raise Http404
        if not rights.may_act_on(self.viewer, key):
            raise PermissionDenied(_now("This key is not yours to change."))
        if action == "block":
            issuing.block_key(key)
            record_change(self.viewer, key, "blocked")
            messages.success(request, _now("%(key)s is blocked.") % {"key": key})
            return redirect("keys:key", key_id=key.pk)
        if key.managed_by:
            raise PermissionDenied(_now("A configuration file defines this; it is changed there."))
        with transaction.atomic():
            secret = issuing.rotate_key(key, timedelta(hours=GRACE_HOURS))
            record_change(self.viewer, key, "rotated")
        return shown_once(self, key, secret, _now("The new secret"))


def shown_once(
    view: FrameView, key: VirtualKey, secret: str, title: str, *, is_new: bool = False
) -> HttpResponse:
    """The page with a secret: the answer to a POST, kept by no cache. A new key's leads to its first call."""
    response = view.page("keys_app/my_secret.html", title=title, key=key, secret=secret, is_new=is_new)
    add_never_cache_headers(response)
    return response


class SessionsView(FrameView):
    """Where the viewer is signed in; each of it, or all but this, can be ended."""

    name = "sessions"
    title = _("Where I am signed in")
    template = "keys_app/sessions.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(sessions=open_sessions(self.viewer), this=request.session.session_key)

    def post(self, request: HttpRequest) -> HttpResponse:
        wanted = SignIn.objects.all()
        if text := request.POST.get("session", ""):
            try:
                wanted = wanted.filter(pk=UUID(text))
            except ValueError:
                raise Http404 from None
        count = end_sessions(self.viewer, wanted, besides=request.session.session_key or "")
        if count:
            record_change(self.viewer, self.viewer, "ended sessions")
        return redirect("keys:sessions")


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class SetPasswordView(View):
    """A link that an admin handed over: it sets a password once."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        link = find_link(token)
        if link is None:
            return self._gone(request)
        return self._page(request, PasswordForm(link.user), link.user.username)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        link = find_link(token)
        if link is None:
            return self._gone(request)
        form = PasswordForm(link.user, request.POST)
        if not form.is_valid():
            return self._page(request, form, link.user.username, status=400)
        if not use_link(link, form.cleaned_data["password"]):
            return self._gone(request)
        messages.success(request, _now("The password is set: sign in with it."))
        return redirect("ui:sign-in")

    def _page(self, request: HttpRequest, form: PasswordForm, name: str, status: int = 200) -> HttpResponse:
        context = {"form": form, "username": name, "title": _("Set a password")}
        response = render(request, "keys_app/set_password.html", context, status=status)
        response["Referrer-Policy"] = "no-referrer"  # the address is the secret
        return response

    def _gone(self, request: HttpRequest) -> HttpResponse:
        context = {"title": _("This link no longer works")}
        return render(request, "keys_app/link_gone.html", context, status=404)
