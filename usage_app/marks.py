"""Marks of state: a colour never stands alone, a word and a shape say the same."""

from collections.abc import Sequence

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from keys_app.models import Environment
from usage_app import figures

#: status -> (shape, tone)
STATUS_SHAPES = {
    "ok": ("●", "ok"),
    "error": ("▲", "error"),
    "refused": ("■", "stopped"),
    "cancelled": ("◆", "stopped"),
    "truncated": ("▲", "warn"),
    "interrupted": ("▲", "warn"),
}
#: Letters of a name that a line of a phone has room for.
_LONGEST_WHOLE = 36
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


def told(sentence: str, **values: str) -> SafeString:
    """A sentence with what stands in it as it is marked; what is not marked is escaped."""
    filled = conditional_escape(sentence) % {
        name: conditional_escape(value) for name, value in values.items()
    }
    return mark_safe(filled)  # noqa: S308  # both parts are escaped above


def opening(text: str, link: str) -> SafeString:
    """A number within a sentence that opens the calls it counts."""
    return format_html('<a class="gh-told" href="{}">{}</a>', link, text) if link else format_html("{}", text)


def in_one_piece(text: str) -> SafeString:
    """What no line ends within."""
    return format_html('<span class="gh-unbroken">{}</span>', text)


def name_in_words(name: str, link: str) -> SafeString:
    """A name within a sentence, that opens what it names: in one piece wherever a line has room for it.

    A piece that no line has room for would leave the sentence's next sign alone on a line of its own.
    """
    kind = "gh-whole" if len(name) <= _LONGEST_WHOLE else "gh-broken"
    return format_html('<span class="{}">{}</span>', kind, opening(name, link))


def cut_name(name: str, *, alone: bool = True) -> SafeString:
    """A name for a box that may be too small: what leads to it (`accounts/…/`) is cut before the name is."""
    way, _slash, last = name.rpartition("/")
    if not (way and last) or " " in name:  # words with a stroke between them are no way
        return format_html("{}", name) if alone else format_html('<span translate="no">{}</span>', name)
    pieces = '<span class="gh-way" translate="no"><bdi>{}/</bdi></span><span translate="no">{}</span>'
    return format_html(pieces, way, last)


def cut_names(names: Sequence[str]) -> SafeString:
    """The same of a line of several things: checkout · …/llama-v3."""
    if len(names) == 1:
        return cut_name(names[0])
    between = SafeString("<span> · </span>")
    return format_html_join(between, "{}", ((cut_name(name, alone=False),) for name in names))


def share_mark(part: int, whole: int, unpriced: int) -> str:
    """What part of a sum something is; unknown where nothing of it has a price."""
    return _now("unknown") if unpriced > 0 and not part else figures.share(part, whole)


def number_cell(text: str, exact: str, link: str, *, is_zero: bool) -> SafeString:
    """A cell of a table that has thousands of them: a template takes four times as long."""
    shown = format_html('<a href="{}">{}</a>', link, text) if link else text
    tone = " is-zero" if is_zero else ""
    return format_html('<td class="is-number{}" title="{}">{}</td>', tone, exact, shown)


def unpriced_words(calls: int) -> str:
    """What a sum leaves out, for who hovers or hears."""
    told = ngettext("%(count)s call, in no sum", "%(count)s calls, in no sum", calls)
    return f"{_now('without a price')}: {told % {'count': figures.grouped(calls)}}"


def exact_spend(nanodollars: int, unpriced: int) -> str:
    """A sum to the nanodollar, and what it leaves out."""
    exact = figures.exact_money(nanodollars)
    return f"{exact} · {unpriced_words(unpriced)}" if unpriced > 0 else exact


def charged_mark(nanodollars: int, *, has_unpriced: bool) -> SafeString:
    """What a budget was charged: with a plus where it has calls without a price, however many."""
    return with_plus(figures.money(nanodollars), is_more=has_unpriced)


def with_plus(text: str, *, is_more: bool) -> SafeString:
    """A figure of a budget: with a plus where `is_more`, for it has calls without a price."""
    return _with_plus(text, _now("Calls without a price")) if is_more else format_html("{}", text)


def spend_mark(nanodollars: int, unpriced: int) -> SafeString:
    """A sum as a cell has it: with a plus where calls without a price would add to it, or 'unpriced'."""
    if unpriced <= 0:
        return format_html("{}", figures.money(nanodollars))
    words = unpriced_words(unpriced)
    if not nanodollars:
        return format_html('<span class="gh-warn-text" title="{}">{}</span>', words, _now("unpriced"))
    return _with_plus(figures.money(nanodollars), words)


def _with_plus(text: str, words: str) -> SafeString:
    # One piece: the cells of a card on a phone set what they have apart.
    plus = '<span>{}<span class="gh-warn-text" title="{}">+</span></span>'
    return format_html(plus, text, words)
