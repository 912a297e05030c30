"""What LiteLLM's `azure/`, `vertex_ai/` and `bedrock/` names need besides a key, and where it is found."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from proxy_app.config_file.references import Reference, text_or_none
from proxy_app.providers.accounts import aws_credential

#: setting -> (parameter, variables LiteLLM reads when it is not given)
_AZURE: Mapping[str, tuple[str, tuple[str, ...]]] = {"api_version": ("api_version", ("AZURE_API_VERSION",))}
_VERTEX = {
    "project": ("vertex_project", ("VERTEXAI_PROJECT", "GOOGLE_CLOUD_PROJECT")),
    "location": ("vertex_location", ("VERTEXAI_LOCATION", "GOOGLE_CLOUD_LOCATION")),
}
_BEDROCK: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "region": ("aws_region_name", ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"))
}
SETTINGS: Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "azure": _AZURE,
    "vertex_gemini": _VERTEX,
    "vertex_claude": _VERTEX,
    "bedrock": _BEDROCK,
    "bedrock_claude": _BEDROCK,
}
_AWS_KEYS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
}
#: LiteLLM's parameters that are understood here, beside those of every provider.
PARAMS = frozenset(
    {"vertex_project", "vertex_location", "vertex_credentials", "aws_region_name", *_AWS_KEYS}
    | {"aws_bedrock_runtime_endpoint", "api_version"}
)
#: Ways to a credential that are not taken: they ask the machine who it is.
NOT_TAKEN = ("azure_ad_token", "aws_role_name", "aws_profile_name", "aws_web_identity_token")
_CLOUDS = frozenset({"azure", "vertex_ai", "vertex_ai_beta", "bedrock", "bedrock_converse"})
_AZURE_ROUTES = ("o_series/", "gpt5_series/", "responses/")


def is_cloud(provider: str) -> bool:
    return provider in _CLOUDS


def cloud_kind(provider: str, model: str) -> tuple[str, str]:
    """(our kind, the model's own name) of a LiteLLM provider and what stands behind it."""
    if provider == "azure":
        for route in _AZURE_ROUTES:
            model = model.removeprefix(route)
        return "azure", model
    if provider.startswith("vertex_ai"):
        return ("vertex_claude" if model.startswith("claude") else "vertex_gemini"), model
    route, separator, rest = model.partition("/")
    if separator and route in ("converse", "converse_like"):
        return "bedrock", rest
    if separator and route == "invoke":
        return ("bedrock_claude" if "claude" in rest else "bedrock"), rest
    return "bedrock", model


def cloud_base(kind: str, params: Mapping[str, Any], given: Reference) -> Reference:
    """The address a cloud is called at, where another than its own."""
    if kind == "azure" and given.value == "" and not given.variable:
        return Reference.of("os.environ/AZURE_API_BASE")
    if kind.startswith("bedrock"):
        endpoint = text_or_none(params.get("aws_bedrock_runtime_endpoint"))
        return Reference.of(endpoint) if endpoint else given
    return given


def cloud_settings(kind: str, params: Mapping[str, Any]) -> dict[str, Reference]:
    """What the file says, else what the usual variables hold; a setting that nobody told is left out."""
    found: dict[str, Reference] = {}
    for name, (param, variables) in SETTINGS[kind].items():
        given = text_or_none(params.get(param))
        if given:
            found[name] = Reference.of(given)
        elif usual := _first_set(variables):
            found[name] = usual
    return found


def cloud_key(kind: str, params: Mapping[str, Any]) -> tuple[Reference, tuple[Reference, ...]]:
    """(the credential, what it was made of). Azure's key, a service account, or AWS keys."""
    given = text_or_none(params.get("api_key"))
    if kind == "azure":
        key = Reference.of(given or "os.environ/AZURE_API_KEY")
        return key, (key,)
    if kind.startswith("vertex"):
        return _service_account(params.get("vertex_credentials"))
    if given:
        key = Reference.of(given)
        return key, (key,)
    return _aws_keys(params)


def account_text(value: str) -> str:
    """A service account's JSON: the text itself, or the content of the file that it names."""
    if value.lstrip().startswith("{"):
        return value
    try:
        return Path(value).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return value


def _service_account(value: Any) -> tuple[Reference, tuple[Reference, ...]]:
    if isinstance(value, Mapping):
        key = Reference(json.dumps(dict(value)))
        return key, (key,)
    source = Reference.of(text_or_none(value) or "os.environ/GOOGLE_APPLICATION_CREDENTIALS")
    if source.value is None:
        return source, (source,)
    return Reference(account_text(source.value), source.variable), (source,)


def _aws_keys(params: Mapping[str, Any]) -> tuple[Reference, tuple[Reference, ...]]:
    given = {name: text_or_none(params.get(name)) for name in _AWS_KEYS}
    if not any(given.values()):
        bearer = Reference.of("os.environ/AWS_BEARER_TOKEN_BEDROCK")
        if bearer.value is not None:
            return bearer, (bearer,)
    parts = {
        name: Reference.of(given[name] or f"os.environ/{variable}") for name, variable in _AWS_KEYS.items()
    }
    if given["aws_session_token"] is None and (any(given.values()) or not parts["aws_session_token"].value):
        parts.pop("aws_session_token")  # lasting keys have none; one of the environment belongs to its keys
    needed = tuple(parts.values())
    unset = next((part for part in needed if part.value is None), None)
    if unset is not None:
        return Reference(None, unset.variable), needed
    key = Reference(aws_credential(*(part.value or "" for part in needed)), needed[0].variable)
    return key, needed


def _first_set(variables: Iterable[str]) -> Reference | None:
    found = (Reference.of(f"os.environ/{variable}") for variable in variables)
    return next((reference for reference in found if reference.value), None)
