"""Signing in and out, and the language of the pages."""

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.generic import View

from keys_app.models import User
from usage_app.forms import SignInForm
from usage_app.theme import theme_stylesheet


class SignInView(LoginView):
    """One sign-in for the window and the admin."""

    template_name = "ui/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {**context, "title": _("Sign in")}

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        user = form.get_user()
        if isinstance(user, User) and check_for_language(user.language):
            keep_language(response, user.language)
        return response


class SignOutView(View):
    """By POST alone; the session goes, and the live socket with it at its next check."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        logout(request)
        return HttpResponseRedirect(reverse("ui:sign-in"))


class LanguageView(View):
    """Changes the language of the pages, for this browser and for this person."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        target = request.POST.get("next", "")
        if not url_has_allowed_host_and_scheme(target, {request.get_host()}):
            target = reverse("ui:overview")
        response = HttpResponseRedirect(target)
        language = request.POST.get("language", "")
        if check_for_language(language) and language in dict(settings.LANGUAGES):
            keep_language(response, language)
            if isinstance(request.user, User):
                User.objects.filter(pk=request.user.pk).update(language=language)
        return response


def keep_language(response: HttpResponseBase, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


@cache_control(max_age=365 * 24 * 3600, public=True, immutable=True)
def theme(request: HttpRequest) -> HttpResponse:
    """Unfold's colours as a stylesheet: it writes them into each page, which our policy forbids."""
    return HttpResponse(theme_stylesheet(), content_type="text/css; charset=utf-8")
