"""Today's names of the ids that sums are kept by; of what is gone, the last name the ledger saw."""

from collections.abc import Iterable
from uuid import UUID

from keys_app.models import Service, User, VirtualKey
from usage_app.models import KnownName


def names_of(dimension: str, ids: Iterable[str]) -> dict[str, str]:
    """Names by id, in at most two queries. Dimensions without names are called what they are."""
    wanted = {ref for ref in ids if ref}
    if dimension not in ("key", "user", "service", "deployment", "provider"):
        return {ref: ref for ref in wanted}
    known = KnownName.objects.filter(kind=dimension, ref__in=wanted)
    names = {ref: ref for ref in wanted} | dict(known.values_list("ref", "name"))
    uuids = [ref for ref in map(_uuid, wanted) if ref]
    if dimension == "key":
        current = dict(VirtualKey.objects.filter(pk__in=uuids).values_list("pk", "name"))
    elif dimension == "user":
        current = dict(User.objects.filter(pk__in=uuids).values_list("pk", "username"))
    elif dimension == "service":
        current = dict(Service.objects.filter(pk__in=uuids).values_list("pk", "name"))
    else:
        return names
    return names | {str(pk): name for pk, name in current.items()}


def _uuid(ref: str) -> UUID | None:
    try:
        return UUID(ref)
    except ValueError:
        return None
