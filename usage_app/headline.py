"""The Overview's first line: what there is to say about the money, in words. Pure."""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage_app import figures
from usage_app.reports import Line, Totals
from usage_app.selection import CIVIL, ROLLING, Selection


def headline(chosen: Selection, now: Totals, before: Totals, lines: Sequence[Line], by: str) -> list[str]:
    """Sentences, most important first; none where nothing happened."""
    if not now.requests:
        return [_("No call in this range.")]
    parts = [_spend(chosen, now, before)]
    if lines and now.cost_nanodollars and len(lines) > 1:
        top = max(lines, key=lambda line: line.totals.cost_nanodollars)
        share = figures.share(top.totals.cost_nanodollars, now.cost_nanodollars)
        name = top.names[0] or _("none")
        parts.append(_("%(share)s of it is %(name)s.") % {"share": share, "name": name})
    if now.errors:
        parts.append(
            _("%(count)s of %(all)s calls failed.")
            % {"count": figures.grouped(now.errors), "all": figures.grouped(now.requests)}
        )
    else:
        parts.append(_("No call failed."))
    if now.failed_attempts:
        told = ngettext(
            "%(count)s attempt failed, and its call went on.",
            "%(count)s attempts failed, and their calls went on.",
            now.failed_attempts,
        )
        parts.append(told % {"count": figures.grouped(now.failed_attempts)})
    return parts


def _spend(chosen: Selection, now: Totals, before: Totals) -> str:
    amount = figures.known_money(now.cost_nanodollars, now.unpriced_requests)
    change = figures.change(now.cost_nanodollars, before.cost_nanodollars)
    when = _when(chosen)
    if change is None or abs(change) < 0.5:
        return _("Spend is %(amount)s %(when)s.") % {"amount": amount, "when": when}
    values = {"amount": amount, "when": when, "change": f"{abs(change):.0f}{figures.THIN_SPACE}%"}
    if change > 0:
        return _("Spend is %(amount)s %(when)s, %(change)s over the period before.") % values
    return _("Spend is %(amount)s %(when)s, %(change)s under the period before.") % values


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
