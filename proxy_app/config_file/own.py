"""Our own YAML: providers, models, services, keys and a master key; see docs for an example of each."""

import json
from collections.abc import Mapping
from typing import Any

from gateway_project.money import UNITS_PER_PRICE, round_usd
from proxy_app.config_file.declared import (
    Declared,
    DeclaredBudget,
    DeclaredDeployment,
    DeclaredFallback,
    DeclaredKey,
    DeclaredLimits,
    DeclaredModel,
    DeclaredPrice,
    DeclaredProvider,
    DeclaredService,
    Timeouts,
)
from proxy_app.config_file.litellm_clouds import account_text
from proxy_app.config_file.litellm_prices import COLUMNS, UNITS
from proxy_app.config_file.litellm_providers import is_private, slug, usual_variable
from proxy_app.config_file.references import (
    Reference,
    decimal_number,
    mapping,
    mappings,
    seconds,
    text_or_none,
    texts,
    whole_number,
)
from proxy_app.providers.presets import PRESETS, QUIRKS, SETTINGS

_SECTIONS = frozenset({"master_key", "providers", "models", "services", "keys"})
_TIMEOUTS = frozenset({"connect_timeout_s", "first_content_timeout_s", "idle_timeout_s", "total_timeout_s"})
_PROVIDER = frozenset({"name", "kind", "base_url", "credential", "may_be_private", *SETTINGS, *_TIMEOUTS})
_MODEL = frozenset({"name", "aliases", "description", "strategy", "deployments", "fallbacks"})
_DEPLOYMENT = frozenset(
    {"provider", "model", "weight", "order", "tags", "limits", "price", "quirks", *_TIMEOUTS}
)
_SERVICE = frozenset({"name", "description", "cost_centre", "models"})
_KEY = frozenset({"name", "key", "service", "user", "environment", "models", "budgets", "limits"})
_BUDGET = frozenset({"amount_usd", "period", "hard", "every"})
_CAUSES = frozenset({"any", "context_window", "content_filter", "budget"})
_ENVIRONMENTS = frozenset({"production", "test", "experiment"})
_PERIODS = frozenset({"hour", "day", "week", "month", "total", "every_hours", "every_days"})
_OFF = frozenset({"false", "no", "off"})


def declare(content: Mapping[str, Any], file: str) -> Declared:
    """Everything of the file that means something; the rest is named in the notices."""
    declared = Declared(file)
    _note_unknown(declared, "", content, _SECTIONS)
    for entry in mappings(content.get("providers")):
        _declare_provider(declared, entry)
    for entry in mappings(content.get("models")):
        _declare_model(declared, entry)
    for entry in mappings(content.get("services")):
        _declare_service(declared, entry)
    for entry in mappings(content.get("keys")):
        _declare_key(declared, entry)
    master = Reference.of(text_or_none(content.get("master_key")))
    declared.master_key = master.value or None
    if master.value is None:
        _note(declared, f"{master.variable} is not set, so its master key is not used.")
    return declared


def _declare_provider(declared: Declared, entry: Mapping[str, Any]) -> None:
    _note_unknown(declared, "providers", entry, _PROVIDER)
    kind = text_or_none(entry.get("kind")) or ""
    name = slug(text_or_none(entry.get("name")) or kind)
    if kind not in PRESETS or not name:
        _note(declared, f"the provider {name or '?'} was left out: its kind {kind or '?'} is not known here.")
        return
    base = Reference.of(text_or_none(entry.get("base_url")))
    credential = _credential(kind, entry)
    settings = {setting: Reference.of(text_or_none(entry.get(setting))) for setting in PRESETS[kind].settings}
    if PRESETS[kind].needs_address and not (base.value or base.variable):
        _note(declared, f"the provider {name} was left out: it has no base_url.")
        return
    missing = [each for each in PRESETS[kind].required_settings if settings[each].value == ""]
    if missing:
        _note(declared, f"the provider {name} was left out: it has no {', '.join(missing)}.")
        return
    needed = (base, credential, *settings.values())
    unset = [reference.variable for reference in needed if reference.value is None]
    if unset:
        _note(declared, f"{', '.join(unset)} not set, so the provider {name} is off.")
    base_url = (base.value or "").rstrip("/")
    private = entry.get("may_be_private")
    declared.providers[name] = DeclaredProvider(
        name=name,
        kind=kind,
        base_url=base_url,
        settings={setting: reference.value for setting, reference in settings.items() if reference.value},
        credential=credential.value,
        may_be_private=private if isinstance(private, bool) else (True if is_private(base_url) else None),
        timeouts=_timeouts(entry),
        is_enabled=not unset,
    )


def _credential(kind: str, entry: Mapping[str, Any]) -> Reference:
    """A key, a service account's JSON or its file, or AWS access keys as a mapping of them."""
    given = entry.get("credential")
    if isinstance(given, Mapping):
        parts = {str(name): Reference.of(text_or_none(value)) for name, value in given.items()}
        unset = next((part.variable for part in parts.values() if part.value is None), None)
        whole = json.dumps({name: part.value for name, part in parts.items()})
        return Reference(None, unset) if unset is not None else Reference(whole)
    needs_one = PRESETS[kind].needs_credential
    usual = f"os.environ/{usual_variable(kind)}" if needs_one else None
    found = Reference.of(text_or_none(given) or usual)
    if PRESETS[kind].auth == "google-service-account" and found.value:
        return Reference(account_text(found.value), found.variable)
    return found


def _declare_model(declared: Declared, entry: Mapping[str, Any]) -> None:
    _note_unknown(declared, "models", entry, _MODEL)
    name = text_or_none(entry.get("name"))
    if not name or "*" in name[:-1]:
        _note(declared, f"the model {name or '?'} was left out: it needs a name, with a * at its end only.")
        return
    model = declared.models[name] = DeclaredModel(
        name,
        aliases=list(texts(entry.get("aliases"))),
        description=text_or_none(entry.get("description")) or "",
        strategy="in_order" if text_or_none(entry.get("strategy")) == "in_order" else "weighted",
    )
    for item in mappings(entry.get("deployments")):
        _declare_deployment(declared, model, item)
    fallbacks = entry.get("fallbacks")
    by_cause = fallbacks if isinstance(fallbacks, Mapping) else {"any": fallbacks}
    for cause, targets in by_cause.items():
        if cause not in _CAUSES:
            declared.unknown.add(f"models.fallbacks.{cause}")
            continue
        for order, target in enumerate(texts(targets), 1):
            declared.fallbacks.append(DeclaredFallback(name, str(cause), target, order))


def _declare_deployment(declared: Declared, model: DeclaredModel, entry: Mapping[str, Any]) -> None:
    _note_unknown(declared, "models.deployments", entry, _DEPLOYMENT)
    provider = slug(text_or_none(entry.get("provider")) or "")
    if provider not in declared.providers:
        _note(
            declared,
            f"a deployment of {model.name} was left out: the file has no provider {provider or '?'}.",
        )
        return
    limits = _limits(entry)
    model.deployments.append(
        DeclaredDeployment(
            provider=provider,
            upstream_model=text_or_none(entry.get("model")) or model.name,
            weight=_or_one(entry.get("weight")),
            order=_or_one(entry.get("order")),
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
            parallel=limits.parallel,
            timeouts=_timeouts(entry),
            tags=texts(entry.get("tags")),
            price=_price(declared, mapping(entry.get("price"))),
            quirks=_quirks(declared, entry),
        )
    )


def _quirks(declared: Declared, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """All of a deployment's quirks once the file speaks of any: what it leaves out is unset."""
    if "quirks" not in entry:
        return {}
    given = mapping(entry["quirks"])
    declared.unknown.update(f"models.deployments.quirks.{name}" for name in given if name not in QUIRKS)
    return {name: given.get(name) for name in QUIRKS}


def _price(declared: Declared, entry: Mapping[str, Any]) -> DeclaredPrice | None:
    """Dollars per million tokens by kind: {input: 2.5, output: 10}; of other units, dollars an image, an
    hour of audio, a million characters, a thousand searches (of files too), a container that ran code:
    {image: 0.04, audio_hour: 0.36}."""
    rates = {}
    units = {}
    for kind, value in entry.items():
        dollars = decimal_number(value)
        if (kind not in COLUMNS and kind not in UNITS) or dollars is None or dollars < 0:
            declared.unknown.add(f"price.{kind}")
        elif kind in UNITS:
            unit, per = UNITS[kind]
            units[unit] = round_usd(dollars * UNITS_PER_PRICE / per)
        else:
            rates[COLUMNS[kind]] = round_usd(dollars * (UNITS_PER_PRICE if kind == "request" else 1))
    return DeclaredPrice(rates=rates, units=units) if rates or units else None


def _declare_service(declared: Declared, entry: Mapping[str, Any]) -> None:
    _note_unknown(declared, "services", entry, _SERVICE)
    if name := text_or_none(entry.get("name")):
        declared.services[name] = DeclaredService(
            name,
            description=text_or_none(entry.get("description")) or "",
            cost_centre=text_or_none(entry.get("cost_centre")) or "",
            models=texts(entry.get("models")),
        )


def _declare_key(declared: Declared, entry: Mapping[str, Any]) -> None:
    _note_unknown(declared, "keys", entry, _KEY)
    name = text_or_none(entry.get("name")) or ""
    secret = Reference.of(text_or_none(entry.get("key")))
    environment = text_or_none(entry.get("environment")) or "production"
    if not secret.value:
        why = f"{secret.variable} is not set" if secret.variable else "it has no key: os.environ/NAME"
        _note(declared, f"the key {name or '?'} was left out: {why}.")
        return
    if not name or environment not in _ENVIRONMENTS:
        _note(declared, f"the key {name or '?'} was left out: it needs a name and a known environment.")
        return
    budgets = [_budget(declared, name, item) for item in mappings(entry.get("budgets"))]
    if None in budgets:
        return  # a key without the budget it was meant to have would spend without bound
    declared.keys.append(
        DeclaredKey(
            name,
            secret.value,
            service=text_or_none(entry.get("service")) or "",
            user=text_or_none(entry.get("user")) or "",
            environment=environment,
            models=texts(entry.get("models")),
            budgets=tuple(budget for budget in budgets if budget is not None),
            limits=_limits(entry),
        )
    )


def _budget(declared: Declared, key: str, entry: Mapping[str, Any]) -> DeclaredBudget | None:
    amount = decimal_number(entry.get("amount_usd"))
    period = text_or_none(entry.get("period")) or "month"
    if amount is None or amount < 0 or period not in _PERIODS or set(entry) - _BUDGET:
        _note(declared, f"the key {key} was left out: it has a budget that cannot be read.")
        return None
    hard = str(entry.get("hard", True)).lower() not in _OFF
    return DeclaredBudget(round_usd(amount), period, hard, _or_one(entry.get("every")))


def _limits(entry: Mapping[str, Any]) -> DeclaredLimits:
    limits = mapping(entry.get("limits"))
    return DeclaredLimits(
        whole_number(limits.get("requests_per_minute")),
        whole_number(limits.get("tokens_per_minute")),
        whole_number(limits.get("parallel")),
    )


def _timeouts(entry: Mapping[str, Any]) -> Timeouts:
    return Timeouts(
        connect_s=seconds(entry.get("connect_timeout_s")),
        first_content_s=seconds(entry.get("first_content_timeout_s")),
        idle_s=seconds(entry.get("idle_timeout_s")),
        total_s=seconds(entry.get("total_timeout_s")),
    )


def _or_one(value: Any) -> int:
    number = whole_number(value)
    return 1 if number is None else number


def _note(declared: Declared, sentence: str) -> None:
    declared.notices.append(f"{declared.file}: {sentence}")


def _note_unknown(declared: Declared, section: str, entry: Mapping[str, Any], known: frozenset[str]) -> None:
    names = [str(name) for name in entry if name not in known]
    declared.unknown.update(f"{section}.{name}" if section else name for name in names)
