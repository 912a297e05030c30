"""Whose keys a person sees and changes, and what a key of theirs may be: never wider than they are.

Admins see and change everything; managers the keys of their services; members their own; viewers
change nothing. What is not granted here is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from gateway_project.clock import now
from keys_app.issuing import BudgetTerms
from keys_app.models import Budget, Membership, Scope, Service, User, VirtualKey
from keys_app.policy import matches
from keys_app.roles import MAKE_KEYS

#: what of a key only an admin may set
ADMINS_FIELDS = frozenset({"allows_unpriced", "trusts_identity_headers", "identity_secret"})
#: what of their own key a member may set, beside whose it is
LISTS = {"models_allowed": "models_allowed", "endpoints_allowed": "endpoints_allowed"}


def managed_services(person: User) -> frozenset[UUID]:
    """Ids of the services this person manages; none for who changes nothing."""
    if person.changes_nothing:
        return frozenset()
    roles = Membership.objects.filter(user=person, role=Membership.Role.MANAGER)
    return frozenset(roles.values_list("service_id", flat=True))


def visible_keys(person: User) -> QuerySet[VirtualKey]:
    """Their own keys and those of the services they manage; all for an admin."""
    keys = VirtualKey.objects.select_related("user", "service")
    if not person.is_active:
        return keys.none()
    if person.sees_everything:
        return keys
    return keys.filter(Q(user=person) | Q(service__in=managed_services(person)))


def may_make_keys(person: User) -> bool:
    return not person.changes_nothing and person.has_perm(MAKE_KEYS)


def may_act_on(person: User, key: VirtualKey) -> bool:
    """Block, rotate, rename: what the owner and who manages the key's service may do."""
    if person.sees_everything:
        return person.is_active
    if person.changes_nothing:
        return False
    return key.user_id == person.pk or key.service_id in managed_services(person)


def may_unblock(person: User, key: VirtualKey) -> bool:
    """Who blocked a key had a reason: only admins let it work again."""
    return person.is_active and person.sees_everything


# ---------------------------------------------------------------- making a key


def narrow_new_key(person: User, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a key this person may make, filled up with their own bounds.

    Raises PermissionDenied for whatever would be wider than they are.
    """
    if person.sees_everything and person.is_active:
        return dict(values)
    if not may_make_keys(person):
        raise PermissionDenied(_("You may not make keys."))
    wanted = {"user": person, "service": None, **values} if "service" not in values else dict(values)
    _check_owner(person, wanted)
    _check_count(person, wanted)
    narrowed = {**wanted, **_within(person, wanted)}
    narrowed["expires_at"] = _expiry(person, wanted.get("expires_at"))
    check_budgets(person, wanted.get("budgets", ()))
    return narrowed


def _check_owner(person: User, wanted: Mapping[str, Any]) -> None:
    """Their own key, or one of a service they manage for somebody who belongs to it.

    A refusal names neither: whoever sent an id does not learn what it is called.
    """
    user: User | None = wanted.get("user")
    service: Service | None = wanted.get("service")
    if service is None:
        if user is None or user.pk != person.pk:
            raise PermissionDenied(_("A key of your own has you as its owner."))
        return
    if service.pk not in managed_services(person):
        raise PermissionDenied(_("You do not manage this service."))
    if user is not None and user.pk != person.pk:
        belongs = Membership.objects.filter(user=user, service=service).exists()
        if not belongs:
            raise PermissionDenied(_("This person does not belong to the service."))


def _check_count(person: User, wanted: Mapping[str, Any]) -> None:
    if wanted.get("service") is not None:
        return
    usable = Q(expires_at__isnull=True) | Q(expires_at__gt=now())
    held = VirtualKey.objects.filter(usable, user=person, service=None, blocked_at=None).count()
    if held >= person.most_keys:
        raise PermissionDenied(
            _("You may have %(count)d keys of your own, and have them.") % {"count": person.most_keys}
        )


def _within(person: User, wanted: Mapping[str, Any]) -> dict[str, list[str]]:
    """The lists of the key: checked where named, else the person's own."""
    if fields := sorted(field for field in ADMINS_FIELDS if wanted.get(field)):
        raise PermissionDenied(_("Only an admin sets %(fields)s.") % {"fields": ", ".join(fields)})
    bounds: dict[str, list[str]] = {}
    for column, own in LISTS.items():
        bounds[column] = _narrowed(column, wanted.get(column), getattr(person, own), covers)
    bounds["networks"] = _narrowed("networks", wanted.get("networks"), person.networks, contains)
    return bounds


def _narrowed(column: str, wanted: Sequence[str] | None, own: Sequence[str], within: Any) -> list[str]:
    if not wanted:
        return list(own)
    if own and (wide := [one for one in wanted if not within(own, one)]):
        names = {"column": column.removesuffix("_allowed"), "names": ", ".join(wide[:5])}
        raise PermissionDenied(_("%(column)s: %(names)s is more than you may use.") % names)
    return list(wanted)


def covers(patterns: Iterable[str], pattern: str) -> bool:
    """Whether every name that `pattern` matches is matched by one of `patterns`."""
    # A star of the pattern is read as a letter: only a star of the others can stand for it.
    return matches(tuple(patterns), pattern)


def contains(networks: Iterable[str], network: str) -> bool:
    """Whether a network lies within one of others."""
    inner = ip_network(network, strict=False)
    return any(
        # Both of one family: compared by their bounds, which says the same for both.
        outer.version == inner.version
        and int(outer.network_address) <= int(inner.network_address)
        and int(inner.broadcast_address) <= int(outer.broadcast_address)
        for outer in (ip_network(text, strict=False) for text in networks)
    )


def _expiry(person: User, wanted: Any) -> Any:
    if person.longest_key_days is None:
        return wanted
    latest = now() + timedelta(days=person.longest_key_days)
    if wanted is not None and wanted > latest:
        raise PermissionDenied(_("Your keys last %(days)d days at most.") % {"days": person.longest_key_days})
    return wanted or latest


def check_budgets(person: User, terms: Iterable[BudgetTerms]) -> None:
    """A key's hard budget is at most its maker's own of the same period."""
    own: dict[str, int] = {}
    rows = Budget.objects.filter(scope=Scope.USER, user=person, is_enabled=True, hard=True)
    for period, amount in rows.values_list("period", "amount_nanodollars"):
        own[period] = min(amount, own.get(period, amount))
    for wanted in terms:
        if wanted.period in own and wanted.amount_nanodollars > own[wanted.period]:
            raise PermissionDenied(_("The budget is more than your own."))


# ---------------------------------------------------------------- changing a key


def check_change(person: User, key: VirtualKey, values: Mapping[str, Any]) -> None:
    """Raises PermissionDenied unless this person may change these columns of the key to these values.

    A manager changes the keys of the service within their own bounds; an owner only narrows what
    somebody else may have set: for a wider key they make a new one.
    """
    if person.sees_everything and person.is_active:
        return
    if not may_act_on(person, key):
        raise PermissionDenied(_("This key is not yours to change."))
    if "user" in values or "service" in values:
        _check_owner(person, {"user": key.user, "service": key.service, **values})
    _within(person, {name: value for name, value in values.items() if value})
    manages = key.service_id is not None and key.service_id in managed_services(person)
    if manages:
        check_budgets(person, values.get("budgets", ()))
    else:
        _check_narrower(key, values)
    if values.get("expires_at") is not None:
        _expiry(person, values["expires_at"])


def _check_narrower(key: VirtualKey, values: Mapping[str, Any]) -> None:
    """Of an owner's change: every list within the present one, no later end, no budget or limit raised."""
    for column, within in (("models_allowed", covers), ("endpoints_allowed", covers), ("networks", contains)):
        if column not in values:
            continue
        present, wanted = getattr(key, column), values[column]
        if present and (not wanted or any(not within(present, one) for one in wanted)):
            raise PermissionDenied(_("A key can be narrowed; for a wider one make a new key."))
    if key.no_models and values.get("no_models") is False:
        raise PermissionDenied(_("A key can be narrowed; for a wider one make a new key."))
    if "expires_at" in values and key.expires_at is not None:
        wanted_end = values["expires_at"]
        if wanted_end is None or wanted_end > key.expires_at:
            raise PermissionDenied(_("A key can end earlier, not later: make a new key."))
    if fields := sorted({"budgets", "limits", "origins", "environment"} & set(values)):
        raise PermissionDenied(
            _("%(fields)s: only a manager or an admin changes this.") % {"fields": ", ".join(fields)}
        )
