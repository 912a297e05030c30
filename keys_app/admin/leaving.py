"""Of one person in the admin: a link to set a password, where they are signed in, and their leaving."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from keys_app.access_links import make_link
from keys_app.admin.acting import ActionPage, Outcome, change_url, serve
from keys_app.admin.base import ControlAdmin
from keys_app.admin.marks import doing
from keys_app.audit import record_change
from keys_app.models import Service, User, VirtualKey
from keys_app.offboarding import keys_of, offboard
from keys_app.sessions import end_sessions, open_sessions


class LeavingForm(forms.Form):
    """Which keys go to whom; all others are blocked."""

    keys = forms.ModelMultipleChoiceField(
        VirtualKey.objects.none(),
        label=_("Keys to hand over; all others are blocked"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    to_user = forms.ModelChoiceField(
        User.objects.none(), label=_("To the user"), required=False, widget=UnfoldAdminSelectWidget
    )
    to_service = forms.ModelChoiceField(
        Service.objects.filter(is_active=True),
        label=_("To the service"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, user: User, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        rows = {"keys": keys_of(user), "to_user": User.objects.filter(is_active=True).exclude(pk=user.pk)}
        for name, queryset in rows.items():
            choice = self.fields[name]
            assert isinstance(choice, forms.ModelChoiceField)
            choice.queryset = queryset


class LeavingAdmin(ControlAdmin):
    """The part of the admin of people that is about getting in and leaving."""

    actions_detail = ("link", "sign_out", "leave")

    @doing(description=_("Link to set a password"), url_path="link", permissions=["act"], icon="link")
    def link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._person(request, object_id)

        def act(_form: None) -> Outcome:
            if not user.is_active or user.username == "master":
                raise PermissionDenied
            link = make_link(user, request.user)
            sentence = _now("Hand this link over: it is shown this once, works once and ends by itself.")
            return Outcome(True, sentence, ((_now("Link"), link),))

        page = ActionPage(
            title=_now("A link for %(name)s") % {"name": user.username},
            sentence=_now(
                "Whoever opens the link sets the password of this person. Older links stop working."
            ),
            button=_now("Make the link"),
            act=act,
        )
        return serve(self, request, user, page)

    @doing(description=_("Sign out everywhere"), url_path="sign-out", permissions=["act"], icon="logout")
    def sign_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._person(request, object_id)

        def act(_form: None) -> HttpResponse:
            count = end_sessions(user)
            record_change(request.user, user, "signed out")
            self.message_user(request, _now("%(count)d sessions ended.") % {"count": count}, messages.SUCCESS)
            return redirect(change_url(user))

        sessions: list[str] = [
            format_html(
                '{} UTC · {} · <span lang="en">{}</span>',
                f"{row.began_at:%Y-%m-%d %H:%M}",
                row.address,
                row.client[:80],
            )
            for row in open_sessions(user)
        ]
        page = ActionPage(
            title=_now("Sign %(name)s out") % {"name": user.username},
            sentence=_now("All sessions of this person end."),
            button=_now("End the sessions"),
            act=act,
            notes=sessions,
        )
        return serve(self, request, user, page)

    @doing(
        description=_("Has left"),
        url_path="leave",
        permissions=["act"],
        icon="person_off",
        variant=ActionVariant.DANGER,
    )
    def leave(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._person(request, object_id)

        def act(form: LeavingForm) -> HttpResponse | Outcome:
            chosen = form.cleaned_data
            try:
                done = offboard(
                    request.user,
                    user,
                    hand_over=chosen["keys"],
                    to_user=chosen["to_user"],
                    to_service=chosen["to_service"],
                )
            except ValidationError as error:
                return Outcome(False, " ".join(error.messages))
            told = _now("%(handed_over)d keys were handed over, %(blocked)d are blocked.") % done
            self.message_user(request, told, messages.SUCCESS)
            return redirect(change_url(user))

        page = ActionPage(
            title=_now("%(name)s leaves") % {"name": user.username},
            sentence=_now(
                "The person is deactivated and signed out. Their keys stop, unless somebody else gets them."
            ),
            button=_now("Deactivate"),
            act=act,
            form=LeavingForm(user, request.POST if request.method == "POST" else None),
            dangerous=True,
        )
        return serve(self, request, user, page)

    def has_act_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(request.user.has_perm("keys_app.change_user"))

    def _person(self, request: HttpRequest, object_id: str) -> User:
        found = self.get_object(request, object_id)
        if not isinstance(found, User):
            raise Http404
        return found
