"""The limits that a call met, as a viewer may see them: on its page and over the API.

Whoever may see the call's key sees all of them, as the key's own page tells them now; anybody else
only budgets that are theirs to see, and limits of services they manage.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from keys_app.models import Budget, Scope, User
from keys_app.rights import visible_keys
from usage_app.budget_states import NEAR, budgets_in
from usage_app.models import Request
from usage_app.sight import Sight

Told = Mapping[str, Any]

KINDS = {
    "budget": _("Budget"),
    "requests": _("Requests a minute"),
    "tokens": _("Tokens a minute"),
    "input_tokens": _("Input tokens a minute"),
    "output_tokens": _("Output tokens a minute"),
    "parallel": _("Calls at once"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar of 100, its figures as texts."""

    name: str
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class Line:
    """One limit as it stood. Amounts of budgets are nanodollars; None is not known or does not apply."""

    scope: Any
    name: str
    kind: Any
    is_money: bool
    period: str
    per: Any
    budget_id: str  # '' where the viewer has no page of it
    limit: int
    used: int | None
    held: int | None
    own: int | None  # what this call held of it, or would have taken
    left: int | None
    tone: str
    bar: tuple[Segment, ...]
    is_soft: bool
    is_refused: bool
    is_unchecked: bool
    is_let_go: bool  # met, but in the end nothing was charged to it


@dataclass(frozen=True, slots=True)
class Allowances:
    """What a page shows. `why`: instead of lines, what is known."""

    lines: tuple[Line, ...] = ()
    left_out: int = 0
    why: Any = ""

    @property
    def has_held(self) -> bool:
        return any(line.held is not None for line in self.lines)

    @property
    def has_own(self) -> bool:
        return any(line.own is not None for line in self.lines)

    @property
    def figures(self) -> int:
        """Columns between what a line is of and its limit."""
        return 3 + self.has_held + self.has_own


def allowances_of(row: Request, sight: Sight) -> Allowances | None:
    """The limits of a call; None where nothing was asked of them, or nothing was kept."""
    decision = row.decision if isinstance(row.decision, dict) else {}
    if "allowances" not in decision:
        return _unknown(row)
    told, left_out = seen_allowances(row, sight)
    if not told and not left_out:
        return Allowances(why=_("No limit applied to this call."))
    linked = _budgets_of(told, sight)
    charged = {(each.get("budget_id"), each.get("period")) for each in row.charges}
    lines = tuple(_line(each, row, linked, charged) for each in told)
    return Allowances(lines, left_out)


def _unknown(row: Request) -> Allowances | None:
    if row.error_code == "limits_unavailable":
        return Allowances(why=_("Not checked: the limits could not be asked, so the call was refused."))
    if row.status == Request.Status.INTERRUPTED:
        return Allowances(why=_("Unknown: the process that served the call ended before it told."))
    return None


def seen_allowances(row: Request, sight: Sight) -> tuple[list[Told], int]:
    """Those that a viewer may see, and how many there were besides."""
    decision = row.decision if isinstance(row.decision, dict) else {}
    told: list[Told] = [each for each in decision.get("allowances", ()) if isinstance(each, dict)]
    left_out = int(decision.get("allowances_left_out", 0))
    if not told or _sees_key(row, sight):
        return told, left_out
    budgets = _budgets_of(told, sight)
    manages = row.service_id in sight.service_ids
    seen = [
        each
        for each in told
        if (each.get("id") in budgets if each.get("kind") == "budget" else manages and _is_of_service(each))
    ]
    return seen, left_out + len(told) - len(seen)


def _sees_key(row: Request, sight: Sight) -> bool:
    if sight.everything or (sight.key_id and sight.key_id == row.key_id):
        return True
    person = User.objects.filter(pk=sight.user_id).first() if sight.user_id else None
    key = _uuid(row.key_id)
    return person is not None and key is not None and visible_keys(person).filter(pk=key).exists()


def _budgets_of(told: Collection[Told], sight: Sight) -> frozenset[str]:
    """Ids of the budgets among these that the viewer has a page of."""
    ids = [found for each in told if (found := _uuid(each.get("id")))]
    if not ids:
        return frozenset()
    return frozenset(str(pk) for pk in budgets_in(sight).filter(pk__in=ids).values_list("pk", flat=True))


def _is_of_service(told: Told) -> bool:
    return told.get("scope") in (Scope.KEY, Scope.SERVICE)


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def _line(
    told: Told, row: Request, linked: Collection[str], charged: Collection[tuple[str | None, str | None]]
) -> Line:
    kind, limit, scope, per = (
        str(told["kind"]),
        int(told["limit"]),
        str(told["scope"]),
        str(told.get("per", "")),
    )
    used, held, own, left = _figures(told)
    refused, budget_id = bool(told.get("refused")), str(told.get("id", ""))
    is_charged = (budget_id, told.get("period")) in charged
    return Line(
        scope=Scope(scope).label if scope in Scope.values else scope,
        name=row.key_name if scope == Scope.KEY else str(told.get("name", "")),
        kind=KINDS.get(kind, kind),
        is_money=kind == "budget",
        period=str(told.get("period", "")).partition("/")[0],
        per=Budget.Period(per).label if per in Budget.Period.values else per,
        budget_id=budget_id if budget_id in linked else "",
        limit=limit,
        used=used,
        held=held,
        own=own,
        left=left,
        tone=_tone(limit, left, refused),
        bar=_bar(limit, used or 0, held or 0, 0 if refused else own or 0),
        is_soft=not told.get("hard", True),
        is_refused=refused,
        is_unchecked=bool(told.get("unchecked")),
        is_let_go=bool(own) and not refused and not is_charged,
    )


def _figures(told: Told) -> tuple[int | None, int | None, int | None, int | None]:
    """Used, held by others, this call's own, left. Of what is no money, its own is among the used."""
    limit, own = int(told["limit"]), told.get("asked", told.get("hold"))
    if told.get("unchecked"):
        return None, None, None, None
    if told["kind"] != "budget":
        left = int(told.get("left", 0))
        return limit - left, None, own, left
    spent, held = int(told.get("spent", 0)), int(told.get("held", 0))
    taken = 0 if told.get("refused") else int(own or 0)
    return spent, held, own, max(0, limit - spent - held - taken)


def _tone(limit: int, left: int | None, refused: bool) -> str:
    if refused or (left == 0 and not limit):
        return "error"
    return "warn" if left is not None and left <= limit * (1 - NEAR) else "ok"


def _bar(limit: int, used: int, held: int, own: int) -> tuple[Segment, ...]:
    """Used, held by others, this call's own, one after another; a sliver at least, none beyond the end."""
    segments, start = [], 0.0
    for name, amount in (("is-part", used), ("is-held", held), ("is-own", own)):
        if amount <= 0:
            continue
        width = max(100.0 * amount / limit, 1.0) if limit else 100.0
        start = min(start, 99.0)
        width = min(width, 100.0 - start)
        segments.append(Segment(name, f"{start:.1f}", f"{width:.1f}"))
        start += width
    return tuple(segments)
