"""The tables of My keys: which columns, and how a key and a level are told in them."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from gateway_project.money import usd_string
from keys_app.issuing import key_state
from keys_app.limits.allowances import bare_name
from keys_app.limits.contract import LevelState
from keys_app.models import VirtualKey

STATES = {
    "active": ("ok", _("works")),
    "blocked": ("error", _("blocked")),
    "expired": ("warn", _("expired")),
    "owner_inactive": ("warn", _("owner deactivated")),
    "service_inactive": ("warn", _("service inactive")),
}
KINDS = {
    "budget": _("budget"),
    "requests": _("requests a minute"),
    "tokens": _("tokens a minute"),
    "input_tokens": _("input tokens a minute"),
    "output_tokens": _("output tokens a minute"),
    "parallel": _("calls at once"),
}
SCOPES = {
    "key": _("this key"),
    "user": _("user"),
    "service": _("service"),
    "environment": _("environment"),
    "model": _("model"),
    "provider": _("provider"),
    "deployment": _("deployment"),
    "end_user": _("end user"),
    "global": _("the whole gateway"),
}


def _column(label: Any) -> tables.Column:
    return tables.Column(verbose_name=label, empty_values=(), accessor="pk")


class KeyTable(tables.Table):  # type: ignore[misc]
    """One row a key. A row is one link: the first cell's, stretched over all of it."""

    name = _column(_("Key"))
    owner = _column(_("Owner"))
    models = _column(_("Models"))
    ends = _column(_("Ends"))
    used = _column(_("Last used"))
    spent = _column(_("Spent this month"))
    budget = _column(_("Budget"))
    state = _column(_("State"))

    class Meta:
        model = VirtualKey
        fields: tuple[str, ...] = ()
        orderable = False

    def __init__(
        self,
        keys: Any,
        at: datetime,
        used: Mapping[Any, datetime],
        cells: Mapping[str, Mapping[str, str]],
        **options: Any,
    ) -> None:
        """`cells` by column and key: what others know of a key (`spending`)."""
        super().__init__(keys, **options)
        self._at = at
        self._used = used
        self._cells = cells

    def render_name(self, record: VirtualKey) -> str:
        return format_html(
            '<a class="gh-row-link" href="{}"><b>{}</b></a> <code class="gh-hint">{}</code>',
            reverse("keys:key", args=[record.pk]),
            record.name,
            record.hint,
        )

    def render_owner(self, record: VirtualKey) -> str:
        names = [each.name for each in (record.service,) if each]
        names += [record.user.username] if record.user else []
        mark = ""
        if record.environment != "production":
            mark = format_html(
                '<i class="gh-mark is-{}">{}</i>', record.environment, record.get_environment_display()
            )
        return format_html("{}{}", " · ".join(names) or _now("nobody"), mark)

    def render_models(self, record: VirtualKey) -> str:
        if record.no_models:
            return _now("none")
        names = ", ".join(record.models_allowed)
        return format_html('<span class="gh-cut" title="{0}">{0}</span>', names) if names else _now("all")

    def render_ends(self, record: VirtualKey) -> str:
        return when(record.expires_at) if record.expires_at else _now("never")

    def render_used(self, record: VirtualKey) -> str:
        used = self._used.get(record.pk)
        return when(used) if used else format_html('<span class="gh-muted">{}</span>', _now("never"))

    def render_spent(self, record: VirtualKey) -> str:
        return self._cells["spent"].get(str(record.pk), "")

    def render_budget(self, record: VirtualKey) -> str:
        none = format_html('<span class="gh-muted">{}</span>', _now("none"))
        return self._cells["budget"].get(str(record.pk), none)

    def render_state(self, record: VirtualKey) -> str:
        return state_mark(record, self._at)


def state_mark(key: VirtualKey, at: datetime) -> str:
    """A key's state by a word and a shape."""
    kind, word = STATES[key_state(key, at)]
    shape = {"ok": "●", "warn": "▲", "error": "■"}[kind]
    return format_html(
        '<span class="gh-status is-{}"><i aria-hidden="true">{}</i>{}</span>', kind, shape, word
    )


def when(moment: datetime) -> str:
    """An instant in the viewer's zone, ISO on hover."""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        local.isoformat(timespec="seconds"),
        date_format(local, _now("j M Y, H:i:s")),
    )


def level_rows(levels: tuple[LevelState, ...], is_live: bool) -> list[dict[str, Any]]:
    """The effective policy as the page shows it, amounts as texts; unknown says so."""
    rows = []
    of_kind = Counter(level.kind for level in levels)
    for level in levels:
        is_money = level.kind == "budget"
        known = is_live or is_money
        rows.append(
            {
                "what": f"{KINDS[level.kind]} {_period_of(level)}".rstrip(),
                "scope": SCOPES.get(level.scope, level.scope),
                "name": bare_name(level.scope, level.name),
                "limit": _figure(level.limit, is_money),
                "spent": _figure(level.spent, is_money) if known else None,
                "held": _figure(level.held, is_money) if is_live and is_money else None,
                "left": _figure(level.left, is_money) if known else None,
                "is_money": is_money,
                "hard": level.hard,
                "resets": level.resets_at_ms,
                "binds": level.binds_first and known and of_kind[level.kind] > 1,
                "calls": level.calls_in_flight,
            }
        )
    return rows


def _figure(amount: int, is_money: bool) -> str:
    if not is_money:
        return f"{amount:,}".replace(",", "\u202f")
    dollars, _point, cents = usd_string(amount).partition(".")
    return f"${dollars}.{cents.ljust(2, '0')}"


def _period_of(level: LevelState) -> str:
    """A budget's period as it is counted under, such as 2026-11; '' of a rate limit."""
    return _now("in total") if level.period == "total" else level.period
