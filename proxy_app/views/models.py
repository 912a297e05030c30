"""The models a key may use."""

from typing import Any

import orjson

from gateway_project.errors import UnknownModel
from keys_app import policy
from proxy_app.catalogue import Catalogue, ModelEntry
from proxy_app.views.base import APIView


class Models(APIView):
    """GET the list, in OpenAI's shape."""

    endpoint = "models"
    methods = ("GET",)

    async def get(self) -> None:
        catalogue: Catalogue = self.request.snapshot.sections["catalogue"]
        assert self.request.principal is not None
        names = policy.allowed_names(self.request.principal, catalogue.names())
        data = [describe(name, catalogue.by_name[name]) for name in names]
        await self.answer({"object": "list", "data": data})

    async def answer(self, body: dict[str, Any]) -> None:
        headers = {"x-request-id": self.request.id}
        await self.request.reply.whole(200, headers, orjson.dumps(body))


class Model(Models):
    """GET one model by its name (which may hold slashes)."""

    async def get(self) -> None:
        name = self.kwargs["model"]
        catalogue: Catalogue = self.request.snapshot.sections["catalogue"]
        principal = self.request.principal
        assert principal is not None
        model = catalogue.find(name)
        if model is None or not policy.may_use_model(principal, name):
            raise UnknownModel(f"There is no model '{name[:200]}' that this key may use.", param="model")
        await self.answer(describe(name, model))


def describe(name: str, model: ModelEntry) -> dict[str, Any]:
    """One model as OpenAI's list shows it; owned by its provider, or by 'gatehouse' when several serve it."""
    providers = {deployment.provider.name for deployment in model.deployments}
    return {
        "id": name,
        "object": "model",
        "created": model.created_s,
        "owned_by": providers.pop() if len(providers) == 1 else "gatehouse",
    }
