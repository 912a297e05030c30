"""Where a request goes: a base address and a format's path made one, each style of address in its function.

Formats write the path their own service has. Clouds serve the same bodies at other addresses, with the
model in the path and not in the body; this is the one place that knows. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from proxy_app.wire import BodySource, Outgoing

#: What Claude's bodies say on a cloud in place of the header `anthropic-version`. Newer versions are not
#: taken for every model there, and these take what newer ones take.
VERTEX_VERSION = "vertex-2023-10-16"
BEDROCK_VERSION = "bedrock-2023-05-31"
_MESSAGES = "/v1/messages"
#: Azure's versions that are no dates: the address without deployments.
_AZURE_V1 = frozenset({"", "v1", "latest", "preview"})
#: What Azure's dated versions serve under a deployment.
_AZURE_BY_DEPLOYMENT = ("/chat/completions", "/completions", "/embeddings", "/images/", "/audio/")
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Placed = tuple[str, Outgoing]


def base_address(style: str, base_url: str, own: str, settings: Mapping[str, str], project: str = "") -> str:
    """The base address of a provider, without a slash at its end: `own` is what an admin entered, else the
    kind's `base_url`; what settings say is put in. `project`: what stands where no setting names one."""
    if style == "azure":
        return own.rstrip("/").removesuffix("/v1").removesuffix("/openai")
    if style == "vertex":
        location = settings.get("location") or "global"
        root = (own or f"https://{vertex_host(location)}").rstrip("/")
        if "/projects/" in root:
            return root
        project = settings.get("project") or project
        version = "" if urlsplit(root).path else "/v1"
        return f"{root}{version}/projects/{project}/locations/{location}"
    if style in ("bedrock_invoke", "bedrock_converse"):
        region = settings.get("region") or ""
        host = base_url.format(region=region) + (".cn" if region.startswith("cn-") else "")
        return (own or host).rstrip("/")
    return (own or base_url).rstrip("/")


def vertex_host(location: str) -> str:
    """Google's host for a region, for a multi-region (us, eu), or for all the world (global)."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def place(
    style: str, base_url: str, settings: Mapping[str, str], quirks: Mapping[str, Any], outgoing: Outgoing
) -> Placed:
    """The absolute address of a request, and the request as that address wants it."""
    return _STYLES[style](base_url, settings, quirks, outgoing)


def listing_url(
    style: str, base_url: str, path: str, settings: Mapping[str, str], *, from_origin: bool
) -> str:
    """Where a list of models is asked for."""
    if style == "azure":
        return _azure_url(base_url, settings, path, "")
    if not from_origin:
        return base_url + path
    parts = urlsplit(base_url)
    host = parts.netloc
    if style.startswith("bedrock"):  # the list is the control plane's, one host aside
        host = host.replace("bedrock-runtime.", "bedrock.", 1)
    return f"{parts.scheme}://{host}{path}"


def _plain(
    base_url: str, settings: Mapping[str, str], quirks: Mapping[str, Any], outgoing: Outgoing
) -> Placed:
    """Chat Completions are asked for behind a base that ends in /v1; Messages bring their own, and some
    paths begin at the host."""
    if outgoing.from_host:
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{parts.netloc}{outgoing.path}", outgoing
    if outgoing.path.startswith(_MESSAGES) and base_url.endswith("/v1"):
        root = base_url.removesuffix("/v1") + str(quirks.get("anthropic_root") or "")
        return root + outgoing.path, outgoing
    return base_url + outgoing.path, outgoing


def _azure(
    base_url: str, settings: Mapping[str, str], quirks: Mapping[str, Any], outgoing: Outgoing
) -> Placed:
    """A dated version serves deployments by their name in the path, the present one by `model`."""
    model = ""
    if settings.get("api_version", "") not in _AZURE_V1:
        model = outgoing.model or _model_of(outgoing.body)
    return _azure_url(base_url, settings, outgoing.path, model), outgoing


def _azure_url(base_url: str, settings: Mapping[str, str], path: str, model: str) -> str:
    version = settings.get("api_version", "")
    root = f"{base_url}/openai"
    if version in _AZURE_V1:
        return f"{root}/v1{path}" + ("?api-version=preview" if version == "preview" else "")
    if model and path.startswith(_AZURE_BY_DEPLOYMENT):
        root += f"/deployments/{quote(model, safe='')}"
    return f"{root}{path}{'&' if '?' in path else '?'}api-version={version}"


def _vertex(
    base_url: str, settings: Mapping[str, str], quirks: Mapping[str, Any], outgoing: Outgoing
) -> Placed:
    """Gemini's verbs behind the publisher's model; Claude's bodies by prediction as they are."""
    if not outgoing.path.startswith(_MESSAGES):
        _, _, name = outgoing.path.partition("/models/")
        named = name.startswith(("publishers/", "endpoints/"))
        return f"{base_url}/{name}" if named else f"{base_url}/publishers/google/models/{name}", outgoing
    if outgoing.path.startswith(f"{_MESSAGES}/count_tokens"):
        sent = _on_cloud(outgoing, _fields(outgoing.body), VERTEX_VERSION)
        return f"{base_url}/publishers/anthropic/models/count-tokens:rawPredict", sent
    fields = _fields(outgoing.body)
    model = _text(fields.pop("model", None))
    verb = "streamRawPredict" if _is_true(fields.get("stream")) else "rawPredict"
    url = f"{base_url}/publishers/anthropic/models/{quote(model, safe='@')}:{verb}"
    return url, _on_cloud(outgoing, fields, VERTEX_VERSION)


def _bedrock_invoke(
    base_url: str, settings: Mapping[str, str], quirks: Mapping[str, Any], outgoing: Outgoing
) -> Placed:
    """The model and whether it streams stand in the path; betas in the body."""
    fields = _fields(outgoing.body)
    model = _text(fields.pop("model", None))
    verb = "invoke-with-response-stream" if _is_true(fields.pop("stream", None)) else "invoke"
    betas = outgoing.headers.get("anthropic-beta", "")
    if betas and "anthropic_beta" not in fields:
        named = [name.strip() for name in betas.split(",") if name.strip()]
        fields["anthropic_beta"] = msgspec.Raw(msgspec.json.encode(named))
    sent = _on_cloud(outgoing, fields, BEDROCK_VERSION)
    sent.headers.pop("anthropic-beta", None)
    return f"{base_url}/model/{quote(model, safe='')}/{verb}", sent


def _on_cloud(outgoing: Outgoing, fields: dict[str, msgspec.Raw], version: str) -> Outgoing:
    fields.setdefault("anthropic_version", msgspec.Raw(msgspec.json.encode(version)))
    headers = {name: value for name, value in outgoing.headers.items() if name != "anthropic-version"}
    return msgspec.structs.replace(outgoing, body=msgspec.json.encode(fields), headers=headers)


def _fields(body: bytes | BodySource) -> dict[str, msgspec.Raw]:
    """A body whose values keep their bytes; this gateway wrote it, so it is an object."""
    assert isinstance(body, bytes)
    return _decode_fields(body)


def _model_of(body: bytes | BodySource) -> str:
    """The model a body names; '' where it is no object or names none."""
    if not isinstance(body, bytes):
        return ""
    try:
        return _text(_decode_fields(body).get("model"))
    except msgspec.DecodeError:
        return ""


def _is_true(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw).strip() == b"true"


def _text(raw: msgspec.Raw | None) -> str:
    value = msgspec.json.decode(raw) if raw is not None else ""
    return value if isinstance(value, str) else ""


_STYLES: Mapping[str, Callable[[str, Mapping[str, str], Mapping[str, Any], Outgoing], Placed]] = {
    "plain": _plain,
    "azure": _azure,
    "vertex": _vertex,
    "bedrock_invoke": _bedrock_invoke,
    "bedrock_converse": _plain,
}
