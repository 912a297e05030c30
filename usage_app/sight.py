"""Whose calls a viewer may see: everything, the services they manage, their own, one key's."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from keys_app.models import Membership, User

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from usage_app.models import Request


@dataclass(frozen=True)
class Sight:
    """What may be seen. Nothing at all unless something is granted."""

    everything: bool = False
    service_ids: frozenset[str] = frozenset()
    user_id: str = ""
    key_id: str = ""


EVERYTHING = Sight(everything=True)


def sight_of(user: User) -> Sight:
    """A person's sight: admins everything; others their own calls and the services they manage."""
    if not user.is_active:
        return Sight()
    if user.sees_everything:
        return EVERYTHING
    managed = Membership.objects.filter(user_id=user.pk, role=Membership.Role.MANAGER)
    ids = frozenset(str(service_id) for service_id in managed.values_list("service_id", flat=True))
    return Sight(service_ids=ids, user_id=str(user.pk))


def visible(requests: "QuerySet[Request]", sight: Sight) -> "QuerySet[Request]":
    """Rows of the ledger within a sight."""
    if sight.everything:
        return requests
    allowed = Q(pk__in=[])
    if sight.user_id:
        allowed |= Q(user_id=sight.user_id)
    if sight.service_ids:
        allowed |= Q(service_id__in=sorted(sight.service_ids))
    if sight.key_id:
        allowed |= Q(key_id=sight.key_id)
    return requests.filter(allowed)
