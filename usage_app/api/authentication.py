"""Who reads usage over the API: the master key or an admin all of it, a person or a key their part."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from keys_app.api.authentication import (
    REALM,
    KeyHolder,
    ManagementPrincipal,
    VirtualKeyAuthentication,
    bearer,
    find_management,
    has_scope,
)
from keys_app.models import User
from usage_app.sight import EVERYTHING, Sight, sight_of


class MasterOrVirtualKey(BaseAuthentication):
    """The management key, or a virtual key for its own calls, in any header a key is taken in."""

    def authenticate(self, request: Request) -> tuple[ManagementPrincipal | KeyHolder, None] | None:
        sent = bearer(request)
        if sent is not None and (found := find_management(sent)):
            return found, None
        return VirtualKeyAuthentication().authenticate(request)

    def authenticate_header(self, request: Request) -> str:
        return REALM


class MayReadUsage(BasePermission):
    """Someone who was recognised; what they see is their sight's to say."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        principal: Any = request.user
        if isinstance(principal, ManagementPrincipal):
            return has_scope(request, view)
        return isinstance(principal, KeyHolder) or (isinstance(principal, User) and principal.is_active)


def sight_of_principal(principal: Any) -> Sight:
    """What a caller of the API sees; nothing for a kind that is not known here."""
    match principal:
        case ManagementPrincipal():
            return EVERYTHING
        case KeyHolder():
            return Sight(key_id=str(principal.key.pk))
        case User():
            return sight_of(principal)
        case _:
            return Sight()
