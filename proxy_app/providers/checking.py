"""What an admin enters for a provider, judged by its kind: address, settings, credential."""

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from proxy_app.providers.accounts import NotAnAccount, read_account
from proxy_app.providers.presets import PRESETS, SETTINGS

#: What `accounts` says, for translators.
ACCOUNT_SENTENCES = (
    gettext_noop("Paste the whole JSON, from { to }."),
    gettext_noop("The JSON key of a service account has a client_email and a private_key."),
    gettext_noop("The private_key of the service account is not an RSA key in PEM."),
    gettext_noop("AWS access keys have an access_key_id and a secret_access_key."),
)


def check_provider(
    kind: str, base_url: str, settings: Mapping[str, str], credential: str | None
) -> dict[str, str]:
    """Sentences by field: base_url, credential, and the settings by their own names. Empty: all is well.

    `credential` None: what is stored stays.
    """
    preset = PRESETS[kind]
    found: dict[str, str] = {}
    if preset.needs_address and not base_url:
        found["base_url"] = _("This kind needs an address.")
    for name in (*settings, *preset.required_settings):
        value = settings.get(name, "")
        if not value and name in preset.required_settings:
            found[name] = _("This kind needs it.")
        elif value and name not in preset.settings:
            found[name] = _("This kind does not take it.")
        elif value and not SETTINGS[name].pattern.fullmatch(value):
            found[name] = _("Enter one such as %(example)s.") % {"example": SETTINGS[name].example}
    if credential:
        try:
            read_account(preset.auth, credential)
        except NotAnAccount as problem:
            found["credential"] = _(str(problem))
    return found
