"""The models a key may use, in the shape of whoever asks."""

from collections.abc import Sequence
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
from proxy_app.views.edge import BESIDES
from proxy_app.views.request import Request
from usage_app.pricing import CompiledPrice


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
        await self.answer_list([self.listed(name, catalogue.by_name[name]) for name in names])

    async def answer_list(self, models: list[Listed]) -> None:
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
        prices = self._prices(name, model)
        windows = [price.context_window for price in prices if price and price.context_window]
        return Listed(
            name=name,
            created_s=model.created_s,
            owner=providers.pop() if len(providers) == 1 else "gatehouse",
            description=model.description,
            context_window=min(windows, default=None),
            costs=_dearest(prices),
        )

    def _prices(self, name: str, model: ModelEntry) -> list[CompiledPrice | None]:
        """What each way to the model costs; None where that is unknown."""
        book, now = self.request.snapshot.sections["prices"], now_ms()
        return [
            book.find(each.id, each.provider.price_kind, fill(model.name, each.upstream_model, name), now)
            for each in model.deployments
        ]


def _dearest(prices: Sequence[CompiledPrice | None]) -> tuple[int, int, int, int] | None:
    """The most that a million tokens of input, output, cache reads and writes cost."""
    rates = [price.rates for price in prices if price is not None and price.by_tokens]
    if not rates or len(rates) < len(prices):
        return None
    return (
        max(each.input for each in rates),
        max(each.output for each in rates),
        max(each.cache_read for each in rates),
        max(each.cache_write for each in rates),
    )


class ModelInfo(Models):
    """GET the list as LiteLLM tells it."""

    async def answer_list(self, models: list[Listed]) -> None:
        await self.answer(model_lists.litellm_list(models))


class Model(Models):
    """GET one model by its name (which may hold slashes)."""

    def http_method_not_allowed(self) -> None:
        """Only Gemini's verbs are posted to a model: one that is none of those served has no address."""
        name, _, verb = self.kwargs["model"].rpartition(":")
        if self.request.method != "POST" or not name or not verb:
            super().http_method_not_allowed()
        self.format = "gemini"
        raise UnknownPath(f"There is no method '{verb[:80]}' of a model here. {BESIDES}.")

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
