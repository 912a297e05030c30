"""The models a key may use, in the shape of whoever asks."""

from typing import Any

import orjson

from gateway_project.clock import now_ms
from gateway_project.errors import UnknownModel, UnknownPath
from keys_app import policy
from proxy_app import model_lists
from proxy_app.answering import told_ids
from proxy_app.catalogue import Catalogue, ModelEntry
from proxy_app.dialects import dialect_of, query_of
from proxy_app.model_lists import Listed
from proxy_app.planning import fill
from proxy_app.views.base import APIView
from proxy_app.views.conversations import gemini_model
from proxy_app.views.request import Request


class Models(APIView):
    """GET the list."""

    endpoint = "models"
    methods = ("GET", "HEAD")

    def __init__(self, request: Request, **kwargs: str) -> None:
        super().__init__(request, **kwargs)
        scope = request.scope
        self.format = dialect_of(scope["path"], request.headers, scope["query_string"])
        self.query = query_of(scope["query_string"])

    async def get(self) -> None:
        catalogue: Catalogue = self.request.snapshot.sections["catalogue"]
        assert self.request.principal is not None
        names = policy.allowed_names(self.request.principal, catalogue.names())
        models = [self.listed(name, catalogue.by_name[name]) for name in names]
        if self.format == "anthropic":
            await self.answer(model_lists.anthropic_list(models, self.query))
        elif self.format == "gemini":
            await self.answer(model_lists.gemini_list(models, self.query))
        elif "client_version" in self.query:
            await self.answer(model_lists.codex_catalogue(models))
        else:
            await self.answer(model_lists.openai_list(models))

    async def head(self) -> None:
        await self.get()

    async def answer(self, body: dict[str, Any]) -> None:
        await self.request.reply.whole(200, told_ids(self.request.id), orjson.dumps(body))

    def listed(self, name: str, model: ModelEntry) -> Listed:
        """Owned by its provider, or by 'gatehouse' when several serve it."""
        providers = {deployment.provider.name for deployment in model.deployments}
        return Listed(
            name=name,
            created_s=model.created_s,
            owner=providers.pop() if len(providers) == 1 else "gatehouse",
            description=model.description,
            context_window=self._context_window(name, model),
        )

    def _context_window(self, name: str, model: ModelEntry) -> int | None:
        book = self.request.snapshot.sections["prices"]
        now = now_ms()
        windows = []
        for deployment in model.deployments:
            upstream_model = fill(model.name, deployment.upstream_model, name)
            price = book.find(deployment.id, deployment.provider.price_kind, upstream_model, now)
            if price is not None and price.context_window:
                windows.append(price.context_window)
        return min(windows, default=None)


class Model(Models):
    """GET one model by its name (which may hold slashes)."""

    def http_method_not_allowed(self) -> None:
        """Only Gemini's verbs are posted to a model: one that is none of those served has no address."""
        name, _, verb = self.kwargs["model"].rpartition(":")
        if self.request.method != "POST" or not name or not verb:
            super().http_method_not_allowed()
        self.format = "gemini"
        raise UnknownPath(f"There is no method '{verb[:80]}' of a model here.")

    async def get(self) -> None:
        name = self.kwargs["model"]
        if self.format == "gemini":
            name = gemini_model(name)
        catalogue: Catalogue = self.request.snapshot.sections["catalogue"]
        principal = self.request.principal
        assert principal is not None
        model = catalogue.find(name)
        if model is None or not policy.may_use_model(principal, name):
            raise UnknownModel(f"There is no model '{name[:200]}' that this key may use.", param="model")
        shapes = {"anthropic": model_lists.anthropic_model, "gemini": model_lists.gemini_model}
        shape = shapes.get(self.format, model_lists.openai_model)
        await self.answer(shape(self.listed(name, model)))
