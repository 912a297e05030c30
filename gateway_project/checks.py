"""System checks: what `manage.py check` and every command refuse about a set-up.

The supervisor makes the same checks of secrets before it starts anything; these are for those who run
the programs under a process manager of their own.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from gateway_project.conf import Config, config, listens_on_loopback
from gateway_project.env import BadSetting
from gateway_project.firstrun import SECRETS, check_master_key, check_secret_file, is_secret_key

Messages = list[CheckMessage]


@register(Tags.security)
def check_setup(app_configs: Sequence[AppConfig] | None = None, **options: Any) -> Messages:
    """Every complaint about this process's settings and secrets."""
    return complaints(config())


def complaints(settings: Config) -> Messages:
    """A pure function of the settings but for the secret files it looks at."""
    return [*_secrets(settings), *_exposure(settings)]


def _secrets(settings: Config) -> Messages:
    found: Messages = []
    for name in SECRETS:
        path = settings.data / "secrets" / name
        if path.exists():
            try:
                check_secret_file(path)
            except BadSetting as error:
                found.append(Error(str(error), id="gatehouse.E001"))
    if not all(is_secret_key(key) for key in settings.secret_keys):
        text = "An encryption key is not 32 random bytes in URL-safe base64."
        found.append(
            Error(text, hint="Leave GATEHOUSE_SECRET_KEYS out and one is made.", id="gatehouse.E002")
        )
    if settings.master_key:
        try:
            check_master_key(settings.master_key, settings.host)
        except BadSetting as error:
            found.append(Error(str(error), id="gatehouse.E003"))
    return found


def _exposure(settings: Config) -> Messages:
    if listens_on_loopback(settings.host):
        return []
    found: Messages = []
    if settings.debug:
        text = "GATEHOUSE_DEBUG is on while others can reach this gateway: its pages show settings."
        found.append(Error(text, hint="GATEHOUSE_DEBUG=off", id="gatehouse.E004"))
    if settings.public_url.startswith("http://") and not settings.trusted_proxies:
        text = "Keys and passwords travel unencrypted: there is no TLS and no trusted proxy."
        hint = "Put TLS in front and set GATEHOUSE_PUBLIC_URL and GATEHOUSE_TRUSTED_PROXIES."
        found.append(Warning(text, hint=hint, id="gatehouse.W001"))
    return found
