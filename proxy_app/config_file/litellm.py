"""LiteLLM's config.yaml as it is: model_list, router_settings, litellm_settings, general_settings."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from proxy_app.config_file.declared import (
    Declared,
    DeclaredDeployment,
    DeclaredFallback,
    DeclaredModel,
    Timeouts,
)
from proxy_app.config_file.litellm_clouds import PARAMS
from proxy_app.config_file.litellm_prices import read_price
from proxy_app.config_file.litellm_providers import Endpoint, find_endpoint, provider_of
from proxy_app.config_file.references import (
    Reference,
    mapping,
    mappings,
    seconds,
    text_or_none,
    texts,
    whole_number,
)

_SECTIONS = frozenset({"model_list", "router_settings", "litellm_settings", "general_settings"})
_PARAMS = frozenset(
    {"model", "api_base", "base_url", "api_key", "api_version", "custom_llm_provider", "weight", "order"}
    | PARAMS
    | {"rpm", "tpm", "max_parallel_requests", "timeout", "stream_timeout", "tags", "max_input_tokens"}
)
_INFO = frozenset(
    {"id", "description", "max_input_tokens", "max_tokens", "max_output_tokens", "mode", "base_model"}
)
_FALLBACKS = {
    "fallbacks": "any",
    "context_window_fallbacks": "context_window",
    "content_policy_fallbacks": "content_filter",
}
_ROUTER = frozenset({*_FALLBACKS, "model_group_alias", "routing_strategy"})
_LITELLM = frozenset({*_FALLBACKS, "default_fallbacks"})
_STRATEGIES = {"simple-shuffle": "weighted", None: "weighted"}


def declare(content: Mapping[str, Any], file: str) -> Declared:
    """Everything of the file that means something here; the rest is named in the notices."""
    declared = Declared(file)
    declared.unknown.update(str(name) for name in content if name not in _SECTIONS)
    for entry in mappings(content.get("model_list")):
        _declare_deployment(declared, entry)
    _share_by_limits(declared, mappings(content.get("model_list")))
    _read_router(declared, mapping(content.get("router_settings")))
    _read_litellm(declared, mapping(content.get("litellm_settings")))
    _read_general(declared, mapping(content.get("general_settings")))
    return declared


def _declare_deployment(declared: Declared, entry: Mapping[str, Any]) -> None:
    name = text_or_none(entry.get("model_name"))
    params, info = mapping(entry.get("litellm_params")), mapping(entry.get("model_info"))
    upstream = text_or_none(params.get("model"))
    if not name or not upstream:
        declared.notices.append(
            f"{declared.file}: an entry of model_list without a name or a model was left out."
        )
        return
    if name != "*" and "*" in name[:-1]:
        declared.notices.append(f"{declared.file}: {name} has a * before its end and was left out.")
        return
    endpoint = find_endpoint(upstream, params, text_or_none(info.get("mode")))
    if isinstance(endpoint, str):
        declared.notices.append(f"{declared.file}: {name} was left out: {endpoint}")
        return
    provider = provider_of(endpoint)
    declared.providers.setdefault(provider.name, provider)
    model = declared.models.setdefault(name, DeclaredModel(name))
    model.description = model.description or text_or_none(info.get("description")) or ""
    for section, settings, known in (("litellm_params", params, _PARAMS), ("model_info", info, _INFO)):
        declared.unknown.update(
            f"{section}.{setting}" for setting in settings if setting not in known and "cost" not in setting
        )
    model.deployments.append(_deployment(declared, name, endpoint, provider.name, {**info, **params}))


def _deployment(
    declared: Declared, name: str, endpoint: Endpoint, provider: str, settings: Mapping[str, Any]
) -> DeclaredDeployment:
    if unset := endpoint.unset_variables():
        one = f"{', '.join(unset)} is" if len(unset) == 1 else f"{', '.join(unset)} are"
        declared.notices.append(
            f"{declared.file}: {one} not set, so the deployment {endpoint.model} of {name} is off."
        )
    return DeclaredDeployment(
        provider=provider,
        upstream_model=endpoint.model,
        weight=whole_number(settings.get("weight")) or 1,
        order=whole_number(settings.get("order")) or 1,
        is_enabled=not unset,
        requests_per_minute=whole_number(settings.get("rpm")),
        tokens_per_minute=whole_number(settings.get("tpm")),
        parallel=whole_number(settings.get("max_parallel_requests")),
        timeouts=Timeouts(
            total_s=seconds(settings.get("timeout")), first_content_s=seconds(settings.get("stream_timeout"))
        ),
        tags=texts(settings.get("tags")),
        price=read_price(settings, declared.unknown),
        quirks={"prefers": "openai_responses" if endpoint.speaks_responses else None},
    )


def _share_by_limits(declared: Declared, entries: Iterable[Mapping[str, Any]]) -> None:
    """LiteLLM shuffles by weight, else by rpm, else by tpm, when a model's deployments have them."""
    weighted = {
        entry.get("model_name") for entry in entries if "weight" in mapping(entry.get("litellm_params"))
    }
    for model in declared.models.values():
        if model.name in weighted:
            continue
        for limit in ("requests_per_minute", "tokens_per_minute"):
            values = [getattr(deployment, limit) for deployment in model.deployments]
            if all(values):
                model.deployments = [
                    _with_weight(deployment, value)
                    for deployment, value in zip(model.deployments, values, strict=True)
                ]
                break


def _with_weight(deployment: DeclaredDeployment, weight: int) -> DeclaredDeployment:
    return replace(deployment, weight=weight)


def _read_router(declared: Declared, router: Mapping[str, Any]) -> None:
    _read_fallbacks(declared, router)
    declared.unknown.update(f"router_settings.{name}" for name in router if name not in _ROUTER)
    strategy = text_or_none(router.get("routing_strategy"))
    if strategy not in _STRATEGIES:
        declared.notices.append(
            f"{declared.file}: the strategy {strategy} is not known; calls are shared by weight."
        )
    for alias, target in mapping(router.get("model_group_alias")).items():
        group = text_or_none(target.get("model") if isinstance(target, Mapping) else target)
        model = declared.models.get(group or "")
        if model is None:
            declared.notices.append(
                f"{declared.file}: the alias {alias} leads to {group}, which the file lacks."
            )
        elif str(alias) not in model.aliases:
            model.aliases.append(str(alias))


def _read_litellm(declared: Declared, section: Mapping[str, Any]) -> None:
    _read_fallbacks(declared, section)
    for target in texts(section.get("default_fallbacks")):
        for model in declared.models:
            if model != target:
                _add_fallback(declared, model, "any", target)
    declared.unknown.update(f"litellm_settings.{name}" for name in section if name not in _LITELLM)


def _read_general(declared: Declared, general: Mapping[str, Any]) -> None:
    master = Reference.of(text_or_none(general.get("master_key")))
    declared.master_key = master.value or None
    if master.variable and master.value is None:
        declared.notices.append(
            f"{declared.file}: {master.variable} is not set, so its master key is not used."
        )
    declared.unknown.update(f"general_settings.{name}" for name in general if name != "master_key")


def _read_fallbacks(declared: Declared, section: Mapping[str, Any]) -> None:
    for setting, cause in _FALLBACKS.items():
        for entry in mappings(section.get(setting)):
            for model, targets in entry.items():
                for target in texts(targets):
                    _add_fallback(declared, str(model), cause, target)


def _add_fallback(declared: Declared, model: str, cause: str, target: str) -> None:
    if model == "*":
        for name in declared.models:
            if name != target:
                _add_fallback(declared, name, cause, target)
        return
    known = [f for f in declared.fallbacks if (f.model, f.cause) == (model, cause)]
    if not any(f.target == target for f in known):
        declared.fallbacks.append(DeclaredFallback(model, cause, target, len(known) + 1))
