"""What a role means to Django: flags for the admin, and a group whose permissions everyone of it has.

The role column decides, not the rows that say who is in a group: whoever changes it, by whatever
way, the permissions follow at once. Groups that an admin adds besides give more.
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from keys_app import throttling
from keys_app.models import User

GROUP_OF = {
    User.Role.ADMIN: "Admins",
    User.Role.MANAGER: "Managers",
    User.Role.MEMBER: "Members",
    User.Role.VIEWER: "Viewers",
}
MAKE_KEYS = "keys_app.make_keys"
#: role -> permissions of its group; admins have all of them as superusers
PERMISSIONS = {User.Role.MANAGER: (MAKE_KEYS,), User.Role.MEMBER: (MAKE_KEYS,)}


def apply_role(user: User) -> None:
    """Set Django's flags from the role, on the object only; save it afterwards."""
    user.is_staff = user.is_superuser = user.role == User.Role.ADMIN


class RoleBackend(ModelBackend):
    """Passwords as Django checks them, throttled; permissions of the role's group besides other groups'."""

    def authenticate(
        self, request: HttpRequest | None, username: Any = None, password: Any = None, **more: Any
    ) -> Any:
        """The hash is computed whatever the outcome, so that the time of an answer tells nothing."""
        if request is None or not isinstance(username, str):
            return super().authenticate(request, username=username, password=password, **more)
        address = str(request.META.get("REMOTE_ADDR", ""))
        throttled = throttling.is_throttled(address, username)
        user = super().authenticate(request, username=username, password=password, **more)
        if throttled:
            request.META[throttling.MARK] = True
            return None
        if user is None:
            throttling.note_failure(address, username)
        else:
            throttling.forget_name(username)
        return user

    def _get_group_permissions(self, user_obj: User) -> "QuerySet[Permission]":
        its_group = Q(group__name=GROUP_OF.get(User.Role(user_obj.role), ""))
        return Permission.objects.filter(its_group | Q(group__user=user_obj)).distinct()


def make_groups(sender: Any, **_: Any) -> None:
    """After each migration: the four groups, with at least the permissions their roles have."""
    create_permissions(sender, verbosity=0)
    for role, name in GROUP_OF.items():
        group, _made = Group.objects.get_or_create(name=name)
        for permission in PERMISSIONS.get(role, ()):
            app, codename = permission.split(".")
            group.permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
