"""Errors of the management API in one shape: problem details (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import ProtectedError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from gateway_project.errors import GatehouseError

MEDIA_TYPE = "application/problem+json"
TYPES = "urn:gatehouse:problem:"

log = logging.getLogger(__name__)


class Conflict(exceptions.APIException):
    """The state of the object does not allow the change."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The object's state does not allow this."
    default_code = "conflict"


def render_problem(exc: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: any error as {type, title, status, detail, errors?}."""
    error = as_api_exception(exc)
    set_rollback()
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return Response(problem(error), status=error.status_code, headers=headers, content_type=MEDIA_TYPE)


def as_api_exception(exc: Exception) -> exceptions.APIException:
    """What DRF and Django raise, and our own tree, as one kind; the unexpected is logged: a 500."""
    match exc:
        case exceptions.APIException():
            return exc
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied(str(exc) or None)
        case DjangoValidationError():
            detail: Any = exc.message_dict if hasattr(exc, "error_dict") else exc.messages
            return exceptions.ValidationError(detail)
        case ProtectedError():
            names = sorted({str(row) for row in exc.protected_objects})[:5]
            return Conflict(_("It is still used by %(names)s.") % {"names": ", ".join(names)})
        case GatehouseError():
            error = exceptions.APIException(exc.detail, exc.code)
            error.status_code = exc.status_code
            return error
        case _:
            log.error("The management API failed", exc_info=exc)
            return exceptions.APIException(_("The gateway failed; its log says why."), "internal_error")


def problem(error: exceptions.APIException) -> dict[str, Any]:
    """The body: `errors` lists {field, message, code} where fields are at fault."""
    body: dict[str, Any] = {
        "type": TYPES + _code(error),
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
    }
    if isinstance(error, exceptions.ValidationError):
        found = list(field_errors(error.detail))
        body["detail"] = sentence(found)
        body["errors"] = found
    else:
        body["detail"] = str(error.detail)
    return body


def field_errors(detail: Any, field: str = "") -> list[dict[str, str]]:
    """Nested validation errors as a flat list; a field inside a list is written `budgets.0.period`."""
    if isinstance(detail, Mapping):
        return [
            error
            for name, inner in detail.items()
            for error in field_errors(inner, field if name == "non_field_errors" else _join(field, name))
        ]
    if isinstance(detail, list | tuple):
        found: list[dict[str, str]] = []
        for index, inner in enumerate(detail):
            found.extend(field_errors(inner, _join(field, index) if isinstance(inner, Mapping) else field))
        return found
    return [{"field": field, "message": str(detail), "code": str(getattr(detail, "code", "invalid"))}]


def sentence(errors: list[dict[str, str]]) -> str:
    """All field errors in one line."""
    return " ".join(f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in errors)


def _join(field: str, name: object) -> str:
    return f"{field}.{name}" if field else str(name)


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else "invalid"
