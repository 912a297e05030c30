"""What a virtual key may ask about itself, and the effective policy of a key for who may see it."""

from typing import Any, cast

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from keys_app.api import rendering
from keys_app.api.authentication import HoldsKey, KeyHolder, VirtualKeyAuthentication
from keys_app.api.keys import KeyRows
from keys_app.models import VirtualKey
from keys_app.standing import as_dict, live_store, standing_of

_ASKED = ("model", "provider", "deployment", "end_user")
_PARAMETERS = [
    OpenApiParameter(name, str, description="With the levels of this one besides.") for name in _ASKED
]


def effective_policy(request: Request, key: VirtualKey, **asked: str) -> dict[str, Any]:
    """Each level as it stands: `held` and rates are null where this process does not count them."""
    found = standing_of(key, live_store(request._request), **asked)
    return {
        "is_live": found.is_live,
        "levels": [as_dict(level, found.is_live) for level in found.levels],
    }


class OwnKeyView(APIView):
    """A virtual key about itself: owner, environment, models, limits, budgets and what is left of them."""

    authentication_classes = [VirtualKeyAuthentication]
    permission_classes = [HoldsKey]

    @extend_schema(responses=rendering.KeyAnswer, parameters=[OpenApiParameter("x-api-key", str, "header")])
    def get(self, request: Request) -> Response:
        key = cast(KeyHolder, request.user).key
        answer = rendering.render_key(key)
        for hidden in ("managed_by", "blocked_reason"):
            del answer[hidden]
        response = Response({**answer, "policy": effective_policy(request, key)})
        response["Cache-Control"] = "no-store"
        return response


class PolicyViewSet(KeyRows):
    """What limits a key now, level by level."""

    serializer_class = rendering.KeyAnswer

    @extend_schema(parameters=_PARAMETERS, responses=OpenApiTypes.OBJECT)
    def retrieve(self, request: Request, pk: str) -> Response:
        query = request.query_params
        if unknown := sorted(set(query) - set(_ASKED)):
            raise ValidationError({name: [_("Unknown filter.")] for name in unknown}, "unknown_field")
        asked = {name: query[name][:200] for name in _ASKED if query.get(name)}
        return Response(effective_policy(request, self.row(), **asked))
