"""Providers and models that are there without anybody asking: the sandbox, and keys in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from gateway_project.conf import config
from gateway_project.env import env_str
from proxy_app.credentials import set_credential
from proxy_app.models import Deployment, Model, Provider
from proxy_app.providers.presets import PRESETS, STARTER_MODELS

SANDBOX_MODELS = ("sandbox", "sandbox/*")
#: variable -> kind and name of the provider it sets up
ENVIRONMENT_KEYS = {"OPENAI_API_KEY": "openai", "ANTHROPIC_API_KEY": "anthropic", "GEMINI_API_KEY": "gemini"}


@dataclass(frozen=True, slots=True)
class NewProvider:
    """What a provider is made of; '' as address means the kind's own."""

    kind: str
    name: str
    credential: str = ""
    base_url: str = ""
    may_be_private: bool | None = None


def create_provider(new: NewProvider) -> Provider:
    """A provider row; *may be private* comes from the kind, then from the setting."""
    private = new.may_be_private
    if private is None:
        private = PRESETS[new.kind].may_be_private or config().allow_private_upstreams
    provider = Provider(kind=new.kind, name=new.name, base_url=new.base_url, may_be_private=private)
    set_credential(provider, new.credential)
    provider.save(force_insert=True)
    return provider


def add_model(
    name: str,
    provider: Provider,
    upstream_model: str,
    *,
    description: str = "",
    quirks: Mapping[str, Any] | None = None,
) -> bool:
    """A public model with one deployment, unless the name is taken. True when it was made."""
    model, made = Model.objects.get_or_create(name=name, defaults={"description": description})
    if made:
        Deployment.objects.create(
            model=model, provider=provider, upstream_model=upstream_model, quirks=dict(quirks or {})
        )
    return made


def ensure_sandbox() -> bool:
    """The built-in provider and its models, once; what an admin made of them stays. True when made."""
    if Provider.objects.filter(kind="sandbox").exists():
        return False
    with transaction.atomic():
        name = _free_name("sandbox")
        provider = create_provider(NewProvider(kind="sandbox", name=name, may_be_private=False))
        for model in SANDBOX_MODELS:
            add_model(model, provider, model, description="Built in: answers without any provider.")
    return True


def ensure_environment_providers() -> list[str]:
    """Set up the providers whose key is in the environment and that are missing. Returns new names."""
    wanted = {kind: secret for variable, kind in ENVIRONMENT_KEYS.items() if (secret := env_str(variable))}
    if not wanted:
        return []
    there = set(Provider.objects.filter(kind__in=wanted).values_list("kind", flat=True))
    return [_set_up(kind, secret) for kind, secret in wanted.items() if kind not in there]


def _set_up(kind: str, secret: str) -> str:
    with transaction.atomic():
        provider = create_provider(NewProvider(kind=kind, name=_free_name(kind), credential=secret))
        for starter in STARTER_MODELS.get(kind, ()):
            add_model(starter.public_name, provider, starter.upstream_model, quirks=starter.quirks)
    return provider.name


def _free_name(wanted: str) -> str:
    taken = set(Provider.objects.filter(name__startswith=wanted).values_list("name", flat=True))
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
