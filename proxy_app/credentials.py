"""A provider's secret at rest: written encrypted, shown as a hint, read only to call the provider."""

from keys_app.crypto import decrypt, encrypt
from proxy_app.models import Provider
from proxy_app.providers.accounts import hint_of
from proxy_app.providers.presets import PRESETS


def set_credential(provider: Provider, secret: str) -> None:
    """Put a credential on the row (unsaved), or take it away with ''."""
    secret = secret.strip()
    provider.credential_encrypted = encrypt(secret, context(provider)) if secret else ""
    provider.credential_hint = credential_hint(secret)


def read_credential(provider: Provider) -> str:
    """The secret in the clear; '' when there is none. Raises keys_app.crypto's error when unreadable."""
    if not provider.credential_encrypted:
        return ""
    return decrypt(provider.credential_encrypted, context(provider))


def context(provider: Provider) -> str:
    """What the ciphertext is bound to: moved to another row it cannot be read."""
    return f"provider:{provider.pk}"


def shown_address(provider: Provider) -> str:
    """Where a provider is, as far as it can be told without its credential."""
    preset = PRESETS.get(provider.kind)
    if provider.base_url or preset is None:
        return provider.base_url
    found = preset.base_url
    for name in preset.settings:
        found = found.replace(f"{{{name}}}", provider.settings.get(name) or f"<{name}>")
    return found


def credential_hint(secret: str) -> str:
    """The last four characters of a secret long enough to give them away, or whose account it is."""
    if not secret:
        return ""
    if account := hint_of(secret):
        return account[:24]
    return f"…{secret[-4:]}" if len(secret) >= 16 else "…"
