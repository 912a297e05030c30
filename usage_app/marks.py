"""Marks of state: a colour never stands alone, a word and a shape say the same."""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from keys_app.models import Environment

#: status -> (shape, tone)
STATUS_SHAPES = {
    "ok": ("●", "ok"),
    "error": ("▲", "error"),
    "refused": ("■", "stopped"),
    "cancelled": ("◆", "stopped"),
    "truncated": ("▲", "warn"),
    "interrupted": ("▲", "warn"),
}
ENVIRONMENT_SHORT = {
    Environment.PRODUCTION: _("prod"),
    Environment.TEST: _("test"),
    Environment.EXPERIMENT: _("exp"),
}


def status_mark(status: str, label: object) -> SafeString:
    shape, tone = STATUS_SHAPES.get(status, ("○", "muted"))
    return format_html(
        '<span class="gh-status is-{}"><i aria-hidden="true">{}</i><span>{}</span></span>', tone, shape, label
    )


def environment_mark(environment: str) -> SafeString:
    """production, test and experiment told apart by a word; nothing where there is none."""
    if not environment:
        return SafeString("")
    word = ENVIRONMENT_SHORT.get(environment, environment)  # type: ignore[call-overload]
    whole = dict(Environment.choices).get(environment, environment)
    return format_html('<span class="gh-mark is-{}" title="{}">{}</span>', environment, whole, word)


def sandbox_mark(model: str = "") -> SafeString:
    """What the sandbox answered is made up, and says so wherever it shows; a name that says it will do."""
    if model.startswith("sandbox"):
        return SafeString("")
    return format_html(
        '<span class="gh-mark is-sandbox" title="{}">{}</span>', _("A made-up answer"), _("sandbox")
    )


def number_cell(text: str, exact: str, link: str, *, is_zero: bool) -> SafeString:
    """A cell of a table that has thousands of them: a template takes four times as long."""
    shown = format_html('<a href="{}">{}</a>', link, text) if link else text
    tone = " is-zero" if is_zero else ""
    return format_html('<td class="is-number{}" title="{}">{}</td>', tone, exact, shown)
