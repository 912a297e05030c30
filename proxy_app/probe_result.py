"""What trying a provider or a deployment out brought."""

from dataclasses import dataclass

from gateway_project.errors import CredentialRefused, GatehouseError
from proxy_app.providers.listing import ListedModel


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`detail` is a sentence, free of credentials; figures nobody knows are None."""

    ok: bool
    detail: str
    code: str = ""
    duration_ms: float | None = None
    text: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nanodollars: int | None = None
    request_id: str = ""
    models: tuple[ListedModel, ...] = ()


def failed(error: GatehouseError, duration_ms: float, request_id: str = "") -> ProbeResult:
    """A trial that ended in an error."""
    detail = f"{error.detail} {error.remedy}" if isinstance(error, CredentialRefused) else error.detail
    return ProbeResult(False, detail, code=error.code, duration_ms=duration_ms, request_id=request_id)
