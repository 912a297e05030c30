"""At which provider a file is kept, and what the calls of a batch go to. Pure."""

from collections.abc import Iterator

from gateway_project.errors import BadRequest, ModelNotAllowed, NotServed, UnknownModel
from keys_app import policy
from keys_app.entries import Principal
from proxy_app.catalogue import Catalogue, DeploymentEntry, ModelEntry, ProviderEntry
from proxy_app.file_kinds import AS, dialect_at
from proxy_app.providers.readiness import PROBLEMS

NAMED_BY = "x-gatehouse-provider"


def choose_provider(catalogue: Catalogue, principal: Principal, named: str, format: str) -> ProviderEntry:
    """The provider that is named, else the only one with files as the caller's format has them. Raises
    BadRequest that names the choices, NotServed where there are none."""
    found = {each.name: each for each in _with_files(catalogue, principal, format)}
    if named in found:
        return found[named]
    if not found:
        raise NotServed(f"No provider of this key's models keeps files {AS[format]}.")
    choices = ", ".join(sorted(found))
    if named:
        raise BadRequest(
            f"'{named[:80]}' is no provider with files that this key may use. Those are: {choices}.",
            param=NAMED_BY,
        )
    if len(found) == 1:
        return next(iter(found.values()))
    raise BadRequest(
        f"Say with '{NAMED_BY}' (a header, or a field of the form) which provider is to keep the file."
        f" Those that this key may use are: {choices}.",
        param=NAMED_BY,
    )


def has_files(catalogue: Catalogue, principal: Principal, format: str) -> bool:
    """Whether a provider keeps files, as a format has them, for whoever may use one of its models."""
    return next(_with_files(catalogue, principal, format), None) is not None


def choose_deployment(
    catalogue: Catalogue, principal: Principal, name: str, named: str = "", quirk: str = "batches"
) -> tuple[ModelEntry, DeploymentEntry]:
    """Where calls of a model go in a batch of the kind that the quirk names. Raises UnknownModel,
    ModelNotAllowed, NotServed."""
    model = catalogue.find(name)
    if model is None:
        raise UnknownModel(f"There is no model '{name[:200]}' here.", param="model")
    if not (policy.may_use_model(principal, name) or policy.may_use_model(principal, model.name)):
        raise ModelNotAllowed(f"This key may not use the model '{name[:200]}'.", param="model")
    able = [each for each in sorted(model.deployments, key=lambda each: each.order) if _has(quirk, each)]
    if named:
        able = [each for each in able if each.provider.name == named]
    if not able:
        who = f"The provider '{named[:80]}'" if named else "No provider"
        raise NotServed(f"{who} of the model '{name[:200]}' has batches.")
    return model, able[0]


def _has(quirk: str, deployment: DeploymentEntry) -> bool:
    provider = deployment.provider
    return bool(provider.quirks.get(quirk)) and provider.credential_state not in PROBLEMS


def _with_files(catalogue: Catalogue, principal: Principal, format: str) -> Iterator[ProviderEntry]:
    named = [*catalogue.by_name.items(), *((model.name, model) for _, model in catalogue.patterns)]
    for name, model in named:
        if policy.may_use_model(principal, name):
            for deployment in model.deployments:
                provider = deployment.provider
                if dialect_at(provider) == format and provider.credential_state not in PROBLEMS:
                    yield provider
