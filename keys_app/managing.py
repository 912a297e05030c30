"""What a manager does with a service: who belongs to it, and budgets and limits beside the admin's.

All levels apply to a call, always, so one more can only narrow. A manager therefore adds budgets and
limits within the service, and changes or takes away those that managers made; an admin's stay as they are.
"""

from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from keys_app.audit import record_change
from keys_app.models import Budget, Membership, RateLimit, Service, User
from keys_app.rights import managed_services

#: budgets, and limits, that managers may have in one service: each is asked at every call
MOST_ALLOWANCES = 20

Row = TypeVar("Row", Budget, RateLimit)


def manages(person: User) -> bool:
    """Whether there is a service this person has a say in."""
    return person.manages_services


def services_of(person: User) -> QuerySet[Service]:
    """The services a person has a say in: all for an admin."""
    if person.sees_everything and person.is_active:
        return Service.objects.order_by("name")
    return Service.objects.filter(pk__in=managed_services(person)).order_by("name")


# ---------------------------------------------------------------- budgets and limits


def allowances_of(person: User, rows: "QuerySet[Row]") -> "QuerySet[Row]":
    """Those of these budgets or limits that stand within the person's services."""
    if person.sees_everything and person.is_active:
        return rows
    return rows.filter(service__in=managed_services(person))


def may_change(person: User, row: Budget | RateLimit) -> bool:
    """Whether a budget or limit that there is may be changed or taken away by this person."""
    if person.sees_everything and person.is_active:
        return True
    return row.set_by_manager and row.service_id in managed_services(person)


def check_change(person: User, row: Budget | RateLimit) -> None:
    """Raises PermissionDenied unless `may_change`."""
    if not may_change(person, row):
        raise PermissionDenied(_("An admin set this; you may set another beside it: both hold."))


def check_new(person: User, row: Budget | RateLimit) -> None:
    """Marks a new budget or limit as a manager's. Raises PermissionDenied where it is not theirs to set."""
    if person.sees_everything and person.is_active:
        return
    # Only levels within a service have one: a key's or a person's row names none.
    if row.service_id not in managed_services(person):
        raise PermissionDenied(_("You may set this within services that you manage."))
    there = type(row).objects.filter(service=row.service_id, set_by_manager=True).count()
    if there >= MOST_ALLOWANCES:
        raise PermissionDenied(
            _("Managers may set %(count)d of these in a service.") % {"count": MOST_ALLOWANCES}
        )
    row.set_by_manager = True


def note_change(person: User | None, row: Budget | RateLimit) -> None:
    """What an admin (or a management key: None) changes is an admin's from then on."""
    if person is None or person.sees_everything:
        row.set_by_manager = False


# ---------------------------------------------------------------- members


def check_service(person: User, service: Service) -> None:
    """Raises PermissionDenied unless the person has a say in the service."""
    if not (person.sees_everything and person.is_active) and service.pk not in managed_services(person):
        raise PermissionDenied(_("You do not manage this service."))


def find_person(text: str) -> User:
    """Somebody by the whole user name or e-mail address. Raises ValidationError.

    Never by a part of it: a manager is not to learn who else is here.
    """
    wanted = text.strip()
    found = list(
        User.objects.filter(Q(username__iexact=wanted) | Q(email__iexact=wanted), is_active=True)[:2]
    )
    if not wanted or len(found) != 1 or found[0].username == "master":
        raise ValidationError(_("There is nobody with this name or e-mail address."))
    return found[0]


def set_member(actor: Any, service: Service, user: User, role: str) -> Membership:
    """Let somebody belong to a service. Who manages it is an admin's to say. `actor`: a person or a key."""
    before = Membership.objects.filter(service=service, user=user).first()
    if isinstance(actor, User):
        check_service(actor, service)
        managing = Membership.Role.MANAGER in (role, before.role if before else "")
        if managing and not actor.sees_everything:
            raise PermissionDenied(_("Who manages a service is an admin's to say."))
    with transaction.atomic():
        member, _made = Membership.objects.update_or_create(
            service=service, user=user, defaults={"role": role}
        )
        if before is None or before.role != role:
            record_change(actor, service, "changed", (), {f"member {user}": [before and before.role, role]})
    return member


def remove_member(actor: Any, member: Membership) -> None:
    """Somebody belongs to a service no more; keys stay with their owners."""
    if isinstance(actor, User):
        check_service(actor, member.service)
        if member.role == Membership.Role.MANAGER and not actor.sees_everything:
            raise PermissionDenied(_("Who manages a service is an admin's to say."))
    with transaction.atomic():
        record_change(actor, member.service, "changed", (), {f"member {member.user}": [member.role, None]})
        member.delete()
