"""Keeps a provider's credential out of what its failures say: some providers repeat what they were shown.

`formats.failures` hides what looks like a secret; here the very credential that was sent is known.
"""

from gateway_project.errors import UpstreamFailed, UpstreamRefused
from proxy_app.catalogue import ProviderEntry

HIDDEN = "[hidden]"
SHORTEST_CHARS = 4  # hiding every "a" of a message would hide nothing and garble all


def hide_credential(error: UpstreamFailed, provider: ProviderEntry) -> UpstreamFailed:
    """The same error, with the credential replaced in every word of the provider that it carries."""
    secrets = [value.removeprefix("Bearer ") for value in provider.headers.values()]
    if provider.account is not None:
        secrets += [*provider.derived, *provider.account.secrets()]
    for secret in secrets:
        if len(secret) < SHORTEST_CHARS:
            continue
        error.detail = error.detail.replace(secret, HIDDEN)
        error.args = (error.detail,)
        if error.param:
            error.param = error.param.replace(secret, HIDDEN)
        if isinstance(error, UpstreamRefused):
            error.upstream_type = error.upstream_type.replace(secret, HIDDEN)
            error.upstream_code = error.upstream_code.replace(secret, HIDDEN)
    return error
