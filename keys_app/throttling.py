"""Wrong passwords are counted by address and by name: past a few, no password is tried for a while.

Counts are rows, so that all workers share them. What is stored is a digest of the address or the name.
A password is checked all the same while it is refused, so that the time of an answer tells nothing.
"""

from datetime import timedelta
from hashlib import sha256

from django.conf import settings

from gateway_project.clock import now
from keys_app.models import SignInFailure

#: set on a request whose password was not looked at
MARK = "gatehouse.sign_in_throttled"
WINDOW = timedelta(minutes=15)
#: An address tries many names, so it may fail more often than one name may be tried.
MOST_OF_ADDRESS = 20
MOST_OF_NAME = 10


def is_throttled(address: str, name: str) -> bool:
    """Whether this address, or whoever tries this name, has failed too often lately."""
    since = now() - WINDOW
    failures = SignInFailure.objects.filter(at__gt=since)
    return (
        failures.filter(subject=_digest("address", address)).count() >= MOST_OF_ADDRESS
        or failures.filter(subject=_digest("name", name)).count() >= MOST_OF_NAME
    )


def note_failure(address: str, name: str) -> None:
    """Count one; what is older than the window is forgotten."""
    SignInFailure.objects.filter(at__lt=now() - WINDOW).delete()
    subjects = (_digest("address", address), _digest("name", name))
    SignInFailure.objects.bulk_create(SignInFailure(subject=subject) for subject in subjects)


def forget_name(name: str) -> None:
    """The right password was given: the name starts afresh, the address does not."""
    SignInFailure.objects.filter(subject=_digest("name", name)).delete()


def _digest(kind: str, text: str) -> str:
    return sha256(f"{settings.SECRET_KEY}:{kind}:{text.casefold()[:400]}".encode()).hexdigest()
