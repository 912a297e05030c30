"""The providers' tables of the documentation, from the presets themselves."""

from collections.abc import Iterable

from compatibility import NAMES

from proxy_app.providers.presets import PRESETS, QUIRKS, SETTINGS, Preset
from proxy_app.providers.presets.clouds import CLOUDS
from proxy_app.providers.presets.hosted import HOSTED
from proxy_app.providers.presets.own_servers import OWN_SERVERS

AUTH = {
    "bearer": "`Authorization: Bearer`",
    "google-service-account": "a token bought with a service account",
    "aws-sigv4": "a Bedrock API key as `Authorization: Bearer`, or a signature (SigV4) by AWS access keys",
    "none": "none",
}


def provider_tables() -> str:
    """One table a group of presets, then what settings and quirks mean."""
    groups = {
        "By a key": HOSTED,
        "Through a cloud": CLOUDS,
        "On your own machines": OWN_SERVERS,
    }
    assert sum(len(group) for group in groups.values()) == len(PRESETS)
    parts = [f"## {title}\n\n{_table(presets)}" for title, presets in groups.items()]
    rows = [f"| `{name}` | {meaning} |" for name, meaning in QUIRKS.items()]
    quirks = "\n".join(["| quirk | meaning |", "|---|---|", *rows])
    where = (
        "Set with a preset, on a deployment's page in the admin, or as its `quirks` in `GATEHOUSE_CONFIG` or"
        " through the API."
    )
    return "\n\n".join([*parts, f"## Quirks\n\n{where}\n\n{quirks}"])


def _table(presets: Iterable[Preset]) -> str:
    rows = [
        f"| {preset.label} | `{preset.kind}` | {_address(preset)} | {_auth(preset)} "
        f"| {_formats(preset)} | {preset.price_provider_id or preset.unpriced} |"
        for preset in presets
    ]
    return "\n".join(
        ["| | kind | address | credential | formats | prices |", "|---|---|---|---|---|---|", *rows]
    )


def _address(preset: Preset) -> str:
    address = f"`{preset.base_url}`" if preset.base_url else "yours" if preset.needs_address else "built in"
    told = [f"{name} (such as {SETTINGS[name].example})" for name in preset.settings]
    return "; ".join([address, *told])


def _auth(preset: Preset) -> str:
    sent = AUTH.get(preset.auth, f"`{preset.auth}`")
    return f"{sent}, optional" if preset.key_is_optional else sent


def _formats(preset: Preset) -> str:
    return ", ".join(NAMES[name] for name in (preset.format, *preset.other_formats))
