"""What the window's templates need: figures as text, instants, marks, links that keep the view."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import QueryDict
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from gateway_project import clock
from keys_app.frame import zone_named
from keys_app.models import Environment
from usage_app import figures, marks
from usage_app.budget_states import BudgetState
from usage_app.models import Attempt, Request
from usage_app.reports_sums import Totals
from usage_app.selection import Selection
from usage_app.tables import cost_of
from usage_app.theme import theme_version

register = template.Library()


@register.filter
def money(nanodollars: int | None) -> str:
    return _("unknown") if nanodollars is None else figures.money(nanodollars)


@register.filter
def exact_money(nanodollars: int | None) -> str:
    return _("unknown") if nanodollars is None else figures.exact_money(nanodollars)


@register.filter
def tokens(count: int | None) -> str:
    return _("unknown") if count is None else figures.grouped(count)


@register.filter
def short_count(count: float | None) -> str:
    return _("unknown") if count is None else figures.short_count(count)


@register.filter
def duration(milliseconds: float | None) -> str:
    return _("unknown") if milliseconds is None else figures.duration(milliseconds)


@register.filter
def usual(milliseconds: float | None) -> str:
    return _("unknown") if milliseconds is None else figures.usual(milliseconds)


@register.filter
def share_of(part: float, whole: float) -> str:
    return figures.share(part, whole)


@register.filter
def instant(moment: datetime | None, style: str = "full") -> SafeString | str:
    """An instant in the viewer's zone; the ISO form on hover. style: full, time or day."""
    if moment is None:
        return _("unknown")
    local = timezone.localtime(moment)
    # Translators: the following are formats of dates, in Django's letters.
    formats = {"full": _("j M Y, H:i:s"), "time": "H:i:s", "day": _("j M, H:i:s")}
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="milliseconds"),
        local.isoformat(timespec="milliseconds"),
        date_format(local, formats[style]),
    )


@register.filter
def since_day(moment: datetime, other: datetime) -> SafeString | str:
    """An instant beside another one: its time, and its day if that is not the same."""
    same = timezone.localtime(moment).date() == timezone.localtime(other).date()
    return instant(moment, "time" if same else "day")


@register.filter
def local_input(moment: datetime) -> str:
    """An instant as a field for a date and a time takes it, in the viewer's zone."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


@register.filter
def signed_money(nanodollars: int) -> SafeString:
    """+$4.20, −$0.31, ±$0.00: a line may end between a sign and a dollar, so it is said to be one piece."""
    sign = "+" if nanodollars > 0 else "−" if nanodollars < 0 else "±"
    return marks.in_one_piece(sign + figures.money(abs(nanodollars)))


@register.filter
def percent_wide(share: float) -> str:
    """A share of 1 as a width of 100, a sliver at least where there is anything."""
    return f"{min(100.0, max(share * 100, 1.0 if share else 0.0)):.1f}"


@register.filter
def weekday_time(moment: datetime) -> str:
    """'Thu 14:10' within a week, else the date; in the viewer's zone."""
    local = timezone.localtime(moment)
    near = abs((moment - clock.now()).total_seconds()) < 6 * 86_400
    return date_format(local, _("D H:i") if near else _("j M Y"))


@register.filter
def civil_day(moment: datetime) -> str:
    """A day, as it is written in its own zone."""
    return date_format(moment, _("j M"))


@register.filter
def civil(moment: datetime, zone: str) -> str:
    """A day of a zone, with the hour where it is not midnight."""
    local = moment.astimezone(zone_named(zone))
    return date_format(local, _("j M Y") if _is_midnight(local) else _("j M Y, H:i"))


@register.filter
def civil_end(moment: datetime, zone: str) -> str:
    """The same for the end of a range: a midnight ends the day before it."""
    local = moment.astimezone(zone_named(zone))
    if _is_midnight(local):
        return date_format(local - timedelta(days=1), _("j M Y"))
    return date_format(local, _("j M Y, H:i"))


@register.simple_tag
def told_range(since: datetime, until: datetime, zone: str) -> str:
    """A chosen range and its zone: whole days of the reporting zone, else times in the viewer's."""
    ends = [at.astimezone(zone_named(zone)) for at in (since, until)]
    if all(map(_is_midnight, ends)):
        days = dict.fromkeys((civil(since, zone), civil_end(until, zone)))  # one day is told once
        return f"{' – '.join(days)} · {zone}"
    first, last = timezone.localtime(since), timezone.localtime(until)
    start = date_format(first, _("j M, H:i") if first.year == last.year else _("j M Y, H:i"))
    return f"{start} – {date_format(last, _('j M Y, H:i'))} · {timezone.get_current_timezone_name()}"


def _is_midnight(local: datetime) -> bool:
    return (local.hour, local.minute) == (0, 0)


@register.filter
def item(mapping: dict[str, Any], key: str) -> Any:
    return mapping.get(key)


@register.simple_tag(takes_context=True)
def link_with(context: dict[str, Any], **changes: Any) -> str:
    """This page's query string with some parameters changed; an empty value removes one."""
    query = _own_query(context)
    for name, value in changes.items():
        if value in ("", None):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return "?" + query.urlencode()


@register.simple_tag(takes_context=True)
def carry(context: dict[str, Any], **parameters: Any) -> str:
    """A query string for another page: the chosen range, environment and service, and these."""
    return _query_string(context["selection"].parameters if "selection" in context else {}, parameters)


@register.simple_tag(takes_context=True)
def exactly(context: dict[str, Any], **parameters: Any) -> str:
    """A query string for the calls that this page's sums are of, of these those that have these."""
    return _query_string(context["selection"].exactly, parameters)


def _query_string(chosen: Mapping[str, str], more: Mapping[str, Any]) -> str:
    added = {name: str(value) for name, value in more.items() if value not in ("", None)}
    return "?" + urlencode({**chosen, **added}) if chosen or added else ""


def _own_query(context: dict[str, Any]) -> QueryDict:
    """This page's parameters, and the choice it shows where the address left it to the session."""
    query: QueryDict = context["request"].GET.copy()
    for name in ("after", "before", "fragment"):
        query.pop(name, None)
    chosen: Selection | None = context.get("selection")
    if chosen is not None:
        names_time = "range" in query or "since" in query
        for name, value in chosen.parameters.items():
            # A list that goes on with the present has no end yet.
            is_open = name == "until" and chosen.live
            if name in ("environment", "service") or not (names_time or is_open):
                query.setdefault(name, value)
    return query


@register.simple_tag(takes_context=True)
def link_with_out(context: dict[str, Any], name: str, value: str) -> str:
    """This page's query string without one value of a parameter."""
    query = _own_query(context)
    query.setlist(name, [each for each in query.getlist(name) if each != value])
    return "?" + query.urlencode()


@register.simple_tag
def named(names: dict[str, str], parameter: str, value: str) -> str:
    """A filter's value as people know it: a name for an id, a word for a status."""
    if parameter == "status":
        return str(dict(Request.Status.choices).get(value, value))
    if parameter == "usage_source":
        return str(dict(Request.UsageSource.choices).get(value, value))
    if parameter in ("stream", "unpriced"):
        return _("yes") if value == "1" else _("no")
    return names.get(value, value)


@register.filter
def signed_percent(change: float) -> str:
    """+18 %, −3 %, ±0 %, × 22."""
    return figures.signed_percent(change)


@register.filter
def since(moment: datetime) -> str:
    """'12 s ago' under an hour, else the instant."""
    seconds = max(0.0, (clock.now() - moment).total_seconds())
    if seconds < 60:
        return _("%(count)s s ago") % {"count": int(seconds)}
    if seconds < 3600:
        return _("%(count)s min ago") % {"count": int(seconds // 60)}
    return date_format(timezone.localtime(moment), _("j M, H:i"))


@register.filter
def spend(totals: Totals) -> SafeString:
    """What is known of a cost, and whether there is more."""
    return marks.spend_mark(totals.cost_nanodollars, totals.unpriced_requests)


@register.filter
def spend_without(nanodollars: int, unpriced: int) -> SafeString:
    """The same of a sum and of how many calls it leaves out."""
    return marks.spend_mark(nanodollars, unpriced)


@register.filter
def charged(state: BudgetState) -> SafeString:
    """What a budget was charged, and whether its calls cost more."""
    return marks.charged_mark(state.spent, has_unpriced=state.has_unpriced)


@register.filter
def charged_share(state: BudgetState) -> SafeString:
    """Which part of a budget is charged, and whether its calls cost more."""
    return marks.with_plus(figures.share(state.spent, state.limit), is_more=state.has_unpriced)


@register.filter
def opening(text: str, link: str) -> SafeString:
    """A number of a sentence that opens the calls it is of."""
    return marks.opening(text, link)


@register.filter
def cut_name(name: str) -> SafeString:
    """A name in a box that cuts what leads to it before the name itself."""
    return marks.cut_name(name)


@register.filter
def cut_names(names: Sequence[str]) -> SafeString:
    return marks.cut_names(names)


@register.filter
def spend_share(part: Totals, whole: Totals) -> str:
    """What part of the spend something is; unknown where nothing of it has a price."""
    return marks.share_mark(part.cost_nanodollars, whole.cost_nanodollars, part.unpriced_requests)


@register.filter
def known_money(nanodollars: int, unpriced: int) -> str:
    return figures.known_money(nanodollars, unpriced)


@register.filter
def plain(number: float) -> str:
    """A number for an attribute of a drawing: no grouping, no local decimal comma."""
    return f"{number:g}"


@register.filter
def quoting(sentence: str, said: str) -> str:
    """A sentence with what a provider or the gateway said to the caller marked as English."""
    before, found, after = sentence.partition(said) if said else (sentence, "", "")
    return format_html('{}<span lang="en">{}</span>{}', before, found, after) if found else sentence


@register.simple_tag
def status_of(row: Request | Attempt) -> SafeString:
    return marks.status_mark(row.status, row.get_status_display())


@register.simple_tag
def call_cost(row: Request) -> str:
    return cost_of(row)


@register.simple_tag
def environment_of(row: Request) -> SafeString:
    return marks.environment_mark(row.environment)


@register.simple_tag
def sandbox(model: str = "") -> SafeString:
    return marks.sandbox_mark(model)


@register.simple_tag
def play_words() -> dict[str, str]:
    """The words that the Playground's script puts on the page."""
    return {
        "model": _("Model"),
        "remove": _("Remove this model"),
        "remove_image": _("Remove this image"),
        "conversation": _("Conversation"),
        "empty": _("The answer comes here, with its latency, tokens and cost."),
        "first_token": _("first token"),
        "took": _("took"),
        "tokens": _("%(input)s in, %(output)s out"),
        "unpriced": _("cost unknown"),
        "request": _("Why it took that long"),
        "thinking": _("Thoughts"),
        "call": _("Calls %(name)s"),
        "stopped": _("Stopped."),
        "broken": _("The connection broke off."),
        "tools": _("The tools are not a JSON list."),
        "more": _("The other parameters are not a JSON object."),
        "replayed": _("What was asked in the call, as it was kept. Send asks it again."),
        "replayed_without": _(
            "What was asked in the call, as it was kept, without: %(names)s. Send asks it again."
        ),
        "not_replayed": _("What was asked cannot be put here: %(told)s"),
        "media": _("images and files"),
        "tool_result": _("Result of a tool"),
        "no_model": _("Name a model first."),
        "too_large": _("Images may have 5 MB each."),
        "no_grant": _("This key cannot be used any more, or you are signed out. Load the page anew."),
        "you": _("You"),
        "assistant": _("Model"),
        "waiting": _("Waiting"),
    }


@register.simple_tag
def live_words() -> dict[str, Any]:
    """The words that scripts of the live pages put on the page."""
    return {
        "phases": {
            "admitted": _("admitted"),
            "routed": _("routed"),
            "connecting": _("connecting"),
            "waiting": _("waiting"),
            "streaming": _("streaming"),
            "ended": _("ended"),
        },
        "shapes": marks.STATUS_SHAPES,
        "statuses": {value: str(label) for value, label in Request.Status.choices},
        "live": _("Live"),
        "connecting": _("Connecting"),
        "lost": _("Connection lost; what you see is from %(time)s. Reconnecting"),
        "signed_out": _("You are signed out. Sign in again to go on"),
        "slow": _("This connection was too slow. Reconnecting"),
        "paused": _("Paused at %(time)s; calls go on"),
        "pause": _("Pause"),
        "resume": _("Resume"),
        "hidden": _("and %(count)s more"),
        "said": _("%(count)s calls in flight"),
        "environments": {str(name): str(word) for name, word in marks.ENVIRONMENT_SHORT.items()},
        "environment_names": {value: str(label) for value, label in Environment.choices},
        "sandbox": _("sandbox"),
        "unpriced": _("unpriced"),
        "none": _("none"),
        "stop": _("Stop %(call)s: its caller gets an error"),
        "stop_sure": _("Stop %(call)s? Its caller gets an error. Press again to stop it"),
        "stop_now": _("Stop?"),
        "none_with_text": _("In flight: %(count)s. None of them has this text."),
        "not_stopped": _("It could not be stopped: try again"),
        "held": _("%(cost)s so far; %(held)s is held from its budgets"),
        "read": _("Read along: %(call)s"),
        "try": _("try %(number)s: %(deployment)s"),
        "first_token": _("first token %(time)s"),
        "thoughts": _("Thoughts"),
        "calls": _("Tool calls"),
        "nothing_said": _("Nothing was said yet"),
        "reading": _("as it comes"),
        "read_to_end": _("to its end"),
        "not_readable": _("This call is over; what was said is with its request"),
    }


@register.simple_tag
def connect_words() -> dict[str, Any]:
    """The words of the way from a provider's key to its models."""
    return {
        "own_address": _("the provider's own"),
        "testing": _("Testing the key…"),
        "works": _("The key works: %(count)s models, listed in %(time)s."),
        "no_models": _("The key works, but the provider lists no model. Add one by name in the admin."),
        "wrong_key": _(
            "The provider refused this key. Nothing was switched on; correct the key and test again."
        ),
        "refused": _("The test failed: %(told)s Nothing was switched on; correct it and test again."),
        "failed": _("That did not work: %(told)s"),
        "adding": _("Adding…"),
        "exist": _("%(names)s: models of that name are served already. Shall %(provider)s share their load?"),
        "left": _("Nothing was changed. Choose other models, or go on below."),
        "calling": _("Making the first call to %(model)s…"),
        "ready": _("%(count)s models are ready."),
        "ready_one": _("%(model)s is ready."),
        "answered": _("%(model)s answered the first call in %(time)s, for %(cost)s."),
        "not_answered": _("But its first call failed: %(told)s"),
        "unpriced": _("an unknown price"),
        "choose": _("Choose at least one model."),
    }


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """A drawing of gatehouse/icons.svg in the colour of the text around it."""
    return format_html(
        '<svg class="{}" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.6" '
        'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><use href="{}#{}"/></svg>',
        f"gh-icon {classes}".rstrip(),
        static("gatehouse/icons.svg"),
        name,
    )


@register.simple_tag
def theme_address() -> str:
    """The colours' stylesheet; its address changes with them, so that a browser may keep it."""
    return f"{reverse('ui:theme')}?v={theme_version()}"


@register.simple_tag(takes_context=True)
def shortcut(context: dict[str, Any], letter: str) -> str:
    """A key combination as it stands on the reader's keyboard."""
    agent = context["request"].headers.get("User-Agent", "")
    return f"⌘{letter}" if "Mac OS" in agent else f"Ctrl {letter}"
