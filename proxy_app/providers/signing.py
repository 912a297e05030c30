"""Credentials that are not sent as they are: a token is bought with them, or each request is signed.

`Signing.headers` gives the headers that prove one request, just before it is sent. What it derives is
noted on the provider, so that it can be kept out of what failures say.
"""

from typing import Protocol

from gateway_project.errors import CredentialRefused, NotServed
from proxy_app.catalogue import ProviderEntry
from proxy_app.providers import aws_signing
from proxy_app.providers.accounts import AwsKeys, ServiceAccount
from proxy_app.providers.google_tokens import GoogleTokens, Post
from proxy_app.wire import BodySource

_DERIVED_KEPT = 2  # the token before may still be in what comes back


class Unsigned(Protocol):
    """What is known of a request that is about to be sent."""

    url: str
    method: str
    headers: dict[str, str]
    body: bytes | BodySource


class Signer(Protocol):
    """The headers that prove a request. Raises UpstreamFailed."""

    async def headers(self, provider: ProviderEntry, request: Unsigned) -> dict[str, str]: ...


class GoogleSigner:
    """A bearer token of the provider's service account."""

    def __init__(self, post: Post) -> None:
        self._tokens = GoogleTokens(post)

    async def headers(self, provider: ProviderEntry, request: Unsigned) -> dict[str, str]:
        account = provider.account
        if not isinstance(account, ServiceAccount):
            raise CredentialRefused("The provider's credential is not a service account.")
        token = await self._tokens.token(account, may_be_private=provider.may_be_private)
        if token not in provider.derived:
            provider.derived[:] = [token, *provider.derived][:_DERIVED_KEPT]
        return {"authorization": f"Bearer {token}"}


class AwsSigner:
    """A signature over address, time and body."""

    async def headers(self, provider: ProviderEntry, request: Unsigned) -> dict[str, str]:
        account = provider.account
        if not isinstance(account, AwsKeys) or not aws_signing.is_available():
            raise CredentialRefused("Requests to this provider cannot be signed here.")
        if not isinstance(request.body, bytes):
            raise NotServed("A form cannot be signed for this provider.")
        return aws_signing.sign(
            account,
            provider.settings.get("region", ""),
            request.method,
            request.url,
            request.headers.get("content-type"),
            request.body,
        )


class Signing:
    """The signers of one worker, by a provider's way of authentication."""

    def __init__(self, post: Post) -> None:
        self._signers: dict[str, Signer] = {
            "google-service-account": GoogleSigner(post),
            "aws-sigv4": AwsSigner(),
        }

    async def headers(self, provider: ProviderEntry, request: Unsigned) -> dict[str, str]:
        """For a provider with an account; raises UpstreamFailed."""
        return await self._signers[provider.auth].headers(provider, request)
