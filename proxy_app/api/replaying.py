"""GET /api/v1/requests/{id}/replay/: what was asked in a call, to be asked again in the Playground.

For who may read what is said in calls, where it is kept; each reading is in the audit log.
"""

from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request as ApiRequest
from rest_framework.response import Response
from rest_framework.views import APIView

from gateway_project.errors import BadRequest
from keys_app.api.authentication import WindowSession, acting_user
from keys_app.audit import record_event
from keys_app.crypto import Unreadable
from proxy_app.replaying import replay_of
from usage_app import captured
from usage_app.models import Request
from usage_app.sight import sight_of, visible


class NotReplayable(APIException):
    """What was kept is not enough to ask it again; `detail` says why."""

    status_code = 422
    default_code = "not_replayable"


class ReplayView(APIView):
    """A kept request in the words of Chat Completions, without its model."""

    authentication_classes = [WindowSession]
    permission_classes = [IsAuthenticated]

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 403: OpenApiTypes.OBJECT, 404: OpenApiTypes.OBJECT})
    def get(self, request: ApiRequest, pk: str) -> Response:
        person = acting_user(request.user)
        if person is None or not person.has_perm("usage_app.read_bodies"):
            raise PermissionDenied
        try:
            wanted = UUID(pk)
        except ValueError:
            raise NotFound(_("There is no such request.")) from None
        row = visible(Request.objects.all(), sight_of(person)).filter(pk=wanted).first()
        if row is None:
            raise NotFound(_("There is no such request."))
        try:
            said = captured.read(row.pk)
        except Unreadable as problem:
            raise NotReplayable(str(problem)) from None
        if said is None:
            raise NotFound(_("What was said in this call is not kept."))
        record_event(person, "read", "usage_app.capturedbody", str(row.pk), {})
        if row.endpoint not in captured.CONVERSATIONS:
            raise NotReplayable(_("This call was no conversation."))
        try:
            replay = replay_of(row.format, row.model, said.request)
        except BadRequest as problem:
            raise NotReplayable(problem.detail) from None
        return Response({"model": row.model, "body": replay.body, "left_out": replay.left_out})
