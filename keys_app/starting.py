"""The first admin and the first virtual key, and new ones for who lost what was printed once."""

import secrets

from django.db import transaction

from gateway_project.conf import config
from keys_app.issuing import issue_key
from keys_app.models import Environment, Service, User
from keys_app.models.people import STARTER_DESCRIPTION
from keys_app.roles import apply_role

ADMIN_NAME = "admin"
FIRST_SERVICE = "getting-started"
#: No 0/O, 1/l/I: the password is typed from a terminal.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def is_first_start() -> bool:
    """Nobody can sign in yet."""
    return not User.objects.exists()


def first_admin() -> str | None:
    """Make `admin`. Returns the generated password, None when the environment gave one."""
    given = config().admin_password
    password = given or new_password()
    _set_password(User(username=ADMIN_NAME), password)
    return None if given else password


def reset_admin() -> str:
    """A new password for `admin`, who is made again or made an admin again if need be."""
    password = new_password()
    user = User.objects.filter(username=ADMIN_NAME).first() or User(username=ADMIN_NAME)
    _set_password(user, password)
    return password


def _set_password(user: User, password: str) -> None:
    user.role = User.Role.ADMIN
    user.is_active = True
    apply_role(user)
    user.set_password(password)
    user.save()


def starter_key() -> str:
    """A new key of the service for trying things out; returns its secret."""
    with transaction.atomic():
        service, _made = Service.objects.get_or_create(
            name=FIRST_SERVICE, defaults={"description": STARTER_DESCRIPTION}
        )
        number = service.keys.count() + 1
        name = "first key" if number == 1 else f"key {number}"
        _key, secret = issue_key(name=name, service=service, environment=Environment.TEST)
    return secret


def new_password() -> str:
    """Twenty characters, 114 bits, in groups of five."""
    characters = [secrets.choice(_ALPHABET) for _position in range(20)]
    return "-".join("".join(characters[start : start + 5]) for start in range(0, 20, 5))
