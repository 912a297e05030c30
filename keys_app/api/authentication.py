"""Who speaks to the management API: a management key, a signed-in person, or a virtual key about itself.

The master key may do everything; other management keys what their scopes say.
"""

from typing import Any, cast

from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from gateway_project.clock import now
from gateway_project.conf import config
from keys_app.issuing import find_key, key_state
from keys_app.managing import manages
from keys_app.models import ManagementKey, User, VirtualKey
from keys_app.policy import MASTER
from keys_app.secrets import MANAGEMENT_PREFIX, hash_secret, is_master

REALM = 'Bearer realm="gatehouse"'
KEY_HEADERS = ("x-api-key", "x-goog-api-key", "api-key", "x-litellm-api-key")


#: what a management key may be allowed, each as name:read and name:write
SCOPES = ("keys", "people", "allowances", "catalogue", "usage", "calls", "audit", "access")
ALL_SCOPES = tuple(f"{name}:{right}" for name in SCOPES for right in ("read", "write"))


class ManagementPrincipal:
    """The holder of a management key: an administrator without a row among the users.

    `key` is None for the master key, which has every scope.
    """

    pk = None
    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_admin = True

    def __init__(self, key: ManagementKey | None = None) -> None:
        self.key = key
        self.username = MASTER if key is None else f"{key.name} …{key.last_four}"[:150]

    def may(self, scope: str) -> bool:
        """Whether a scope such as keys:read is granted; writing includes reading."""
        if self.key is None:
            return True
        name, _colon, right = scope.partition(":")
        return scope in self.key.scopes or (right == "read" and f"{name}:write" in self.key.scopes)

    def __str__(self) -> str:
        return self.username


class KeyHolder:
    """The holder of a virtual key: may read about that key and do nothing else here."""

    pk = None
    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_admin = False

    def __init__(self, key: VirtualKey) -> None:
        self.key = key
        self.username = key.name

    def __str__(self) -> str:
        return self.username


class ManagementAuthentication(BaseAuthentication):
    """`Authorization: Bearer <management key>`. A wrong one is refused, never passed on to the session."""

    def authenticate(self, request: Request) -> tuple[ManagementPrincipal, None] | None:
        sent = bearer(request)
        if sent is None:
            return None
        found = find_management(sent)
        if found is None:
            raise AuthenticationFailed(_("This is not a management key."))
        return found, None

    def authenticate_header(self, request: Request) -> str:
        return REALM


class WindowSession(SessionAuthentication):
    """A person who signed in to the window; changes need the CSRF token."""

    def authenticate_header(self, request: Request) -> str:
        return REALM


class VirtualKeyAuthentication(BaseAuthentication):
    """The virtual key itself, in any header the data plane takes it in."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, None] | None:
        sent = bearer(request) or _header_key(request)
        if sent is None:
            return None
        key = find_key(sent)
        if key is None or not _works(key, sent):
            raise AuthenticationFailed(_("This key is not known here, or no longer works."))
        return KeyHolder(key), None

    def authenticate_header(self, request: Request) -> str:
        return REALM


class IsAdmin(BasePermission):
    """A management key with the view's scope, or a signed-in person whose role is admin."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_admin(request.user) and has_scope(request, view)


class IsPerson(BasePermission):
    """As IsAdmin, or any active person: what they may, the view asks `rights`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        person: Any = request.user
        return (isinstance(person, User) and person.is_active) or (
            is_admin(person) and has_scope(request, view)
        )


class IsManager(BasePermission):
    """As IsAdmin, or somebody who manages a service: which rows, the view asks `managing`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        person: Any = request.user
        if isinstance(person, User):
            return manages(person)
        return is_admin(person) and has_scope(request, view)


def has_scope(request: Request, view: APIView) -> bool:
    """Whether a management key has the view's scope; a view without one takes the master key only."""
    principal: Any = request.user
    if not isinstance(principal, ManagementPrincipal):
        return True
    name = getattr(view, "scope", "")
    right = "read" if request.method in SAFE_METHODS else "write"
    return principal.key is None or bool(name and principal.may(f"{name}:{right}"))


def find_management(sent: str) -> ManagementPrincipal | None:
    """Who holds this management key; None when it is none, or no longer works."""
    if is_master(sent, config()):
        return ManagementPrincipal()
    if not sent.startswith(MANAGEMENT_PREFIX):
        return None
    key = ManagementKey.objects.filter(secret_hash=hash_secret(sent), blocked_at=None).first()
    if key is None or (key.expires_at is not None and key.expires_at <= now()):
        return None
    return ManagementPrincipal(key)


class HoldsKey(BasePermission):
    """A virtual key that authenticated itself."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(cast(Any, request.user), KeyHolder)


def is_admin(user: Any) -> bool:
    """Whether this principal may see and change everything."""
    if isinstance(user, User):
        return user.is_active and user.sees_everything
    return isinstance(user, ManagementPrincipal)


def acting_user(user: Any) -> User | None:
    """The person behind a change, None for the master key."""
    return user if isinstance(user, User) else None


def bearer(request: Request) -> str | None:
    """The token of an Authorization header, None without one."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _header_key(request: Request) -> str | None:
    for name in KEY_HEADERS:
        if value := request.headers.get(name, "").strip():
            return value.removeprefix("Bearer ").strip()
    return None


def _works(key: VirtualKey, sent: str) -> bool:
    at = now()
    if hash_secret(sent) != key.secret_hash and (key.previous_until is None or key.previous_until <= at):
        return False
    return key_state(key, at) == "active"
