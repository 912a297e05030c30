"""Pages that do one thing to one object: they say what will happen, ask, and show the outcome.

An action's link is a GET and changes nothing; the form on its page posts with a CSRF token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from unfold.admin import ModelAdmin


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a page shows after its button was pressed: rows of (label, value), and what came in English."""

    ok: bool
    sentence: str
    rows: tuple[tuple[str, str], ...] = ()
    told: str = ""


@dataclass(slots=True)
class ActionPage:
    """`act` gets the valid form and returns an Outcome to show here or a response to go elsewhere."""

    title: str
    sentence: str
    button: str
    act: Callable[[Any], Outcome | HttpResponse]
    form: forms.Form | None = None
    dangerous: bool = False
    notes: list[str] = field(default_factory=list)


def serve(admin: ModelAdmin, request: HttpRequest, row: Any, page: ActionPage) -> HttpResponse:
    """The page on GET; on POST its act, then the outcome."""
    outcome: Outcome | None = None
    if request.method == "POST" and (page.form is None or page.form.is_valid()):
        done = page.act(page.form)
        if isinstance(done, HttpResponse):
            return done
        outcome = done
    return render(
        admin, request, row, "keys_app/action.html", {"page": page, "outcome": outcome, "title": page.title}
    )


def show_secret(admin: ModelAdmin, request: HttpRequest, row: Any, secret: str, title: str) -> HttpResponse:
    """The page that shows a key's secret, this once: it is the answer to the POST and stored nowhere."""
    context = {"title": title, "secret": secret, "settings_url": change_url(row)}
    return render(admin, request, row, "keys_app/secret.html", context)


def render(
    admin: ModelAdmin, request: HttpRequest, row: Any, template: str, context: dict[str, Any]
) -> HttpResponse:
    """A page inside the admin that no cache keeps."""
    whole = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "original": row,
        "back_url": change_url(row),
        **context,
    }
    response = TemplateResponse(request, template, whole).render()
    add_never_cache_headers(response)
    return response


def change_url(row: Any) -> str:
    """The edit form of an object."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
