"""The Overview's first line: what there is to say about the money, in words that open the calls they are of.
Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage_app import figures
from usage_app.charts import FAILED
from usage_app.marks import name_in_words, opening, told
from usage_app.reports import Line, Totals
from usage_app.selection import CIVIL, NONE, ROLLING, Selection


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the words lead: parameters of Requests -> its address; both periods side by side; deployments,
    each with what failed there; and the calls of a month, the dearest first.
    """

    requests: Callable[..., str]
    compared: str
    deployments: str
    month: str
    last_month: str


def headline(
    chosen: Selection, now: Totals, before: Totals, lines: Sequence[Line], parameter: str, ways: Ways
) -> list[SafeString]:
    """Sentences, most important first; none where nothing happened. `parameter` is that of Requests which
    opens a line.
    """
    if not now.requests:
        return [told(_("No call in this range."))]
    parts = [_spend(chosen, now, before, ways)]
    if lines and now.cost_nanodollars and len(lines) > 1:
        top = max(lines, key=lambda line: line.totals.cost_nanodollars)
        share = figures.share(top.totals.cost_nanodollars, now.cost_nanodollars)
        link = ways.requests(**{parameter: top.ids[0] or NONE}, sort="-cost")
        name = name_in_words(top.names[0] or _("none"), link)
        parts.append(told(_("%(share)s of it is %(name)s."), share=opening(share, link), name=name))
    if now.errors:
        failed = opening(figures.grouped(now.errors), ways.requests(**FAILED))
        every = opening(figures.grouped(now.requests), ways.requests())
        parts.append(told(_("%(count)s of %(all)s calls failed."), count=failed, all=every))
    else:
        parts.append(told(_("No call failed.")))
    if now.failed_attempts:
        sentence = ngettext(
            "%(count)s attempt failed, and its call went on.",
            "%(count)s attempts failed, and their calls went on.",
            now.failed_attempts,
        )
        parts.append(told(sentence, count=opening(figures.grouped(now.failed_attempts), ways.deployments)))
    return parts


def _spend(chosen: Selection, now: Totals, before: Totals, ways: Ways) -> SafeString:
    known = figures.known_money(now.cost_nanodollars, now.unpriced_requests)
    amount, when = opening(known, ways.requests(sort="-cost")), _when(chosen)
    change = figures.change(now.cost_nanodollars, before.cost_nanodollars)
    is_over = not chosen.live
    values = {"amount": amount, "when": when, "before": _before(chosen)}
    if change is None or abs(change) < 0.5:
        sentence = _("Spend was %(amount)s %(when)s.") if is_over else _("Spend is %(amount)s %(when)s.")
        return told(sentence, **values)
    if change >= figures.FOUR_FIGURES:
        times = opening(figures.signed_percent(change), ways.compared)
        still = _("Spend is %(amount)s %(when)s, %(times)s against the period before.")
        past = _("Spend was %(amount)s %(when)s, %(times)s against %(before)s.")
        return told(past if is_over else still, times=times, **values)
    difference = opening(f"{abs(change):.0f}{figures.THIN_SPACE}%", ways.compared)
    if change > 0:
        still = _("Spend is %(amount)s %(when)s, %(change)s over the period before.")
        past = _("Spend was %(amount)s %(when)s, %(change)s over %(before)s.")
    else:
        still = _("Spend is %(amount)s %(when)s, %(change)s under the period before.")
        past = _("Spend was %(amount)s %(when)s, %(change)s under %(before)s.")
    return told(past if is_over else still, change=difference, **values)


def _before(chosen: Selection) -> str:
    """What a range that is over is compared with."""
    before = {
        "yesterday": _("the day before"),
        "last_month": _("the month before"),
        "last_quarter": _("the quarter before"),
    }
    return before.get(chosen.range, _("the period before"))


def _when(chosen: Selection) -> str:
    if chosen.range in ROLLING:
        words = {
            "1h": _("in the last hour"),
            "6h": _("in the last 6 hours"),
            "24h": _("in the last 24 hours"),
            "7d": _("in the last 7 days"),
            "30d": _("in the last 30 days"),
            "90d": _("in the last 90 days"),
        }
        return words[chosen.range]
    if chosen.range in CIVIL:
        civil = {
            "today": _("today"),
            "yesterday": _("yesterday"),
            "month": _("this month"),
            "last_month": _("last month"),
            "quarter": _("this quarter"),
            "last_quarter": _("last quarter"),
        }
        return civil[chosen.range]
    return _("in the chosen range")
