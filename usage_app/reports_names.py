"""Today's names of the ids that sums are kept by; of what is gone, the last name the ledger saw."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from keys_app.models import Service, User, VirtualKey
from usage_app.models import KnownName

_QUERY_IDS = 500  # SQLite takes so many values at once


def names_of(dimension: str, ids: Iterable[str]) -> dict[str, str]:
    """Names by id, in two queries for every 500. Dimensions without names are called what they are."""
    wanted = sorted({ref for ref in ids if ref})
    names = {ref: ref for ref in wanted}
    if dimension not in ("key", "user", "service", "deployment", "provider"):
        return names
    for start in range(0, len(wanted), _QUERY_IDS):
        names |= _some_names(dimension, wanted[start : start + _QUERY_IDS])
    return names


def ids_named(dimension: str, name: str) -> tuple[str, ...]:
    """The ids that have or last had a name; where nothing has it, what is no id of anything."""
    known = KnownName.objects.filter(kind=dimension, name=name).values_list("ref", flat=True)
    return tuple(sorted(known)) or (name,)


def _some_names(dimension: str, wanted: Sequence[str]) -> dict[str, str]:
    known = KnownName.objects.filter(kind=dimension, ref__in=wanted)
    names = dict(known.values_list("ref", "name"))
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
