"""LiteLLM's key endpoints, with its bodies and answers, for scripts that know them. Master key only."""

from collections.abc import Mapping
from math import ceil
from typing import Any, cast

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from keys_app import issuing
from keys_app.api.authentication import ManagementAuthentication, ManagementPrincipal, has_scope
from keys_app.api.litellm_bodies import (
    check_fields,
    parse_budgets,
    parse_expiry,
    parse_limits,
    parse_metadata,
    parse_models,
    render_info,
)
from keys_app.api.management import refuse_managed
from keys_app.api.problems import as_api_exception, field_errors, sentence
from keys_app.api.serializers import find_by_id_or_name
from keys_app.audit import record_change
from keys_app.models import Environment, Service, User, VirtualKey

_BUDGET_FIELDS = frozenset({"max_budget", "soft_budget", "budget_duration"})
_LIMIT_FIELDS = frozenset({"rpm_limit", "tpm_limit", "max_parallel_requests"})
_HASH_LENGTH = 64
LARGEST_PAGE = 100


class HoldsMasterKey(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(cast(Any, request.user), ManagementPrincipal) and has_scope(request, view)


@extend_schema(tags=["LiteLLM"], request=dict, responses=dict)
class LiteLLMView(APIView):
    """Errors as LiteLLM's clients read them: {"error": {message, type, param, code}}."""

    scope = "keys"
    authentication_classes = [ManagementAuthentication]
    permission_classes = [HoldsMasterKey]

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        error = as_api_exception(exc)
        found = list(field_errors(error.detail)) if isinstance(error, ValidationError) else []
        message = sentence(found) if found else str(error.detail)
        kind = "auth_error" if response.status_code in (401, 403) else "bad_request_error"
        param = found[0]["field"] or None if found else None
        body = {"message": message, "type": kind, "param": param, "code": str(response.status_code)}
        answer = Response({"error": body}, status=response.status_code)
        if challenge := response.headers.get("WWW-Authenticate"):
            answer["WWW-Authenticate"] = challenge
        answer.exception = True
        return answer


class GenerateView(LiteLLMView):
    """POST /key/generate"""

    def post(self, request: Request) -> Response:
        body = check_fields(request.data)
        models, no_models = parse_models(body)
        with transaction.atomic():
            key, secret = issuing.issue_key(
                name=_text(body, "key_alias") or _text(body, "key_name") or "key",
                user=_user(body),
                service=_service(body),
                environment=Environment.PRODUCTION,
                models_allowed=models,
                no_models=no_models,
                expires_at=parse_expiry(body),
                budgets=parse_budgets(body),
                limits=parse_limits(body),
                secret=_text(body, "key") or None,
            )
            if metadata := parse_metadata(body):
                key.metadata = metadata
                key.save(update_fields=["metadata"])
            if body.get("blocked") is True:
                issuing.block_key(key)
            record_change(request.user, key, "added")
        answer = Response({**render_info(key), "key": secret, "spend": 0.0})
        answer["Cache-Control"] = "no-store"
        return answer


class UpdateView(LiteLLMView):
    """POST /key/update: only what the body names changes."""

    def post(self, request: Request) -> Response:
        body = check_fields(request.data)
        key = find_named(_text(body, "key"))
        refuse_managed(key)
        with transaction.atomic():
            _apply(key, body)
            record_change(request.user, key, "changed", sorted(set(body) - {"key"}))
        return Response({**render_info(key), "key": body["key"]})


def _apply(key: VirtualKey, body: Mapping[str, Any]) -> None:
    changes: dict[str, Any] = {}
    if "key_alias" in body:
        changes["name"] = _text(body, "key_alias") or key.name
    if "models" in body:
        changes["models_allowed"], changes["no_models"] = parse_models(body)
    if "duration" in body:
        changes["expires_at"] = parse_expiry(body)
    if "metadata" in body:
        changes["metadata"] = parse_metadata(body)
    if "user_id" in body:
        changes["user"] = _user(body)
    if "team_id" in body:
        changes["service"] = _service(body)
    for name, value in changes.items():
        setattr(key, name, value)
    if changes:
        key.save(update_fields=list(changes))
    if _BUDGET_FIELDS & body.keys():
        stands = render_info(key)
        issuing.set_budgets(
            key, parse_budgets({name: body.get(name, stands[name]) for name in _BUDGET_FIELDS})
        )
    if _LIMIT_FIELDS & body.keys():
        stands = {name: body.get(name, render_info(key)[name]) for name in _LIMIT_FIELDS}
        issuing.set_limits(key, parse_limits(stands))
    if "blocked" in body:
        issuing.block_key(key) if body["blocked"] is True else issuing.unblock_key(key)


class BlockView(LiteLLMView):
    """POST /key/block"""

    def post(self, request: Request) -> Response:
        key = find_named(_text(check_fields(request.data), "key"))
        issuing.block_key(key)
        record_change(request.user, key, "blocked")
        return Response(render_info(key))


class UnblockView(LiteLLMView):
    """POST /key/unblock"""

    def post(self, request: Request) -> Response:
        key = find_named(_text(check_fields(request.data), "key"))
        issuing.unblock_key(key)
        record_change(request.user, key, "unblocked")
        return Response(render_info(key))


class DeleteView(LiteLLMView):
    """POST /key/delete: {"keys": […]} or {"key_aliases": […]}"""

    def post(self, request: Request) -> Response:
        body = request.data if isinstance(request.data, Mapping) else {}
        named, aliases = body.get("keys") or [], body.get("key_aliases") or []
        if not isinstance(named, list) or not isinstance(aliases, list) or not (named or aliases):
            raise ValidationError({"keys": [_("Takes a list of keys.")]})
        with transaction.atomic():
            rows = [find_named(str(text)) for text in named]
            rows += VirtualKey.objects.filter(name__in=[str(alias) for alias in aliases])
            for key in rows:
                refuse_managed(key)
                record_change(request.user, key, "deleted")
                key.delete()
        return Response({"deleted_keys": named or [row.secret_hash for row in rows]})


class InfoView(LiteLLMView):
    """GET /key/info?key=<hash or secret>"""

    def get(self, request: Request) -> Response:
        text = request.query_params.get("key", "")
        key = find_named(text)
        return Response({"key": key.secret_hash, "info": render_info(key)})


class ListView(LiteLLMView):
    """GET /key/list?page=&size=&user_id=&team_id=&key_alias=&return_full_object="""

    def get(self, request: Request) -> Response:
        query = request.query_params
        page, size = _page(query.get("page", "1")), min(_page(query.get("size", "10")), LARGEST_PAGE)
        rows = VirtualKey.objects.select_related("user", "service").order_by("-created_at", "-id")
        if name := query.get("user_id"):
            rows = rows.filter(user__username=name)
        if name := query.get("team_id"):
            rows = rows.filter(service=_service({"team_id": name}))
        if name := query.get("key_alias"):
            rows = rows.filter(name=name)
        count = rows.count()
        shown = rows[(page - 1) * size : page * size]
        whole = query.get("return_full_object", "").lower() == "true"
        keys = [render_info(row) if whole else row.secret_hash for row in shown]
        pages = ceil(count / size)
        return Response({"keys": keys, "total_count": count, "current_page": page, "total_pages": pages})


def find_named(text: str) -> VirtualKey:
    """A key by its secret or by the hash LiteLLM calls its token."""
    if not text:
        raise ValidationError({"key": [_("This field is required.")]})
    key: VirtualKey | None = None
    if len(text) == _HASH_LENGTH and not text.startswith("sk-"):
        key = VirtualKey.objects.select_related("user", "service").filter(secret_hash=text).first()
    key = key or issuing.find_key(text)
    if key is None:
        raise NotFound(_("There is no such key."))
    return key


def _text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 400 or (field != "key" and len(value) > 120):
        raise ValidationError({field: [_("Takes a short text.")]})
    return value.strip()


def _user(body: Mapping[str, Any]) -> User | None:
    """`user_id` is an id or a name; LiteLLM makes unknown ones, and so do we: they cannot sign in."""
    name = _text(body, "user_id")
    if not name:
        return None
    found: User | None = find_by_id_or_name(User.objects.all(), ("username", "email"), name)
    if found is None:
        found = User(username=name)
        found.set_unusable_password()
        found.full_clean(exclude=["password"])
        found.save()
    return found


def _service(body: Mapping[str, Any]) -> Service | None:
    name = _text(body, "team_id")
    if not name:
        return None
    found: Service | None = find_by_id_or_name(Service.objects.all(), ("name",), name)
    if found is None:
        raise ValidationError({"team_id": [_("There is no service %(name)r.") % {"name": name}]})
    return found


def _page(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10**6:
        raise ValidationError(_("page and size take whole numbers from 1."))
    return int(text)


class UnknownView(LiteLLMView):
    """LiteLLM's other key endpoints: said to be missing, in its shape."""

    schema = None

    def initial(self, request: Request, *args: Any, **options: Any) -> None:
        super().initial(request, *args, **options)
        raise _NoSuchEndpoint(_("This endpoint of LiteLLM is not here; see /api/docs/."))

    def get(self, request: Request, **options: Any) -> Response:
        return Response(status=status.HTTP_404_NOT_FOUND)

    post = put = delete = get


class _NoSuchEndpoint(APIException):
    status_code = status.HTTP_404_NOT_FOUND
    default_code = "not_found"
