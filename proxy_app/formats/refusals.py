"""What every dialect of an error shares: the status told, the sentence with the request id, the headers."""

import math

from gateway_project.errors import (
    BudgetExceeded,
    CallStopped,
    CredentialRefused,
    GatehouseError,
    UpstreamRefused,
)

MAX_RETRY_AFTER_S = 60.0  # one SDK sleeps whatever it is told; another gives up past 120 s


def told_status(error: GatehouseError) -> int:
    """The HTTP status a caller is told."""
    return error.status if isinstance(error, UpstreamRefused) else error.status_code


def told_code(error: GatehouseError) -> str:
    """The code a caller is told: the provider's own word for its refusals."""
    if isinstance(error, UpstreamRefused):
        return error.upstream_code or error.upstream_type or error.code
    return error.code


def sentence(error: GatehouseError, request_id: str) -> str:
    """The detail, and the request id where there is one."""
    return f"{error.detail} (request id: {request_id})" if request_id else error.detail


def refusal_headers(error: GatehouseError) -> dict[str, str]:
    """`retry-after` (whole seconds, at most 60), `retry-after-ms`, `x-should-retry`, and the error's own.

    A used-up budget or quota, a stopped call and a refused credential do not get better by trying
    again: official SDKs obey `x-should-retry: false`.
    """
    headers: dict[str, str] = {}
    wait_s = error.retry_after_s
    if wait_s is not None:
        wait_s = min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)
        headers["retry-after"] = str(max(math.ceil(wait_s), 1))
        headers["retry-after-ms"] = str(max(math.ceil(wait_s * 1000), 1))
    elif isinstance(error, BudgetExceeded | CallStopped | CredentialRefused) or is_quota(error):
        headers["x-should-retry"] = "false"
    headers.update(error.headers)
    return headers


def is_quota(error: GatehouseError) -> bool:
    """The provider's account is used up: a 429 that waiting does not mend."""
    return isinstance(error, UpstreamRefused) and "insufficient_quota" in (
        error.upstream_code,
        error.upstream_type,
    )
