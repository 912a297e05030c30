"""Parameters of the usage endpoints, checked: an unknown name or a value that means nothing is a 400."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from gateway_project.clock import now
from keys_app.models import Environment, Service, User, VirtualKey
from usage_app.attempt_search import BY_ATTEMPTS
from usage_app.models import KnownName, Request
from usage_app.reports import Filters, quarters_kept_from, reporting_zone
from usage_app.reports_claims import CLAIM_COLUMNS, CLAIMS
from usage_app.reports_reading import DIMENSION_COLUMNS

DEFAULT_RANGE = timedelta(hours=24)
FILTERS = ("key", "user", "service", "environment", "model", "deployment", "provider", "status")
GROUPS = (*DIMENSION_COLUMNS, *CLAIMS)
INTERVALS = ("quarter", "hour", "day")
MOST_BUCKETS = {"quarter": timedelta(days=8), "hour": timedelta(days=32), "day": timedelta(days=3 * 366)}
_NAMED: dict[str, tuple[type[Model], str]] = {
    "key": (VirtualKey, "name"),
    "user": (User, "username"),
    "service": (Service, "name"),
}


@dataclass(frozen=True)
class Asked:
    """What a caller asks for. `ids` are the filters by column; a name may stand for several ids."""

    since: datetime
    until: datetime
    ids: dict[str, list[str]] = field(default_factory=dict)

    @property
    def filters(self) -> Filters:
        """The same for the sums."""
        columns = {"provider": "provider"}
        chosen = {columns.get(name, DIMENSION_COLUMNS[name]): tuple(ids) for name, ids in self.ids.items()}
        return Filters(**chosen)


def read_parameters(query: QueryDict, *others: str) -> Asked:
    """Range and filters; ValidationError names every parameter that is not known."""
    known = {*FILTERS, "since", "until", *others}
    if unknown := sorted(set(query) - known):
        raise ValidationError({name: [_("Unknown parameter.")] for name in unknown}, "unknown_field")
    until = _instant(query, "until") or now()
    since = _instant(query, "since") or until - DEFAULT_RANGE
    if since >= until:
        raise ValidationError({"since": [_("It lies after the end of the range.")]})
    ids = {name: _ids(name, query.get(name, "")) for name in FILTERS if query.get(name)}
    return Asked(since, until, ids)


def read_places(query: QueryDict) -> dict[str, list[str]]:
    """`tried_at=` and `failed_at=`: ids of deployments or providers, or what one of these is called."""
    found = {}
    for name in BY_ATTEMPTS:
        if value := query.get(name, ""):
            refs = {ref for kind in ("deployment", "provider") for ref in _ids(kind, value)}
            found[name] = sorted(refs)
    return found


def read_grouping(query: QueryDict) -> tuple[str, ...]:
    """`group_by=model,service` as dimensions, each once."""
    names = tuple(
        dict.fromkeys(part.strip() for part in query.get("group_by", "").split(",") if part.strip())
    )
    for name in names:
        if name not in GROUPS:
            raise ValidationError({"group_by": [_("Takes %s.") % ", ".join(GROUPS)]})
    return names


def read_claim(names: tuple[str, ...], asked: Asked, interval: str | None) -> tuple[str, str] | None:
    """The claim of a grouping and what it is crossed with ('': nothing); None where there is no claim.

    Sums of claims know days, service, model and environment, and nothing else.
    """
    found = [name for name in names if name in CLAIMS]
    if not found:
        return None
    across = [name for name in names if name not in CLAIMS]
    columns = ", ".join(CLAIM_COLUMNS)
    if len(found) > 1 or len(across) > 1 or not set(across) <= set(CLAIM_COLUMNS):
        told = _("Tags, end users and clients stand alone, or with one of %s.") % columns
        raise ValidationError({"group_by": [told]})
    if unknown := sorted(set(asked.ids) - set(CLAIM_COLUMNS)):
        told = _("Tags, end users and clients are narrowed by %s alone.") % columns
        raise ValidationError({name: [told] for name in unknown})
    if interval not in (None, "day"):
        raise ValidationError({"interval": [_("Tags, end users and clients are counted by whole days.")]})
    return found[0], "".join(across)


def read_interval(query: QueryDict, asked: Asked) -> Any:
    """`interval=day`; None for the range as a whole."""
    name = query.get("interval", "")
    if not name:
        return None
    if name not in INTERVALS:
        raise ValidationError({"interval": [_("Takes %s.") % ", ".join(INTERVALS)]})
    if asked.until - asked.since > MOST_BUCKETS[name]:
        raise ValidationError({"interval": [_("The range is too long for this interval.")]})
    if name != "day" and asked.since < quarters_kept_from():
        raise ValidationError({"interval": [_("So long ago whole days are known, and nothing finer.")]})
    return name


def read_limit(query: QueryDict, default: int, most: int) -> int:
    """`limit`, a whole number from 1."""
    text = query.get("limit", str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ValidationError({"limit": [_("Takes a number from 1 to %d.") % most]})
    return int(text)


def read_cursor(query: QueryDict) -> UUID | None:
    """The id that the page before ended with."""
    text = query.get("cursor", "")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise ValidationError({"cursor": [_("This is no cursor of ours.")]}) from None


def _instant(query: QueryDict, name: str) -> datetime | None:
    """ISO 8601; a date, or a time without an offset, is meant in the reporting zone."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        # An unescaped '+00:00' arrives as ' 00:00'.
        at = datetime.fromisoformat(text.replace(" 0", "+0") if "T" in text else text)
        return at if at.tzinfo else at.replace(tzinfo=reporting_zone())
    except ValueError:
        pass
    try:
        return datetime.combine(date.fromisoformat(text), time(), reporting_zone())
    except ValueError:
        raise ValidationError({name: [_("Takes a time such as 2026-11-23T09:00:00Z.")]}) from None


def _ids(name: str, value: str) -> list[str]:
    """The ids that a filter's value stands for: an id itself, or a name of today or of the ledger."""
    if name == "environment" and value not in Environment.values:
        raise ValidationError({name: [_("Takes %s.") % ", ".join(Environment.values)]})
    if name == "status" and value not in Request.Status.values:
        raise ValidationError({name: [_("Takes %s.") % ", ".join(Request.Status.values)]})
    if name in ("environment", "status", "model") or _is_id(value):
        return [value]
    found = set(KnownName.objects.filter(kind=name, name=value).values_list("ref", flat=True))
    if name in _NAMED:
        model, column = _NAMED[name]
        rows = model._default_manager.filter(**{column: value}).values_list("pk", flat=True)
        found |= {str(pk) for pk in rows}
    return sorted(found) or [value]


def _is_id(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return value == "master"
    return True
